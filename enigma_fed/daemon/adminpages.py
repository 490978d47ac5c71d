"""The pages of the admin listener over the parts of a running node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from enigma_fed.base.clock import Clock
from enigma_fed.base.log import redact
from enigma_fed.base.tasks import Tasks
from enigma_fed.daemon import readiness
from enigma_fed.daemon.admin import Admin, Page, Text
from enigma_fed.daemon.clockstate import ClockState
from enigma_fed.daemon.diskroom import DiskRoom
from enigma_fed.daemon.readiness import Facts
from enigma_fed.federation.service import Federation
from enigma_fed.transports.tor.status import TorStatus
from enigma_fed.wire.adminviews import HealthView, encode
from enigma_fed.wire.views import View

_PLAIN: Final = "text/plain; charset=utf-8"
_JSON: Final = "application/json"
_UNAVAILABLE: Final = 503


@dataclass(frozen=True, slots=True)
class Parts:
    """What the pages look at; nothing of it is changed."""

    clock: Clock
    started: float
    """On the boot clock."""
    tasks: Tasks
    tor: Callable[[], TorStatus]
    federation: Federation
    clock_state: ClockState
    data_dir: Path


def make_admin(listen: str, parts: Parts) -> Admin:
    """The listener with its pages."""
    return Admin(listen, AdminPages(parts).pages(), parts.tasks, parts.clock)


class AdminPages:
    """`/healthz` and `/readyz`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._disk = DiskRoom(parts.data_dir, parts.tasks)

    def pages(self) -> Mapping[str, Page]:
        """By exact target."""
        return {"/healthz": self.health, "/readyz": self.ready}

    async def health(self, accept: str) -> Text:
        """Alive: the loop runs, or this would not; the stores are open for as long as the listener is."""
        uptime = round(self._parts.clock.boot() - self._parts.started, 1)
        return _text(accept, HealthView(alive=True, uptime_s=uptime), "alive\n")

    async def ready(self, accept: str) -> Text:
        """Ready or not, and why not."""
        parts = self._parts
        store, tor = parts.federation.store, parts.tor()
        view = readiness.examine(
            Facts(
                tor=replace(tor, reason=redact(tor.reason)),
                suspended=tuple(parts.federation.suspended()),
                unwritable=store.trouble is not None,
                room=await self._disk.look(),
                clock_behind=parts.clock_state.behind,
            )
        )
        return _text(accept, view, readiness.to_text(view), 200 if view.ready else _UNAVAILABLE)


def _text(accept: str, view: View, plain: str, status: int = 200) -> Text:
    """JSON for whoever asks for it, words for everyone else."""
    if _JSON in accept.lower():
        return Text(encode(view), _JSON, status)
    return Text(plain.encode("utf-8"), _PLAIN, status)
