"""Signed requests by hand, and a gate with a manual clock to play them to."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from typing import Self

import msgspec
from multidict import CIMultiDict

from enigma_fed.base.errors import EnigmaError, WireError
from enigma_fed.base.ids import Did, OnionAddress
from enigma_fed.base.rpc_errors import (
    AwaitingApproval,
    Busy,
    NotAllowed,
    Removed,
    RpcError,
    Stale,
    UnknownPeer,
    UnknownToken,
    Unsigned,
)
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.rpc.builtin import package_install
from enigma_fed.rpc.challenge import Challenger
from enigma_fed.rpc.gate import Gate, in_start_window
from enigma_fed.rpc.methods import Caller, Method, MethodTable, Params, Standing
from enigma_fed.rpc.passage import Passage
from enigma_fed.wire import contentdigest, httpsig, jsonrpc
from enigma_fed.wire.jsonrpc import BodyForm
from enigma_fed.wire.records import TrustLevel
from tests.support.manualclock import ManualClock

_nonces = itertools.count()


def key(number: int) -> NodeKey:
    """A fixed key for each number."""
    return NodeKey(hashlib.sha256(b"test key %d" % number).digest())


def onion(number: int) -> OnionAddress:
    """A fixed onion address for each number."""
    return OnionAddress(key(1000 + number).did.public_key)


def fresh_nonce() -> str:
    """A nonce that no other call of this run has."""
    return f"nonce-{next(_nonces):016d}"


class Plain(msgspec.Struct, frozen=True):
    """Params or a result that are any object."""

    members: dict[str, object] = {}

    @classmethod
    def from_object(cls, obj: object, *, binary: bool) -> Self:
        if not isinstance(obj, dict) or "wrong" in obj:
            raise WireError("params are wrong")
        return cls(obj)

    def to_object(self, *, binary: bool) -> object:
        return self.members

    @property
    def token_hash(self) -> bytes:
        return hashlib.sha256(repr(self.members.get("token")).encode()).digest()


class FakeDoorkeeper:
    """Members, removed nodes and open tokens as plain sets; notes what it is asked."""

    def __init__(self, own: Did, members: Sequence[Did] = (), removed: Sequence[Did] = ()) -> None:
        self.own = own
        self.trust = dict.fromkeys(members, TrustLevel.OBSERVER)
        self.removed = set(removed)
        self.tokens: set[object] = set()
        self.legacy: set[Did] = set()
        self.tokenless_left: int | None = None
        """Joins without a token that may come; None while no invite for them is open."""
        self.log: list[str] = []

    def standing(self, did: Did) -> Standing:
        if did == self.own:
            return Standing.SELF
        if did in self.removed:
            return Standing.REMOVED
        return Standing.MEMBER if did in self.trust else Standing.UNKNOWN

    async def admit(self, did: Did, method: str | None, trust: TrustLevel | None) -> None:
        self.log.append(f"admit {method}")
        if did in self.removed:
            raise Removed
        if did not in self.trust:
            raise UnknownPeer
        if self.trust[did].rank < (trust or TrustLevel.OBSERVER).rank:
            raise NotAllowed

    def check_token(self, params: Params) -> None:
        assert isinstance(params, Plain)
        self.log.append("token")
        if params.members.get("token") not in self.tokens:
            raise UnknownToken

    def heard(self, did: Did) -> None:
        self.log.append("heard")

    def is_legacy(self, did: Did) -> bool:
        return did in self.legacy

    def admit_legacy(self, did: Did, trust: TrustLevel | None) -> None:
        if did in self.removed:
            raise Removed
        if did not in self.legacy:
            raise Unsigned
        if trust is not None and self.trust[did].rank < trust.rank:
            raise NotAllowed

    def awaits_tokenless(self) -> bool:
        return self.tokenless_left is not None

    def check_tokenless(self) -> None:
        if not self.tokenless_left:
            raise Busy
        self.tokenless_left -= 1


def methods(log: list[str] | None = None) -> MethodTable:
    """`federation.get-state`, `federation.peer-joined`, `package.install` and `test.trusted`."""
    calls = log if log is not None else []

    async def answer(caller: Caller, params: Plain) -> Plain:
        calls.append(f"{caller.standing.value} {params.members}")
        return params

    return MethodTable(
        [
            Method("federation.get-state", Plain, answer, TrustLevel.OBSERVER, open_to_self=True),
            Method("federation.peer-joined", Plain, answer, open_to_unknown=True),
            Method("test.trusted", Plain, answer, TrustLevel.TRUSTED),
            package_install(),
        ]
    )


class Joiner(Plain, frozen=True):
    """Params of a join without a token."""

    @property
    def did(self) -> Did:
        return Did.parse(str(self.members.get("did")))


def legacy_methods(log: list[str] | None = None) -> list[Method]:
    """What the Rust agent's own requests reach: `federation.get-state` and `federation.peer-joined`."""
    calls = log if log is not None else []

    async def keep(caller: Caller, params: Joiner) -> Plain:
        calls.append(f"tokenless {params.members}")
        raise AwaitingApproval

    get_state = methods(log).find("federation.get-state")
    assert get_state is not None
    return [get_state, Method("federation.peer-joined", Joiner, keep, open_to_unknown=True)]


def legacy_fields(sender: NodeKey, timestamp: str) -> CIMultiDict[str]:
    """The header fields of the Rust agent's call."""
    return CIMultiDict(
        {
            "Content-Type": "application/json",
            "X-Federation-DID": str(sender.did),
            "X-Federation-Sig": sender.sign(timestamp.encode()).hex(),
            "X-Federation-Timestamp": timestamp,
        }
    )


def call_body(
    method: str = "federation.get-state",
    params: dict[str, object] | None = None,
    form: BodyForm = BodyForm.JSON,
) -> bytes:
    """The body of a call with id 1."""
    return jsonrpc.encode_call(form, method, params or {}, 1)


def signed_fields(
    sender: NodeKey,
    receiver: Did,
    body: bytes,
    created: float,
    *,
    nonce: str | None = None,
    challenge: str | None = None,
    form: BodyForm = BodyForm.JSON,
) -> CIMultiDict[str]:
    """The header fields of a call that our own client would send."""
    fields = httpsig.sign_request(
        sender.sign,
        keyid=sender.did.url,
        audience=str(receiver),
        content_type=form.value,
        digest=contentdigest.of(body),
        created=int(created),
        nonce=nonce or fresh_nonce(),
        challenge=challenge,
    )
    return CIMultiDict({httpsig.CONTENT_TYPE: form.value, **fields})


def signed_reply(signer: NodeKey, body: bytes, request_signature: str) -> dict[str, str]:
    """The header fields of a reply with status 200 to the request with this `Signature`."""
    fields = httpsig.sign_reply(
        signer.sign,
        keyid=signer.did.url,
        status=200,
        content_type=BodyForm.JSON.value,
        body=body,
        request_signature=request_signature,
        created=1_800_000_000,
    )
    return {httpsig.CONTENT_TYPE: BodyForm.JSON.value, **fields}


class Receiver:
    """One node's gate; `play` gives the word of the answer, and `passage` what it was made from."""

    def __init__(self, own: NodeKey, doorkeeper: FakeDoorkeeper, clock: ManualClock) -> None:
        self.own = own
        self.doorkeeper = doorkeeper
        self.clock = clock
        self.starts = 0
        self.passage = Passage(BodyForm.JSON)
        self.error: EnigmaError | None = None
        self.restart()

    def restart(self) -> None:
        """A new start of the agent: an empty replay table, a new challenge key, a new window."""
        self.starts += 1
        started = self.clock.boot()
        self.gate = Gate(
            self.own.did,
            methods(),
            self.doorkeeper,
            Challenger(hashlib.sha256(b"start %d" % self.starts).digest()),
            lambda boot: in_start_window(boot, started),
            MethodTable(legacy_methods()),
        )

    def play(self, fields: CIMultiDict[str], body: bytes, form: BodyForm = BodyForm.JSON) -> str:
        """`passes`, or the word of the error."""
        self.passage = Passage(form)
        self.error = None
        try:
            self.gate.examine(self.passage, fields, body, wall=self.clock.wall(), boot=self.clock.boot())
        except (RpcError, WireError) as error:
            self.error = error
            return error.code
        return self.passage.broken.code if self.passage.broken is not None else "passes"

    @property
    def challenge(self) -> str:
        """The challenge of the last answer."""
        assert isinstance(self.error, Stale)
        return self.error.challenge
