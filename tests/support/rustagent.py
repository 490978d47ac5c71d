"""A tiny imitation of the Rust agent, written from its source: what it sends, what it reads of the answer."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import aiohttp

from enigma_fed.identity.nodekey import NodeKey
from tests.support.manualclock import ManualClock


class RustAgent:
    """Joins, polls and asks for installs as that agent does: no RFC 9421, no token, no id."""

    def __init__(self, key: NodeKey, onion: str, session: aiohttp.ClientSession, clock: ManualClock) -> None:
        self.did = str(key.did)
        self.pubkey = key.did.public_key.hex()
        self.onion = onion
        self.sent: list[dict[str, str]] = []
        """The header fields of each signed call."""
        self._key = key
        self._session = session
        self._clock = clock

    async def accept_invite(self, code: str) -> None:
        """Parse the code, ignore what it does not know, and tell the inviter; the answer is not read."""
        encoded = code.removeprefix("fed1:")
        said = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
        assert len(said["token"]) == 32
        await self.notify_join(said["onion"])

    async def notify_join(self, target: str, **changes: str) -> dict[str, Any]:
        """`federation.peer-joined` as it sends it."""
        message = f"peer-joined:{self.did}:{self.onion}:{self.pubkey}"
        params = {
            "did": self.did,
            "onion": self.onion,
            "pubkey": self.pubkey,
            "signature": self._key.sign(message.encode()).hex(),
        }
        body = {"method": "federation.peer-joined", "params": {**params, **changes}}
        return await self._post(target, body, {})

    async def sync(self, onion: str) -> dict[str, Any]:
        """The state of a peer, or an AssertionError with the reply."""
        reply = await self.poll(onion)
        assert "result" in reply, reply
        state = reply["result"]
        assert isinstance(state, dict)
        return state

    async def poll(self, onion: str, method: str = "federation.get-state") -> dict[str, Any]:
        """The whole reply to a call with its header set."""
        seconds = int(self._clock.wall())
        timestamp = _rfc3339(seconds, len(self.sent))
        signed = {
            "X-Federation-DID": self.did,
            "X-Federation-Sig": self._key.sign(timestamp.encode()).hex(),
            "X-Federation-Timestamp": timestamp,
        }
        self.sent.append(signed)
        return await self._post(onion, {"method": method, "params": {}}, signed)

    async def _post(self, onion: str, body: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
        return await post(self._session, onion, body, headers)


async def post(
    session: aiohttp.ClientSession, onion: str, body: dict[str, Any], headers: dict[str, str]
) -> dict[str, Any]:
    """One such call by whoever has the header fields; the reply must be unsigned."""
    host = onion if onion.endswith(".onion") else f"{onion}.onion"
    # A connection of its own: a kept one is cut when the caller's rights change.
    alone = {**headers, "Connection": "close"}
    async with session.post(f"http://{host}/rpc/v1", json=body, headers=alone) as response:
        assert "Signature" not in response.headers
        reply: dict[str, Any] = json.loads(await response.read())
        return reply


def _rfc3339(seconds: int, nanoseconds: int) -> str:
    at = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{at}.{nanoseconds:09d}+00:00"
