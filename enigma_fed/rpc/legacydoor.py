"""The narrow door for the Rust agent's own requests (PROTOCOL sections 1.6 and 4.7), without I/O.

What comes through it proves little: the old header set signs a time alone, so whoever receives such a
request can play it elsewhere; the tokenless join proves a key and names no receiver. So nothing here
is heard, confirmed or signed, and no other method is reached.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from enigma_fed.base import limits
from enigma_fed.base.errors import WireError
from enigma_fed.base.ids import Did
from enigma_fed.base.rpc_errors import Stale, TooLarge, Unsigned
from enigma_fed.identity.signing import verify
from enigma_fed.rpc import rules
from enigma_fed.rpc.methods import Method, MethodTable, NamesItself
from enigma_fed.rpc.noncetable import NonceTable
from enigma_fed.rpc.passage import Passage
from enigma_fed.wire import jsonrpc, legacyheaders
from enigma_fed.wire.httpsig import Fields
from enigma_fed.wire.legacyheaders import LegacyRequest
from enigma_fed.wire.records import TrustLevel


class LegacyKeeper(Protocol):
    """Who knows what the owner allows: the federation."""

    def is_legacy(self, did: Did) -> bool:
        """Whether the owner marked this member as legacy."""
        ...

    def admit_legacy(self, did: Did, trust: TrustLevel | None) -> None:
        """Let it call a method that needs `trust`; changes nothing. Raises Unsigned, NotAllowed."""
        ...

    def awaits_tokenless(self) -> bool:
        """Whether an invite is open under which a join without a token is kept for the owner."""
        ...

    def check_tokenless(self) -> None:
        """Count one such join; raises Busy when there are too many."""
        ...


class LegacyDoor:
    """The checks of a request that carries no signature of RFC 9421."""

    def __init__(
        self,
        methods: MethodTable,
        keeper: LegacyKeeper,
        nonces: NonceTable,
        challenge_all: Callable[[float], bool],
    ) -> None:
        """`methods` are those that such requests reach; `nonces` is the node's one replay table."""
        self._methods = methods
        self._keeper = keeper
        self._nonces = nonces
        self._challenge_all = challenge_all

    def examine(self, passage: Passage, fields: Fields, body: bytes, *, wall: float, boot: float) -> None:
        """Run every check; on return `passage` has a method to run. Raises Unsigned, RpcError, WireError."""
        request = None if passage.form.binary else legacyheaders.read(fields)
        if request is not None:
            self._pass_reader(passage, request, body, wall, boot)
        elif not passage.form.binary and self._keeper.awaits_tokenless():
            self._pass_joiner(passage, body)
        else:
            raise _unsigned()

    def _pass_reader(
        self, passage: Passage, request: LegacyRequest, body: bytes, wall: float, boot: float
    ) -> None:
        """Let a legacy member read: size, mark, signature, freshness, body, method, nonce."""
        _check_size(body)
        if not self._keeper.is_legacy(request.did):
            raise _unsigned()
        # No word of its own: it would tell anybody who asks whom the owner marked.
        if not verify(request.did.public_key, request.message, request.signature):
            raise _unsigned()
        if abs(wall - request.created) > limits.FRESHNESS_WINDOW:
            raise Stale("outside the time window")
        if self._challenge_all(boot):
            raise Stale(
                "this node just started or does not trust its clock; no challenge fits such a request"
            )
        self._read_call(passage, body, open_to_unknown=False)
        end = rules.nonce_end(request.created, wall, boot)
        self._nonces.use(request.did.public_key, request.timestamp, until=end, now=boot)
        passage.did = request.did
        passage.past_nonce = passage.legacy = True

    def _pass_joiner(self, passage: Passage, body: bytes) -> None:
        """Let a join without a token come before the owner: size, body, method, params, number."""
        _check_size(body)
        method = self._read_call(passage, body, open_to_unknown=True)
        assert passage.call is not None
        try:
            passage.params = method.params.from_object(passage.call.params, binary=False)
        except WireError as error:
            raise rules.bad_params(error) from None
        assert isinstance(passage.params, NamesItself)
        self._keeper.check_tokenless()
        passage.did = passage.params.did
        passage.past_nonce = True

    def _read_call(self, passage: Passage, body: bytes, *, open_to_unknown: bool) -> Method:
        passage.call = jsonrpc.decode_call(passage.form, body, limits.STRANGER_ITEMS)
        method = self._methods.find(passage.call.method)
        if method is None or method.open_to_unknown is not open_to_unknown:
            raise _unsigned()
        passage.method = method
        return method


def _check_size(body: bytes) -> None:
    if len(body) > limits.STRANGER_REQUEST_BYTES:
        raise TooLarge(f"a request without a signature has at most {limits.STRANGER_REQUEST_BYTES} bytes")


def _unsigned() -> Unsigned:
    return Unsigned("the request carries no signature")
