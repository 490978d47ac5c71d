"""Requests for streams by hand, and the keys of their handshakes."""

from __future__ import annotations

import base64
import hashlib
import itertools

from multidict import CIMultiDict

from enigma_fed.base.errors import WireError
from enigma_fed.base.ids import Did
from enigma_fed.base.rpc_errors import RpcError
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.rpc.passage import Passage
from enigma_fed.wire import streamsig
from enigma_fed.wire.jsonrpc import BodyForm
from enigma_fed.wire.state import Have
from tests.support.signedcalls import Receiver, fresh_nonce

_keys = itertools.count()


def handshake_key(number: int) -> str:
    """A fixed `Sec-WebSocket-Key` for each number."""
    return base64.b64encode(hashlib.sha256(b"handshake %d" % number).digest()[:16]).decode()


def stream_fields(
    sender: NodeKey,
    receiver: Did,
    created: float,
    *,
    nonce: str | None = None,
    challenge: str | None = None,
    have: Have | None = None,
    key: str | None = None,
) -> CIMultiDict[str]:
    """The header fields of a stream's request as our own subscriber sends it."""
    key = key or handshake_key(next(_keys))
    signed = streamsig.sign_request(
        sender.sign,
        keyid=sender.did.url,
        audience=str(receiver),
        key=key,
        have=have,
        created=int(created),
        nonce=nonce or fresh_nonce(),
        challenge=challenge,
    )
    asked = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    return CIMultiDict({**asked, "Sec-WebSocket-Key": key, **signed})


def play_stream(node: Receiver, fields: CIMultiDict[str]) -> str:
    """`passes`, or the word of the gate's error."""
    node.passage = Passage(BodyForm.JSON)
    node.error = None
    clock = node.clock
    try:
        node.gate.examine_stream(node.passage, fields, wall=clock.wall(), boot=clock.boot())
    except (RpcError, WireError) as error:
        node.error = error
        return error.code
    return "passes"
