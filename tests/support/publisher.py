"""A publisher of streams whose every byte a test decides."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from multidict import CIMultiDict

from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.identity.signing import verify
from enigma_fed.wire import cbor, httpsig, streamsig
from enigma_fed.wire.state import FullState, Snapshot, full_state_to_object, state_signing_input
from enigma_fed.wire.streamsig import StreamRequest
from tests.support.rawframes import BINARY, Peer, frame, playing, switching
from tests.support.rpcserver import Wire, raw_server
from tests.support.signedcalls import key, onion

EPOCH = bytes(range(8))
STARTED = 1_800_000_000
Play = Callable[[Peer], Awaitable[None]]


def state(seq: int = 1, signer: NodeKey | None = None, epoch: bytes = EPOCH, **fields: Any) -> FullState:
    """A state of key(2), or of another signer under its name."""
    snapshot = Snapshot(node_name="barn", uptime_secs=seq, **fields)
    unsigned = FullState(
        epoch=epoch, started=STARTED, seq=seq, ts=seq, snapshot=snapshot, signature=bytes(64)
    )
    message = state_signing_input(key(2).did.public_key, unsigned)
    return msgspec.structs.replace(unsigned, signature=(signer or key(2)).sign(message))


def full(shown: FullState) -> bytes:
    """The frame of a whole state."""
    return frame(BINARY, cbor.encode(full_state_to_object(shown, binary=True)))


def request_of(peer: Peer) -> StreamRequest:
    """What the subscriber asked; its signature must hold."""
    request = streamsig.read_request(CIMultiDict(peer.fields))
    signed = request.signed
    assert verify(key(1).did.public_key, signed.base, signed.signature)
    return request


def opening(
    peer: Peer,
    signer: NodeKey | None = None,
    *,
    of: str | None = None,
    epoch: bytes = EPOCH,
    created: int = STARTED,
    **more: str,
) -> bytes:
    """A signed 101; by `signer` instead of key(2), to another request's `Signature`, with other fields."""
    signer = signer or key(2)
    fields = streamsig.sign_opening(
        signer.sign,
        keyid=signer.did.url,
        epoch=epoch,
        request_signature=of or peer.fields["signature"],
        created=created,
    )
    names = {name.replace("-", "_"): value for name, value in fields.items()}
    return switching(peer.fields["sec-websocket-key"], **{**names, **more})


def error(peer: Peer, body: bytes, status: int = 200, signer: NodeKey | None = None) -> bytes:
    """An error reply in JSON; signed if there is a signer."""
    fields: dict[str, str] = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    if signer is not None:
        fields |= httpsig.sign_reply(
            signer.sign,
            keyid=signer.did.url,
            status=status,
            content_type="application/json",
            body=body,
            request_signature=peer.fields["signature"],
            created=STARTED,
        )
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Whatever\r\n{lines}\r\n".encode() + body


def error_body(word: str, challenge: str | None = None) -> bytes:
    """The body of an error, as section 9 of PROTOCOL has it."""
    more = f',"challenge":"{challenge}"' if challenge else ""
    return (
        f'{{"jsonrpc":"2.0","id":null,"error":{{"code":-32000,"message":"No","data":{{"code":"{word}"{more}}}}}}}'
    ).encode()


def publishing(*frames: bytes) -> Play:
    """Open properly, send these, and wait for the subscriber's end."""

    async def play(peer: Peer) -> None:
        request_of(peer)
        await peer.send(opening(peer))
        for each in frames:
            await peer.send(each)
        await peer.reader.read(-1)

    return play


@asynccontextmanager
async def served(wires: Wire, play: Play) -> AsyncIterator[None]:
    """This publisher stands behind onion(2)."""
    async with raw_server(playing(play)) as port:
        wires.resolver.ports[str(onion(2))] = port
        yield
