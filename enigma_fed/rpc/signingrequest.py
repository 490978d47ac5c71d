"""An aiohttp request that is signed when its connection stands (PROTOCOL section 1).

A connection to an onion can take longer than a signature lives, so the headers are made at
the last moment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from aiohttp import ClientHandlerType, ClientMiddlewareType, ClientRequest, ClientResponse
from aiohttp.connector import Connection

from enigma_fed.transports.replybounds import BoundedReplies
from enigma_fed.transports.wrapped import Tally

_USED: Final = "enigma_fed_used"

Signer = Callable[[bool], Mapping[str, str]]
"""Gets whether the connection was used before; returns the header fields to add."""


class SigningRequest(ClientRequest):
    """The request class of sessions for RpcClient; a request that was not armed is sent as it is."""

    signer: Signer | None = None
    tally: Tally | None = None

    async def send(self, conn: Connection) -> ClientResponse:
        """Sign, then send on a connection that stands."""
        if isinstance(conn.protocol, BoundedReplies):
            conn.protocol.bytes.tie(self.tally)
        if self.signer is not None:
            used = getattr(conn.protocol, _USED, False)
            setattr(conn.protocol, _USED, True)
            self.headers.update(self.signer(used))
        return await super().send(conn)


def arm(signer: Signer, tally: Tally | None = None) -> ClientMiddlewareType:
    """A middleware for one call that arms its request; raises TypeError on a session of another class.

    `tally` counts the bytes of the connection from then on.
    """

    async def middleware(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        if not isinstance(request, SigningRequest):
            raise TypeError("the session was not made with request_class=SigningRequest")
        request.signer = signer
        request.tally = tally
        return await handler(request)

    return middleware
