"""How far Tor is, as one frozen value."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class TorPhase(enum.StrEnum):
    """Where Tor stands on its way to `ready`."""

    OFF = "off"
    STARTING = "starting"
    BOOTSTRAPPING = "bootstrapping"
    PUBLISHING = "publishing"
    PROBING = "probing"
    READY = "ready"
    FAILED = "failed"
    """Tor ended or did not start; it is started again after a pause."""


@dataclass(frozen=True, slots=True)
class TorStatus:
    """How far Tor is, and why it does not get on."""

    phase: TorPhase
    percent: int = 0
    """Tor's own measure of its start."""
    tag: str = ""
    summary: str = ""
    reason: str = ""
    """In plain words; empty when nothing is wrong."""
    version: str = ""
    pid: int | None = None
    restarts: int = 0
    """How often tor was started again since the agent's start."""

    @property
    def ready(self) -> bool:
        """Whether peers can reach this node: published, and reached by itself through Tor."""
        return self.phase is TorPhase.READY
