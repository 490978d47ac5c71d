"""Calling a peer's methods: signed requests, replies that must be signed in turn (PROTOCOL section 1)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from enigma_fed.base import limits
from enigma_fed.base.clock import Clock
from enigma_fed.base.errors import PeerUnreachable, RefusedByPeer, UnsignedReply, WireError
from enigma_fed.base.ids import Did, OnionAddress
from enigma_fed.base.rpc_errors import WORDS, Refused, Replayed, Stale, Unsigned
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.identity.signing import verify
from enigma_fed.rpc import rules
from enigma_fed.rpc.signingrequest import SigningRequest, arm
from enigma_fed.rpc.traffic import Traffic
from enigma_fed.wire import base64url, contentdigest, httpsig, jsonrpc
from enigma_fed.wire.httpsig import SignedReply
from enigma_fed.wire.jsonrpc import BodyForm, Outcome

__all__ = ["Reply", "RpcClient", "SigningRequest", "ToObject", "UnsignedReply"]

T = TypeVar("T")

_CALL_ID: Final = 1
"""One call a request, and the reply is bound to it by its signature: the id needs not vary."""
_AGAIN: Final = "Unless it is paused, it is tried again by itself. See: enigma-fed peer show PEER"
_NONCE_BYTES: Final = 16
_TIMEOUT: Final = aiohttp.ClientTimeout(
    total=None, sock_connect=limits.CONNECT_TIMEOUT, sock_read=limits.READ_TIMEOUT
)
_AUTOMATIC: Final = ("User-Agent", "Accept", "Accept-Encoding")
"""Headers that aiohttp would add, and that would only tell strangers what runs here."""


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
        self._explain = explain or _explain
        self._unanswered = unanswered
        self._skewed = skewed
        self._traffic = traffic or Traffic(clock.boot)
        self._open: dict[Did, set[_Exchange]] = {}
        # By peer: its clock less our boot clock, at its newest signed answer.
        self._clocks: dict[Did, float] = {}

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

        Raises PeerUnreachable (nobody answered, or not in our format), UnsignedReply (an answer
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
                with self._tracked(exchange):
                    answer = await self._converse(exchange)
        except PeerUnreachable as error:
            self._unanswered(onion)
            error.hint = error.hint or _AGAIN
            raise
        except TimeoutError:
            self._unanswered(onion)
            if exchange.cut:
                raise PeerUnreachable("it was removed here") from None
            raise PeerUnreachable(f"no answer within {timeout:.0f} seconds", hint=_AGAIN) from None
        return _settle(exchange, answer, read)

    def cut(self, did: Did) -> None:
        """End every call to this DID; their callers get PeerUnreachable (invariant 6)."""
        now = asyncio.get_running_loop().time()
        for exchange in self._open.get(did, ()):
            exchange.cut = True
            exchange.scope.reschedule(now)

    @contextmanager
    def _tracked(self, exchange: _Exchange) -> Iterator[None]:
        calls = self._open.setdefault(exchange.did, set())
        calls.add(exchange)
        try:
            yield
        finally:
            calls.discard(exchange)
            if not calls and self._open.get(exchange.did) is calls:
                del self._open[exchange.did]

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
            skip_auto_headers=_AUTOMATIC,
            allow_redirects=False,
            auto_decompress=False,
            timeout=_TIMEOUT,
            middlewares=(arm(lambda used: self._sign(exchange, used), account),),
        ) as response:
            signed = _check_reply(exchange, response.status, response.headers)
            body = await _read_body(response, exchange.reply_limit if signed else limits.UNSIGNED_REPLY_BYTES)
        answer = self._read_answer(exchange, response.status, _bound_to(body, signed), body)
        if answer.signed is not None:
            self._clocks[exchange.did] = answer.signed.created - exchange.sent_boot - answer.latency_s / 2
            self._skewed(exchange.did, answer.skew_s)
        return answer

    def _sign(self, exchange: _Exchange, used: bool) -> dict[str, str]:
        exchange.reused = used
        exchange.sent_wall, exchange.sent_boot = self._clock.wall(), self._clock.boot()
        theirs = self._clocks.get(exchange.did)
        created = rules.created_at(
            exchange.sent_wall, None if theirs is None else exchange.sent_boot + theirs
        )
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


async def _read_body(response: aiohttp.ClientResponse, limit: int) -> bytes | None:
    """The body; None when it is larger than `limit` or compressed."""
    if "Content-Encoding" in response.headers:
        response.close()
        return None
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > limit:
            response.close()
            return None
    return bytes(body)


def _check_reply(exchange: _Exchange, status: int, headers: CIMultiDictProxy[str]) -> SignedReply | None:
    """The reply's signature, if it is the peer's and bound to this request: known before the body is read."""
    try:
        signed = httpsig.read_reply(
            headers,
            status=status,
            content_type=exchange.form.value,
            request_signature=exchange.signature_field,
        )
    except (Unsigned, WireError):
        return None
    if signed.keyid != exchange.did.url:
        return None
    return signed if verify(exchange.did.public_key, signed.base, signed.signature) else None


def _bound_to(body: bytes | None, signed: SignedReply | None) -> SignedReply | None:
    """The signature, if it covers this body: nothing large is decoded before that (invariants 7 and 11)."""
    if signed is None or body is None or not contentdigest.matches(signed.digest, body):
        return None
    return signed


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
        claimed = outcome.error if outcome is not None and outcome.error is not None else ""
        raise UnsignedReply(_describe(answer.status, claimed), hint=_AGAIN, claimed_code=claimed)
    if outcome is None:
        raise PeerUnreachable("its answer breaks the format", hint=_AGAIN)
    if outcome.error is not None:
        raise _refusal(exchange, outcome, answer.skew_s)
    try:
        result = read(outcome.result)
    except WireError as error:
        raise PeerUnreachable(f"its answer breaks the format: {error.detail}", hint=_AGAIN) from None
    return Reply(result, answer.latency_s, answer.skew_s)


def _refusal(exchange: _Exchange, outcome: Outcome, skew_s: int) -> PeerUnreachable | RefusedByPeer:
    code = outcome.error or ""
    if exchange.sent_again and code == Replayed.code:
        return PeerUnreachable("the connection broke before its answer came", hint=_AGAIN)
    message = "".join(c for c in outcome.message if c.isprintable())[: limits.ERROR_CHARACTERS]
    if code == Stale.code and abs(skew_s) > limits.FRESHNESS_WINDOW:
        message = f"{message} (its clock is {skew_s:+d} s from ours)"
    # A word that is not of the protocol must not pass for one of this program's own.
    return RefusedByPeer(code if code in WORDS else Refused.code, message)


def _describe(status: int, claimed: str) -> str:
    said = f"it says {claimed}" if claimed else f"HTTP status {status}"
    return f"an answer came without its signature ({said})"


def _explain(error: BaseException) -> str:
    """Plain words for a connection without Tor."""
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "no connection could be made"
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError):
        return "the connection was closed before an answer came"
    return "its answer could not be read"
