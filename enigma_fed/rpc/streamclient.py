"""The subscriber's end of a stream of states: a signed request, a signed 101, frames (PROTOCOL section 3).

What a frame holds is decoded here and believed elsewhere (state/receiving.py).
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

import aiohttp
from yarl import URL

from enigma_fed.base import limits
from enigma_fed.base.clock import Clock
from enigma_fed.base.errors import (
    PeerUnreachable,
    StreamEnded,
    StreamNotOffered,
    UnsignedReply,
    WireError,
)
from enigma_fed.base.ids import Did, OnionAddress
from enigma_fed.base.ratelimit import TokenBucket
from enigma_fed.base.rpc_errors import MethodNotFound, Stale, Unsigned
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.rpc import answers
from enigma_fed.rpc.peerclocks import PeerClocks
from enigma_fed.rpc.signingrequest import arm
from enigma_fed.rpc.streamend import StreamEnd
from enigma_fed.rpc.traffic import Traffic
from enigma_fed.rpc.underway import UnderWay
from enigma_fed.rpc.websocket import WebSocket, check_upgrade, upgrade_fields
from enigma_fed.wire import base64url, httpsig, jsonrpc, stream, streamsig
from enigma_fed.wire.jsonrpc import BodyForm, Outcome
from enigma_fed.wire.state import Have, StateAnswer
from enigma_fed.wire.stream import CloseCode

_RANDOM_BYTES: Final = 16
_ANY_CALL: Final = 0
"""Errors of a stream's request have no id."""
_TIMEOUT: Final = aiohttp.ClientTimeout(
    total=None, sock_connect=limits.CONNECT_TIMEOUT, sock_read=limits.READ_TIMEOUT
)
_LOOK: Final = 5.0
"""Seconds between two looks at which streams need a ping, or are over."""
_NOT_SPOKEN: Final = frozenset({400, 404, 405})
"""What a peer answers, unsigned, that knows no streams."""
_FAULTS: Final = frozenset(
    {StreamEnd.TOO_LARGE, StreamEnd.TOO_FAST, StreamEnd.NOT_BINARY, StreamEnd.MALFORMED}
)


@dataclass(slots=True, eq=False)
class _Opening:
    """One stream from its request to its end: what is sent again when it is challenged, what a cut ends."""

    did: Did
    url: URL
    have: Have | None
    key: str
    nonce: str
    scope: asyncio.Timeout
    challenge: str | None = None
    signature_field: str = ""
    created: int = 0
    sent_wall: float = 0.0
    sent_boot: float = 0.0
    reused: bool = False
    sent_again: bool = False
    cut: bool = False
    socket: WebSocket | None = None

    def end(self) -> None:
        """End it at once."""
        self.cut = True
        if self.socket is not None:
            self.socket.abort(StreamEnd.CUT)
        elif not self.scope.expired():
            self.scope.reschedule(asyncio.get_running_loop().time())


class PeerStream:
    """A stream that stands."""

    def __init__(
        self, socket: WebSocket, epoch: bytes, clock: Clock, ping: float, heard: Callable[[], None]
    ) -> None:
        """`epoch` is what the signed 101 named; `ping` is in seconds; `heard` is called at every message."""
        self.epoch = epoch
        """8 bytes: the only epoch that frames may be of."""
        self._socket = socket
        self._clock = clock
        self._ping = ping
        self._heard = heard
        self._since = self._heard_at = self._pinged_at = clock.boot()
        self._pace = TokenBucket(limits.STREAM_MESSAGES, limits.STREAM_MESSAGES_BURST)
        self._volume = TokenBucket(limits.STREAM_BYTES, limits.STREAM_BYTES_BURST)

    async def frame(self) -> StateAnswer:
        """The next frame, its signature unchecked; raises StreamEnded."""
        while True:
            message = await self._socket.receive()
            self._heard_at = self._clock.boot()
            size = len(message.data or b"")
            if not self._pace.take(self._heard_at):
                raise StreamEnded(StreamEnd.TOO_FAST)
            if not self._volume.take(self._heard_at, size):
                raise StreamEnded(StreamEnd.TOO_FAST)
            self._heard()
            if message.data is not None:
                return _decode(message.data)

    async def acknowledge(self, seq: int) -> None:
        """Tell that everything up to this state was taken; raises StreamEnded."""
        await self._socket.send(stream.encode_ack(seq))

    async def look(self, now: float) -> float:
        """Ping, and end the stream when nothing comes any more or its time is over; `now` is the boot clock.

        Seconds until the next look.
        """
        over = self._since + limits.STREAM_LIFE + limits.STREAM_SILENCE - now
        silent = self._heard_at + limits.STREAM_SILENCE - now
        if silent <= 0 or over <= 0:
            self._socket.abort(StreamEnd.SILENT if silent <= 0 else StreamEnd.TIME_OVER)
            return _LOOK
        if now + _LOOK > self._pinged_at + self._ping:
            self._pinged_at = now
            with suppress(StreamEnded):  # whoever reads is told
                await self._socket.ping()
        return min(_LOOK, silent, over)


class StreamClient:
    """Opens streams at peers over the agent's session, whose request class is SigningRequest."""

    def __init__(
        self,
        key: NodeKey,
        session: aiohttp.ClientSession,
        clock: Clock,
        random: Callable[[int], bytes],
        clocks: PeerClocks,
        explain: Callable[[BaseException], str] = answers.explain,
        unanswered: Callable[[OnionAddress], None] = lambda onion: None,
        skewed: Callable[[Did, int], None] = lambda did, seconds: None,
        traffic: Traffic | None = None,
    ) -> None:
        """Everything as for RpcClient; `clocks` is its own, so that both know the same of peers."""
        self._key = key
        self._session = session
        self._clock = clock
        self._random = random
        self._clocks = clocks
        self._explain = explain
        self._unanswered = unanswered
        self._skewed = skewed
        self._traffic = traffic or Traffic(clock.boot)
        self._under_way = UnderWay()
        self._standing: set[PeerStream] = set()
        self._watching: asyncio.Task[None] | None = None

    def cut(self, did: Did) -> None:
        """End every stream of this DID, also one that is being opened (invariant 6)."""
        self._under_way.cut(did)

    @asynccontextmanager
    async def open(
        self,
        did: Did,
        onion: OnionAddress,
        have: Have | None,
        *,
        ping: float = limits.STREAM_PING,
        heard: Callable[[], None] = lambda: None,
    ) -> AsyncIterator[PeerStream]:
        """A stream from the state `have` on; `ping` is in seconds, `heard` is called at every message.

        Raises PeerUnreachable, UnsignedReply (an answer that proves nothing), RefusedByPeer (a signed
        error), StreamNotOffered. A challenge is answered once.
        """
        opening = _Opening(
            did=did,
            url=URL.build(scheme="http", host=str(onion), path=streamsig.PATH, encoded=True),
            have=have,
            key=base64.b64encode(self._random(_RANDOM_BYTES)).decode("ascii"),
            nonce=base64url.encode(self._random(_RANDOM_BYTES)),
            scope=asyncio.timeout(limits.CALL_TIMEOUT),
        )
        with self._under_way.track(did, opening.end):
            socket, epoch = await self._opened(opening, onion)
            made = PeerStream(socket, epoch, self._clock, ping, heard)
            self._watch(made)
            code = CloseCode.DONE
            try:
                yield made
            except StreamEnded as error:
                code = CloseCode.POLICY if error.reason in _FAULTS else code
                raise
            finally:
                self._standing.discard(made)
                await socket.close(code)
                await self._stop_watching()

    def _watch(self, stream: PeerStream) -> None:
        """One task looks after all streams."""
        self._standing.add(stream)
        if self._watching is None:
            self._watching = asyncio.create_task(self._look(), name="streams watch")

    async def _look(self) -> None:
        while True:
            now = self._clock.boot()
            waits = [await stream.look(now) for stream in tuple(self._standing)]
            await self._clock.sleep(min(waits, default=_LOOK))

    async def _stop_watching(self) -> None:
        """Once no stream stands any more."""
        watching = self._watching
        if watching is not None and not self._standing:
            self._watching = None
            watching.cancel()
            await asyncio.wait({watching})

    async def _opened(self, opening: _Opening, onion: OnionAddress) -> tuple[WebSocket, bytes]:
        try:
            async with opening.scope:
                return await self._converse(opening)
        except PeerUnreachable as error:
            if not isinstance(error, UnsignedReply | StreamNotOffered):
                self._unanswered(onion)
            error.hint = error.hint or answers.AGAIN
            raise
        except TimeoutError:
            if opening.cut:
                raise StreamEnded(StreamEnd.CUT) from None
            self._unanswered(onion)
            why = f"no answer within {limits.CALL_TIMEOUT} seconds"
            raise PeerUnreachable(why, hint=answers.AGAIN) from None

    async def _converse(self, opening: _Opening) -> tuple[WebSocket, bytes]:
        """Ask, and once more if the peer asks for a challenge: same nonce and key, new `created`."""
        answer = await self._send(opening)
        if isinstance(answer, Outcome):
            assert answer.challenge is not None
            opening.challenge = answer.challenge
            answer = await self._send(opening)
        if isinstance(answer, Outcome):
            raise answers.refusal(answer, 0, sent_again=opening.sent_again)
        return answer

    async def _send(self, opening: _Opening) -> tuple[WebSocket, bytes] | Outcome:
        """Send; once more when a kept connection turns out to be closed (same nonce: taken at most once)."""
        try:
            return await self._attempt(opening)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            if not opening.reused or opening.sent_again:
                raise PeerUnreachable(self._explain(error)) from error
        except (aiohttp.ClientError, OSError) as error:
            raise PeerUnreachable(self._explain(error)) from error
        opening.sent_again = True
        return await self._send(opening)

    async def _attempt(self, opening: _Opening) -> tuple[WebSocket, bytes] | Outcome:
        """The stream, or the error that is a challenge; raises what any other answer means."""
        opening.reused = False
        account = self._traffic.account(opening.did.public_key)
        response = await self._session.get(
            opening.url,
            headers=upgrade_fields(opening.key),
            skip_auto_headers=answers.AUTOMATIC,
            allow_redirects=False,
            auto_decompress=False,
            read_until_eof=False,
            timeout=_TIMEOUT,
            middlewares=(arm(lambda used: self._sign(opening, used), account),),
        )
        try:
            if response.status == streamsig.SWITCHING_PROTOCOLS:
                return self._accept(opening, response)
            return await self._read_refusal(opening, response)
        except BaseException:
            response.close()
            raise

    def _sign(self, opening: _Opening, used: bool) -> dict[str, str]:
        opening.reused = used
        opening.sent_wall, opening.sent_boot = self._clock.wall(), self._clock.boot()
        created = self._clocks.created_at(opening.did, opening.sent_wall, opening.sent_boot)
        # Never before the first try, which has the same nonce: the receiver must hear how far that is ahead.
        opening.created = max(opening.created, created)
        fields = streamsig.sign_request(
            self._key.sign,
            keyid=self._key.did.url,
            audience=str(opening.did),
            key=opening.key,
            have=opening.have,
            created=opening.created,
            nonce=opening.nonce,
            challenge=opening.challenge,
        )
        opening.signature_field = fields[httpsig.SIGNATURE]
        return fields

    def _accept(self, opening: _Opening, response: aiohttp.ClientResponse) -> tuple[WebSocket, bytes]:
        """The WebSocket behind a 101, once it is known that the peer signed it for this very request."""
        try:
            begun = streamsig.read_opening(response.headers, request_signature=opening.signature_field)
        except (Unsigned, WireError):
            raise answers.unsigned(response.status, None) from None
        if not answers.is_of(opening.did, begun.signed):
            raise answers.unsigned(response.status, None)
        self._note(opening, begun.signed.created)
        connection = response.connection
        try:
            check_upgrade(response, opening.key)
        except WireError as error:
            raise PeerUnreachable(f"its answer breaks the format: {error.detail}") from None
        if connection is None or connection.protocol is None:
            raise PeerUnreachable("the connection was closed before an answer came")
        opening.socket = WebSocket(response, connection.protocol)
        return opening.socket, begun.epoch

    async def _read_refusal(self, opening: _Opening, response: aiohttp.ClientResponse) -> Outcome:
        """The challenge of an error reply; raises what any other one means."""
        form, status = BodyForm.JSON, response.status
        signed = answers.check_reply(
            opening.did, status, response.headers, form.value, opening.signature_field
        )
        body = await answers.read_body(response, limits.UNSIGNED_REPLY_BYTES)
        response.release()
        signed, outcome = answers.bound_to(body, signed), _read_error(form, body)
        skew = self._note(opening, signed.created) if signed is not None else 0
        if outcome is not None and _is_challenge(outcome) and opening.challenge is None:
            return outcome
        if signed is None:
            if status in _NOT_SPOKEN:
                raise StreamNotOffered(f"HTTP status {status}")
            raise answers.unsigned(status, outcome)
        if outcome is None:
            raise PeerUnreachable("its answer breaks the format")
        if outcome.error == MethodNotFound.code:
            raise StreamNotOffered(outcome.error)
        raise answers.refusal(outcome, skew, sent_again=opening.sent_again)

    def _note(self, opening: _Opening, created: int) -> int:
        """Remember what a signed answer says of the peer's clock: it less ours, in seconds."""
        latency = self._clock.boot() - opening.sent_boot
        self._clocks.note(opening.did, created, opening.sent_boot, latency)
        skew = round(created - (opening.sent_wall + self._clock.wall()) / 2)
        self._skewed(opening.did, skew)
        return skew


def _decode(data: bytes) -> StateAnswer:
    try:
        return stream.decode_frame(data)
    except WireError as error:
        raise StreamEnded(StreamEnd.MALFORMED, f"a frame breaks the format: {error.detail}") from None


def _read_error(form: BodyForm, body: bytes | None) -> Outcome | None:
    try:
        outcome = None if body is None else jsonrpc.decode_outcome(form, body, _ANY_CALL)
    except WireError:
        return None
    return outcome if outcome is not None and outcome.error is not None else None


def _is_challenge(outcome: Outcome) -> bool:
    challenge = outcome.challenge
    return outcome.error == Stale.code and challenge is not None and httpsig.is_challenge(challenge)
