"""What the admin listener answers in JSON, as typed values."""

from __future__ import annotations

import msgspec

from enigma_fed.wire.views import View


class HealthView(View, frozen=True, kw_only=True):
    """`/healthz`: whoever reads it knows that the loop runs; the stores are open."""

    alive: bool
    uptime_s: float


class ReasonView(View, frozen=True, kw_only=True):
    """Why the node is not ready."""

    code: str
    """A word that stays the same."""
    why: str
    next: str
    """What to do."""


class ReadinessView(View, frozen=True, kw_only=True):
    """`/readyz`."""

    ready: bool
    reasons: list[ReasonView]


def encode(view: View) -> bytes:
    """As JSON, with a newline at its end."""
    return msgspec.json.encode(view) + b"\n"
