"""A member made by hand that keeps every request it sent, to play it again later and elsewhere."""

from __future__ import annotations

from typing import NamedTuple

import aiohttp
from multidict import CIMultiDict

from enigma_fed.base.ids import Did
from enigma_fed.federation.client import GET_STATE, PEER_JOINED
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.wire import invite, jsonrpc
from enigma_fed.wire.join import JoinParams, joining_message
from enigma_fed.wire.jsonrpc import BodyForm
from tests.support.signedcalls import call_body, fresh_nonce, onion, signed_fields


class Captured(NamedTuple):
    """A request as it went over the wire."""

    fields: CIMultiDict[str]
    body: bytes


class Captor:
    """Calls a node on a loopback port as the member with this key; `sent` is all that went out."""

    def __init__(self, session: aiohttp.ClientSession, key: NodeKey, target: Did, address: str) -> None:
        self._session = session
        self._key = key
        self._target = target
        self.address = address
        self.sent: list[Captured] = []

    async def join(self, code: str, now: float) -> str:
        """Join by the code, a challenge answered."""
        here = onion(1)
        params = JoinParams(
            did=self._key.did,
            onion=here,
            token=invite.decode(code).token,
            signature=self._key.sign(joining_message(self._key.did, here)),
        ).to_object(binary=False)
        assert isinstance(params, dict)
        return await self.call(now, PEER_JOINED, params)

    async def call(self, now: float, method: str = GET_STATE, params: dict[str, object] | None = None) -> str:
        """The word of the answer, `ok` for a result; a challenge is answered once."""
        body, nonce = call_body(method, params), fresh_nonce()
        fields = signed_fields(self._key, self._target, body, now, nonce=nonce)
        outcome = await self._send(Captured(fields, body))
        if outcome.challenge is not None:
            again = signed_fields(
                self._key, self._target, body, now, nonce=nonce, challenge=outcome.challenge
            )
            outcome = await self._send(Captured(again, body))
        return outcome.error or "ok"

    async def play(self, captured: Captured, **more: str) -> str:
        """The word of the answer to a request of before, with fields added."""
        fields = CIMultiDict(captured.fields)
        fields.extend({name.replace("_", "-"): value for name, value in more.items()})
        return (await self.post(Captured(fields, captured.body))).error or "ok"

    async def post(self, captured: Captured) -> jsonrpc.Outcome:
        """Send as it is."""
        url = f"http://{self.address}/rpc/v1"
        async with self._session.post(url, data=captured.body, headers=captured.fields) as response:
            return jsonrpc.decode_outcome(BodyForm.JSON, await response.read(), 1)

    async def _send(self, captured: Captured) -> jsonrpc.Outcome:
        self.sent.append(captured)
        return await self.post(captured)
