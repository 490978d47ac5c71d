"""The order of checks of a signed request (PROTOCOL section 1), without I/O: who passes, and why not.

Size and content type are checked before. A member passes: form, audience, freshness, digest,
signature, (method that needs a challenge), nonce. A join of an unknown DID passes: form, a
smaller size, audience, freshness, body, token look-up, digest, signature, nonce. A stream, which has no
body, passes: form, audience, freshness, signature, nonce. A challenge is asked for before the nonce is
remembered, so the retry with the same nonce can pass, once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NoReturn, Protocol

from enigma_fed.base import limits
from enigma_fed.base.errors import DidInvalid, WireError
from enigma_fed.base.ids import Did
from enigma_fed.base.rpc_errors import (
    BadDigest,
    BadSignature,
    InvalidParams,
    InvalidRequest,
    MalformedRequest,
    MethodNotFound,
    ParseError,
    Removed,
    TooLarge,
    UnknownPeer,
    UnknownToken,
    WrongAudience,
)
from enigma_fed.identity.signing import verify
from enigma_fed.rpc import rules
from enigma_fed.rpc.challenge import Challenger
from enigma_fed.rpc.freshness import Freshness
from enigma_fed.rpc.legacydoor import LegacyDoor, LegacyKeeper
from enigma_fed.rpc.methods import Method, MethodTable, Params, Standing, TokenParams
from enigma_fed.rpc.noncetable import NonceTable
from enigma_fed.rpc.passage import Passage
from enigma_fed.wire import contentdigest, httpsig, jsonrpc, streamsig
from enigma_fed.wire.httpsig import Fields, SignedRequest
from enigma_fed.wire.records import TrustLevel
from enigma_fed.wire.streamsig import StreamRequest


class Doorkeeper(LegacyKeeper, Protocol):
    """Who knows the members: the federation."""

    def standing(self, did: Did) -> Standing:
        """What this DID is here."""
        ...

    async def admit(self, did: Did, method: str | None, trust: TrustLevel | None) -> None:
        """Let a member call a method that needs `trust`; raises UnknownPeer, NotAllowed, Removed.

        `method` is None when the body does not say.
        """
        ...

    def check_token(self, params: Params) -> None:
        """Look up the token of a join; raises UnknownToken, Busy."""
        ...

    def heard(self, did: Did) -> None:
        """A member's signed request came in for the first time."""
        ...


class Gate:
    """The checks up to the nonce, with the replay table and the challenges that they need."""

    def __init__(
        self,
        own: Did,
        methods: MethodTable,
        doorkeeper: Doorkeeper,
        challenger: Challenger,
        challenge_all: Callable[[float], bool],
        legacy_methods: MethodTable,
        let_in: Callable[[float], None] = lambda wall: None,
    ) -> None:
        """`challenge_all` tells, at a boot time in seconds, whether every caller is to be challenged.

        `legacy_methods` are those that the Rust agent's own requests reach. `let_in` hears the Unix time up
        to which each answer to a challenge that passed was signed.
        """
        self._own = str(own)
        self._methods = methods
        self._doorkeeper = doorkeeper
        self._nonces = NonceTable()
        self._freshness = Freshness(challenger, challenge_all, self._nonces, let_in)
        self._legacy = LegacyDoor(legacy_methods, doorkeeper, self._nonces, challenge_all)
        self._parse_keyid = lru_cache(maxsize=limits.DIDS_CACHED)(Did.parse_url)

    @property
    def nonces(self) -> int:
        """How many nonces are remembered."""
        return len(self._nonces)

    def examine(self, passage: Passage, fields: Fields, body: bytes, *, wall: float, boot: float) -> None:
        """Run every check up to the nonce; on return `passage` has a method to run or says what is broken.

        Raises RpcError, WireError.
        """
        if httpsig.is_unsigned(fields):
            self._legacy.examine(passage, fields, body, wall=wall, boot=boot)
            return
        signed = httpsig.read_request(fields, passage.form.content_type)
        did = self._identify(passage, signed)
        standing = passage.standing
        if standing is Standing.UNKNOWN and len(body) > limits.STRANGER_REQUEST_BYTES:
            raise TooLarge(f"an unknown DID has at most {limits.STRANGER_REQUEST_BYTES} bytes")
        self._check_aim(signed, did, wall, boot)
        if standing is Standing.UNKNOWN:
            self._read_stranger(passage, body)
        if not contentdigest.matches(signed.digest, body):
            raise BadDigest
        self._check_signature(passage, signed, did)
        if standing is Standing.MEMBER or standing is Standing.SELF:
            self._pass_known(passage, signed, did, body, wall, boot)
        else:
            self._pass_stranger(passage, signed, did, body, wall, boot)

    def examine_stream(self, passage: Passage, fields: Fields, *, wall: float, boot: float) -> StreamRequest:
        """Run the same checks for a `GET /rpc/v1/stream`, which has no body; the trust step is still to come.

        Raises RpcError, WireError.
        """
        request = streamsig.read_request(fields)
        signed = request.signed
        did = self._identify(passage, signed)
        self._check_aim(signed, did, wall, boot)
        self._check_signature(passage, signed, did)
        if not passage.of_a_member:
            self._turn_away(passage)
        self._let_in(passage, signed, did, wall, boot)
        return request

    def read_params(self, passage: Passage, method: Method) -> Params:
        """The call's params, read once; raises InvalidParams."""
        if passage.params is None:
            assert passage.call is not None
            try:
                passage.params = method.params.from_object(passage.call.params, binary=passage.form.binary)
            except WireError as error:
                raise rules.bad_params(error) from None
        return passage.params

    def _identify(self, passage: Passage, signed: SignedRequest) -> Did:
        """Note who the request says it is from."""
        did = self._read_keyid(signed.keyid)
        passage.did, passage.signature_field = did, signed.signature_field
        passage.standing = self._doorkeeper.standing(did)
        return did

    def _check_aim(self, signed: SignedRequest, did: Did, wall: float, boot: float) -> None:
        if signed.audience != self._own:
            raise WrongAudience
        self._freshness.check(signed, did.public_key, wall, boot)

    def _check_signature(self, passage: Passage, signed: SignedRequest, did: Did) -> None:
        if not verify(did.public_key, signed.base, signed.signature):
            raise BadSignature
        passage.signature_held = True

    def _let_in(self, passage: Passage, signed: SignedRequest, did: Did, wall: float, boot: float) -> None:
        """Use up the nonce of a request by a member or this node."""
        self._freshness.use(signed, did.public_key, wall, boot)
        passage.past_nonce = True
        if passage.standing is Standing.MEMBER:
            self._doorkeeper.heard(did)

    def _read_keyid(self, keyid: str) -> Did:
        try:
            return self._parse_keyid(keyid)
        except DidInvalid as error:
            raise MalformedRequest(f"its keyid is no DID: {error.detail}") from None

    def _read_call(self, passage: Passage, body: bytes, items: int = limits.BODY_ITEMS) -> None:
        passage.call = jsonrpc.decode_call(passage.form, body, items)
        passage.method = self._methods.find(passage.call.method)

    def _read_stranger(self, passage: Passage, body: bytes) -> None:
        """Read the body; of a join, look up the token."""
        self._read_call(passage, body, limits.STRANGER_ITEMS)
        if passage.method is not None and passage.method.open_to_unknown:
            self._look_up_token(passage, passage.method)

    def _look_up_token(self, passage: Passage, method: Method) -> None:
        params = self.read_params(passage, method)
        self._doorkeeper.check_token(params)
        assert isinstance(params, TokenParams)
        passage.token_hash = params.token_hash

    def _pass_known(
        self, passage: Passage, signed: SignedRequest, did: Did, body: bytes, wall: float, boot: float
    ) -> None:
        try:
            self._read_call(passage, body)
        except (ParseError, InvalidRequest, InvalidParams) as error:
            passage.broken = error
        method = passage.method
        if method is None and passage.broken is None:
            passage.broken = MethodNotFound()
        if method is not None and method.challenge and signed.challenge is None:
            why = f"{method.name} always needs a challenge"
            raise self._freshness.challenge(why, signed, did.public_key, boot)
        self._let_in(passage, signed, did, wall, boot)

    def _pass_stranger(
        self, passage: Passage, signed: SignedRequest, did: Did, body: bytes, wall: float, boot: float
    ) -> None:
        """Let a join through; tell every other unknown DID that it is unknown, a removed one that it is."""
        if passage.standing is Standing.REMOVED:
            self._check_return(passage, body)
        elif passage.method is None or not passage.method.open_to_unknown:
            self._turn_away(passage)
        self._freshness.use(signed, did.public_key, wall, boot, passage.token_hash)
        passage.past_nonce = True

    def _check_return(self, passage: Passage, body: bytes) -> None:
        """Raise Removed unless a removed DID brings a token of ours; the rules of joins see the rest."""
        try:
            if len(body) <= limits.STRANGER_REQUEST_BYTES:
                self._read_stranger(passage, body)
            if passage.token_hash is not None:
                return
        except (ParseError, InvalidRequest, InvalidParams, UnknownToken):
            pass
        self._turn_away(passage)

    def _turn_away(self, passage: Passage) -> NoReturn:
        """Tell a removed DID that it is removed, another that it is unknown; nothing is kept of it."""
        passage.past_nonce = True
        if passage.standing is Standing.REMOVED:
            raise Removed
        raise UnknownPeer


def in_start_window(boot: float, started: float) -> bool:
    """Whether a node that started at boot time `started` still challenges everyone (invariant 1)."""
    return boot - started < limits.CHALLENGE_AFTER_START
