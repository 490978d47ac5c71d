"""The admin listener: health and metrics of this node for programs on this machine (invariant 10).

An aiohttp server of its own on a loopback port, with few connections of its own. No tor of ours leads to
it. What it tells, every user of this machine can read. A page besides the open ones will need the secret
of a session, which is then asked for in `Admin._handle` before the page is.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from aiohttp import HttpVersion11, web

from enigma_fed.base import limits
from enigma_fed.base.clock import Clock
from enigma_fed.base.errors import OperationFailed, PortInUse
from enigma_fed.base.tasks import Tasks
from enigma_fed.config import parse_listen
from enigma_fed.daemon.adminrules import METHODS, Names, Refusal, refusal
from enigma_fed.daemon.listeners import bind_loopback, shown_address
from enigma_fed.rpc.connections import BoundedServer
from enigma_fed.rpc.httpreply import SERVER_NAME
from enigma_fed.rpc.traffic import Traffic

_log = logging.getLogger(__name__)

_VERSION: Final = Refusal(400, "bad-request", "HTTP/1.1 is spoken here\n")
_LATE: Final = Refusal(503, "late", "no answer in time: the node or its disk hangs\n")
_HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Server": SERVER_NAME,
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
    }
)
"""On every answer: nothing is kept, guessed at, framed or read by a page of another origin."""


@dataclass(frozen=True, slots=True)
class Text:
    """What a page answers."""

    body: bytes
    content_type: str
    """With its charset."""
    status: int = 200


Page = Callable[[str], Awaitable[Text]]
"""Gets the field `Accept`."""


class Admin:
    """Serves open pages by their exact target; a port that is taken does not keep the agent from running."""

    def __init__(
        self,
        listen: str,
        pages: Mapping[str, Page],
        tasks: Tasks,
        clock: Clock,
        requests: Counter[str] | None = None,
    ) -> None:
        """`listen` is `ADDR:PORT` of the loopback, empty for none; `requests` becomes `statistics`."""
        self.listen = listen
        """The setting."""
        self._pages = dict(pages)
        self._targets = frozenset(pages)
        self._tasks = tasks
        self._clock = clock
        self._names = Names(frozenset())
        nobodys = Traffic(clock.boot)  # no peer calls here
        self._server = BoundedServer(self._handle, self._note, nobodys, limits.ADMIN_CONNECTIONS)
        self._runner = web.ServerRunner(self._server, shutdown_timeout=limits.DRAIN_TIMEOUT)
        self._trying: asyncio.Task[None] | None = None
        self.address: str | None = None
        """Where it really listens."""
        self.trouble = ""
        """Why it does not listen although it should, with the next step."""
        self.statistics: Counter[str] = Counter() if requests is None else requests
        """Requests by what became of them: `ok`, the word of a refusal, and those of BoundedServer."""

    @property
    def connections(self) -> int:
        """Connections that stand now."""
        return len(self._server.places)

    async def start(self) -> None:
        """Listen; while the port cannot be had, try again in the background."""
        if self.listen:
            await self._runner.setup()
            if not await self._try():
                _log.warning("no health and no metrics: %s", self.trouble)
                self._trying = self._tasks.start("admin listener", self._keep_trying())

    async def close(self) -> None:
        """Take no more connections and close everything."""
        if self._trying is not None:
            self._trying.cancel()
            await asyncio.wait({self._trying})
        await self._runner.cleanup()

    async def _keep_trying(self) -> None:
        while True:
            await self._clock.sleep(limits.ADMIN_RETRY)
            if await self._try():
                _log.info("health and metrics are served at %s now", self.address)
                return

    async def _try(self) -> bool:
        try:
            listening = bind_loopback(*parse_listen(self.listen), option="admin.listen")
        except (PortInUse, OperationFailed) as error:
            self.trouble = f"{error.what}: {error.detail}. {error.hint}".strip()
            return False
        await web.SockSite(self._runner, listening).start()
        self.address, self.trouble = shown_address(listening), ""
        self._names = Names.of(*listening.getsockname()[:2])
        return True

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        refused = refusal(request.headers, request.method, request.raw_path, self._targets, self._names)
        if request.version != HttpVersion11:
            refused = _VERSION
        if refused is not None:
            return self._refuse(refused)
        try:
            async with asyncio.timeout(limits.ADMIN_PATIENCE):
                text = await self._pages[request.raw_path](request.headers.get("Accept", ""))
        except TimeoutError:
            return self._refuse(_LATE)
        self._note("ok")
        return _response(text)

    def _refuse(self, refused: Refusal) -> web.Response:
        self._note(refused.word)
        response = _response(Text(refused.text.encode(), "text/plain; charset=utf-8", refused.status))
        if refused.word == "method":
            response.headers["Allow"] = ", ".join(METHODS)
        return response

    def _note(self, word: str) -> None:
        self.statistics[word] += 1


def _response(text: Text) -> web.Response:
    """One answer a connection: nobody holds one of the few for later."""
    headers = {**_HEADERS, "Content-Type": text.content_type}
    response = web.Response(status=text.status, body=text.body, headers=headers)
    response.force_close()
    return response
