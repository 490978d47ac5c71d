"""Subscribing to publishers that sign nothing, too much, or too fast."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import (
    UnsignedReply,
)
from enigma_fed.rpc.streamend import StreamEnd
from enigma_fed.wire import cbor
from enigma_fed.wire.snapshot import App
from enigma_fed.wire.state import full_state_to_object
from tests.support.publisher import (
    EPOCH,
    error,
    error_body,
    full,
    opening,
    state,
)
from tests.support.rawframes import BINARY, PING, PONG, TEXT, Peer, close, frame, switching
from tests.support.rpcserver import wire
from tests.support.signedcalls import key, onion
from tests.support.subscriber import Subscriber

Answer = Callable[[Peer], bytes]
CHALLENGE = "c" * limits.CHALLENGE_CHARACTERS


@pytest.fixture
async def subscriber() -> AsyncIterator[Subscriber]:
    async with wire() as wires:
        yield Subscriber(wires)


def unsigned_101(peer: Peer) -> bytes:
    return switching(peer.fields["sec-websocket-key"])


def another_key(peer: Peer) -> bytes:
    return opening(peer, key(3))


def another_request(peer: Peer) -> bytes:
    return opening(peer, of=f"fed=:{'A' * 86}==:")


def another_epoch(peer: Peer) -> bytes:
    return opening(peer, Federation_Epoch="ff" * 8)


def no_epoch(peer: Peer) -> bytes:
    return opening(peer, Federation_Epoch="")


def epoch_twice(peer: Peer) -> bytes:
    return opening(peer).replace(b"\r\n\r\n", b"\r\nFederation-Epoch: %s\r\n\r\n" % EPOCH.hex().encode())


def signed_as_a_call(peer: Peer) -> bytes:
    return error(peer, b"{}", 200, key(2)).replace(b"200 Whatever", b"101 Whatever")


def unsigned_refusal(peer: Peer) -> bytes:
    return error(peer, error_body("removed"))


def refusal_of_another(peer: Peer) -> bytes:
    return error(peer, error_body("removed"), 200, key(3))


def refusal_with_another_body(peer: Peer) -> bytes:
    return error(peer, error_body("unsigned"), 200, key(2)).replace(b"unsigned", b"replayed")


def redirect(peer: Peer) -> bytes:
    head = f"HTTP/1.1 307 Elsewhere\r\nLocation: http://{onion(3)}/rpc/v1/stream\r\nContent-Length: 0\r\n\r\n"
    return head.encode()


def bad_gateway(peer: Peer) -> bytes:
    return error(peer, b"<html>", 502)


@pytest.mark.parametrize(
    "answer",
    [
        unsigned_101,
        another_key,
        another_request,
        another_epoch,
        no_epoch,
        epoch_twice,
        signed_as_a_call,
        unsigned_refusal,
        refusal_of_another,
        refusal_with_another_body,
        redirect,
        bad_gateway,
    ],
    ids=lambda value: value.__name__,
)
async def test_invariant_11_no_stream_and_no_refusal_without_the_peers_signature_over_our_request(
    subscriber: Subscriber, answer: Answer
) -> None:
    async def play(peer: Peer) -> None:
        sent = answer(peer)
        await peer.send(sent + full(state(1)) if b" 101 " in sent else sent)
        await peer.reader.read(-1)

    assert isinstance(await subscriber.refused(play), UnsignedReply)
    assert subscriber.heard == 0
    assert subscriber.skews == []


async def test_invariant_7_a_refusal_is_read_up_to_4_kib(subscriber: Subscriber) -> None:
    """limits.UNSIGNED_REPLY_BYTES, also of one that is signed: an error fits."""

    async def play(peer: Peer) -> None:
        body = error_body("busy").ljust(limits.UNSIGNED_REPLY_BYTES + 1)
        await peer.send(error(peer, body, 200, key(2)))

    assert isinstance(await subscriber.refused(play), UnsignedReply)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (frame(TEXT, b"{}"), StreamEnd.NOT_BINARY),
        (frame(BINARY, b"\xff"), StreamEnd.MALFORMED),
        (frame(BINARY, b"\xa1iunchanged\xf5"), StreamEnd.MALFORMED),
        (frame(BINARY, b"", says=limits.REPLY_BYTES + 1), StreamEnd.TOO_LARGE),
        (close(4001), StreamEnd.REPLACED),
        (close(1001), StreamEnd.GOING_AWAY),
        (b"garbage that is no frame", StreamEnd.MALFORMED),
    ],
)
async def test_invariant_7_what_no_state_is_ends_a_stream(
    subscriber: Subscriber, sent: bytes, reason: StreamEnd
) -> None:
    ended = await subscriber.ended(full(state(1)), sent)
    assert ended.reason == reason
    assert subscriber.heard <= 2


@pytest.mark.parametrize(
    "flood", [full(state(1)), frame(PING), frame(PONG)], ids=["states", "pings", "pongs"]
)
async def test_invariant_7_messages_that_come_too_fast_end_a_stream(
    subscriber: Subscriber, flood: bytes
) -> None:
    """limits.STREAM_MESSAGES_BURST at once; then limits.STREAM_MESSAGES a second."""
    ended = await subscriber.ended(flood * (limits.STREAM_MESSAGES_BURST + 1))
    assert ended.reason == StreamEnd.TOO_FAST
    assert subscriber.heard == limits.STREAM_MESSAGES_BURST


async def test_invariant_7_more_bytes_than_states_need_end_a_stream(subscriber: Subscriber) -> None:
    """limits.STREAM_BYTES_BURST at once; then limits.STREAM_BYTES a second."""
    text = "x" * (limits.APP_FIELD_BYTES - 3)
    names = (f"{number:03}" for number in range(limits.APPS_PER_STATE))
    shown = state(1, apps=tuple(App(id=n + text, status=text, version=text) for n in names))
    size = len(cbor.encode(full_state_to_object(shown, binary=True)))
    fit = limits.STREAM_BYTES_BURST // size
    assert 1 < fit < limits.STREAM_MESSAGES_BURST
    ended = await subscriber.ended(full(shown) * (fit + 1))
    assert ended.reason == StreamEnd.TOO_FAST
    assert subscriber.heard == fit
