"""Calling a peer's methods: signed requests, replies that must be signed in turn (PROTOCOL section 1)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

import aiohttp
from yarl import URL

from enigma_fed.base import limits
from enigma_fed.base.clock import Clock
from enigma_fed.base.errors import AnswerBroken, PeerUnreachable, UnsignedReply, WireError
from enigma_fed.base.ids import Did, OnionAddress
from enigma_fed.base.rpc_errors import Stale
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.rpc import answers
from enigma_fed.rpc.peerclocks import PeerClocks
from enigma_fed.rpc.signingrequest import SigningRequest, arm
from enigma_fed.rpc.traffic import Traffic
from enigma_fed.rpc.underway import UnderWay
from enigma_fed.wire import base64url, contentdigest, httpsig, jsonrpc
from enigma_fed.wire.httpsig import SignedReply
from enigma_fed.wire.jsonrpc import BodyForm, Outcome

__all__ = ["Reply", "RpcClient", "SigningRequest", "ToObject", "UnsignedReply"]

T = TypeVar("T")
U = TypeVar("U")

_CALL_ID: Final = 1
"""One call a request, and the reply is bound to it by its signature: the id needs not vary."""
_NONCE_BYTES: Final = 16
_TIMEOUT: Final = aiohttp.ClientTimeout(
    total=None, sock_connect=limits.CONNECT_TIMEOUT, sock_read=limits.READ_TIMEOUT
)


class ToObject(Protocol):
    """The params of a call."""

    def to_object(self, *, binary: bool) -> object:
        """Plain values, with bytes where `binary` (CBOR) allows them."""
        ...


@dataclass(frozen=True, slots=True)
class Reply(Generic[T]):
    """A signed result."""

    result: T
    latency_s: float
    """From sending to the end of the reply, the connection set-up apart."""
    skew_s: int
    """The peer's clock less ours."""

    def about(self, result: U) -> Reply[U]:
        """The same reply with another result: a part of it, or what it means."""
        return Reply(result, self.latency_s, self.skew_s)


@dataclass(slots=True, eq=False)
class _Exchange:
    """One call under way: what is sent again when it is challenged, and what the reply is bound to."""

    did: Did
    url: URL
    form: BodyForm
    body: bytes
    digest: str
    nonce: str
    reply_limit: int
    scope: asyncio.Timeout
    challenge: str | None = None
    signature_field: str = ""
    created: int = 0
    sent_wall: float = 0.0
    sent_boot: float = 0.0
    reused: bool = False
    sent_again: bool = False
    cut: bool = False

    def end(self) -> None:
        """End it at once: its caller gets PeerUnreachable."""
        self.cut = True
        if not self.scope.expired():
            self.scope.reschedule(asyncio.get_running_loop().time())


@dataclass(frozen=True, slots=True)
class _Answer:
    """A reply as far as it could be read; `signed` only if its signature holds for this request."""

    status: int
    outcome: Outcome | None
    signed: SignedReply | None
    latency_s: float
    skew_s: int


class RpcClient:
    """Calls peers over one session of the agent, whose request class is SigningRequest."""

    def __init__(
        self,
        key: NodeKey,
        session: aiohttp.ClientSession,
        clock: Clock,
        random: Callable[[int], bytes],
        explain: Callable[[BaseException], str] | None = None,
        unanswered: Callable[[OnionAddress], None] = lambda onion: None,
        skewed: Callable[[Did, int], None] = lambda did, seconds: None,
        traffic: Traffic | None = None,
    ) -> None:
        """`random` gives secret random bytes; `explain` puts a failed connection into plain words.

        `unanswered` hears of each call that ended without any answer, `skewed` of the peer's clock
        less ours, in seconds, at each signed answer: refusals and challenges included; `traffic`
        counts the bytes of each peer.
        """
        self._key = key
        self._keyid = key.did.url
        self._session = session
        self._clock = clock
        self._random = random
        self._explain = explain or answers.explain
        self._unanswered = unanswered
        self._skewed = skewed
        self._traffic = traffic or Traffic(clock.boot)
        self._under_way = UnderWay()
        self.clocks = PeerClocks()
        """What the signed answers said of the peers' clocks."""

    async def call(
        self,
        did: Did,
        onion: OnionAddress,
        method: str,
        params: ToObject,
        read: Callable[[object], T],
        *,
        form: BodyForm = BodyForm.JSON,
        reply_limit: int = limits.REPLY_BYTES,
        timeout: float = limits.CALL_TIMEOUT,  # noqa: ASYNC109 - the whole call, its retries included
    ) -> Reply[T]:
        """Call `method` at a peer and read its signed result with `read` (which may raise WireError).

        Raises PeerUnreachable (nobody answered; AnswerBroken: not in our format), UnsignedReply (an answer
        that proves nothing) and RefusedByPeer (a signed error). A challenge is answered once.
        A reply of more than `reply_limit` bytes proves nothing either.
        """
        body = jsonrpc.encode_call(form, method, params.to_object(binary=form.binary), _CALL_ID)
        scope = asyncio.timeout(timeout)
        exchange = _Exchange(
            did=did,
            url=URL.build(scheme="http", host=str(onion), path=httpsig.PATH, encoded=True),
            form=form,
            body=body,
            digest=contentdigest.of(body),
            nonce=base64url.encode(self._random(_NONCE_BYTES)),
            reply_limit=reply_limit,
            scope=scope,
        )
        try:
            async with scope:
                with self._under_way.track(did, exchange.end):
                    answer = await self._converse(exchange)
        except PeerUnreachable as error:
            self._unanswered(onion)
            error.hint = error.hint or answers.AGAIN
            raise
        except TimeoutError:
            self._unanswered(onion)
            if exchange.cut:
                raise PeerUnreachable("it was removed here") from None
            raise PeerUnreachable(f"no answer within {timeout:.0f} seconds", hint=answers.AGAIN) from None
        return _settle(exchange, answer, read)

    def cut(self, did: Did) -> None:
        """End every call to this DID; their callers get PeerUnreachable (invariant 6)."""
        self._under_way.cut(did)

    async def _converse(self, exchange: _Exchange) -> _Answer:
        """Send, and once more if the peer asks for a challenge: same nonce and body, new `created`."""
        answer = await self._send(exchange)
        outcome = answer.outcome
        if outcome is None or outcome.error != Stale.code or outcome.challenge is None:
            return answer
        if not httpsig.is_challenge(outcome.challenge):
            return answer
        exchange.challenge = outcome.challenge
        return await self._send(exchange)

    async def _send(self, exchange: _Exchange) -> _Answer:
        """Send; once more when a kept connection turns out to be closed (same nonce: run at most once)."""
        try:
            return await self._attempt(exchange)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            if not exchange.reused or exchange.sent_again:
                raise PeerUnreachable(self._explain(error)) from error
        except (aiohttp.ClientError, OSError) as error:
            raise PeerUnreachable(self._explain(error)) from error
        exchange.sent_again = True
        return await self._send(exchange)

    async def _attempt(self, exchange: _Exchange) -> _Answer:
        exchange.reused = False
        account = self._traffic.account(exchange.did.public_key)
        async with self._session.post(
            exchange.url,
            data=exchange.body,
            headers={httpsig.CONTENT_TYPE: exchange.form.value},
            skip_auto_headers=answers.AUTOMATIC,
            allow_redirects=False,
            auto_decompress=False,
            timeout=_TIMEOUT,
            middlewares=(arm(lambda used: self._sign(exchange, used), account),),
        ) as response:
            signed = answers.check_reply(
                exchange.did,
                response.status,
                response.headers,
                exchange.form.value,
                exchange.signature_field,
            )
            limit = exchange.reply_limit if signed else limits.UNSIGNED_REPLY_BYTES
            body = await answers.read_body(response, limit)
        answer = self._read_answer(exchange, response.status, answers.bound_to(body, signed), body)
        if answer.signed is not None:
            self.clocks.note(exchange.did, answer.signed.created, exchange.sent_boot, answer.latency_s)
            self._skewed(exchange.did, answer.skew_s)
        return answer

    def _sign(self, exchange: _Exchange, used: bool) -> dict[str, str]:
        exchange.reused = used
        exchange.sent_wall, exchange.sent_boot = self._clock.wall(), self._clock.boot()
        created = self.clocks.created_at(exchange.did, exchange.sent_wall, exchange.sent_boot)
        # Never before the first try, which has the same nonce: the receiver must hear how far that is ahead.
        exchange.created = max(exchange.created, created)
        fields = httpsig.sign_request(
            self._key.sign,
            keyid=self._keyid,
            audience=str(exchange.did),
            content_type=exchange.form.value,
            digest=exchange.digest,
            created=exchange.created,
            nonce=exchange.nonce,
            challenge=exchange.challenge,
        )
        exchange.signature_field = fields[httpsig.SIGNATURE]
        return fields

    def _read_answer(
        self, exchange: _Exchange, status: int, signed: SignedReply | None, body: bytes | None
    ) -> _Answer:
        now = self._clock.wall()
        if signed is None and body is not None and len(body) > limits.UNSIGNED_REPLY_BYTES:
            body = None
        return _Answer(
            status=status,
            outcome=_read_outcome(exchange.form, body),
            signed=signed,
            latency_s=self._clock.boot() - exchange.sent_boot,
            skew_s=round(signed.created - (exchange.sent_wall + now) / 2) if signed else 0,
        )


def _read_outcome(form: BodyForm, body: bytes | None) -> Outcome | None:
    if body is None:
        return None
    try:
        return jsonrpc.decode_outcome(form, body, _CALL_ID)
    except WireError:
        return None


def _settle(exchange: _Exchange, answer: _Answer, read: Callable[[object], T]) -> Reply[T]:
    """The result of a signed answer; everything else is an error."""
    outcome = answer.outcome
    if answer.signed is None:
        raise answers.unsigned(answer.status, outcome)
    if outcome is None:
        raise AnswerBroken("its answer breaks the format", hint=answers.AGAIN)
    if outcome.error is not None:
        raise answers.refusal(outcome, answer.skew_s, sent_again=exchange.sent_again)
    try:
        result = read(outcome.result)
    except WireError as error:
        raise AnswerBroken(f"its answer breaks the format: {error.detail}", hint=answers.AGAIN) from None
    return Reply(result, answer.latency_s, answer.skew_s)
