"""The pages of the admin listener over the parts of a running node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from enigma_fed.base.log import redact
from enigma_fed.daemon import readiness
from enigma_fed.daemon.admin import Admin, Page, Text
from enigma_fed.daemon.adminparts import Parts
from enigma_fed.daemon.diskroom import DiskRoom
from enigma_fed.daemon.metrics import Metrics
from enigma_fed.daemon.metricstext import Form
from enigma_fed.daemon.readiness import Facts
from enigma_fed.wire.adminviews import HealthView, ReadinessView, encode
from enigma_fed.wire.views import View

_PLAIN: Final = "text/plain; charset=utf-8"
_JSON: Final = "application/json"
_UNAVAILABLE: Final = 503


def make_admin(listen: str, parts: Parts) -> Admin:
    """The listener with its pages."""
    requests: Counter[str] = Counter()
    return Admin(listen, AdminPages(parts, requests).pages(), parts.tasks, parts.clock, requests)


class AdminPages:
    """`/healthz`, `/readyz` and `/metrics`."""

    def __init__(self, parts: Parts, requests: Counter[str]) -> None:
        """`requests` to the listener, by what became of them."""
        self._parts = parts
        self._disk = DiskRoom(parts.data_dir, parts.tasks)
        self._metrics = Metrics(parts, self._disk, self.readiness, requests)

    def pages(self) -> Mapping[str, Page]:
        """By exact target."""
        return {"/healthz": self.health, "/readyz": self.ready, "/metrics": self.metrics}

    async def health(self, accept: str) -> Text:
        """Alive: the loop runs, or this would not; the stores are open for as long as the listener is."""
        uptime = round(self._parts.clock.boot() - self._parts.started, 1)
        return _text(accept, HealthView(alive=True, uptime_s=uptime), "alive\n")

    async def ready(self, accept: str) -> Text:
        """Ready or not, and why not."""
        view = await self.readiness()
        return _text(accept, view, readiness.to_text(view), 200 if view.ready else _UNAVAILABLE)

    async def metrics(self, accept: str) -> Text:
        """Every metric, in the text format that is asked for."""
        form = Form.wanted(accept)
        return Text(await self._metrics.text(form), form.value)

    async def readiness(self) -> ReadinessView:
        """Whether the node lacks anything now."""
        parts = self._parts
        store, tor = parts.federation.store, parts.tor()
        return readiness.examine(
            Facts(
                tor=replace(tor, reason=redact(tor.reason)),
                suspended=tuple(parts.federation.suspended()),
                unwritable=store.trouble is not None,
                room=await self._disk.look(),
                clock_behind=parts.clock_state.behind,
            )
        )


def _text(accept: str, view: View, plain: str, status: int = 200) -> Text:
    """JSON for whoever asks for it, words for everyone else."""
    if _JSON in accept.lower():
        return Text(encode(view), _JSON, status)
    return Text(plain.encode("utf-8"), _PLAIN, status)
