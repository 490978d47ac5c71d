"""How far Tor is, as one frozen value."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from enigma_fed.transports.tor.modes import TorMode


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
    """How often tor, or the connection to it, was started again since the agent's start."""
    mode: TorMode = TorMode.OFF
    """The mode that runs, never `auto`."""
    chosen: str = ""
    """Why it is that mode."""
    pow: bool | None = None
    """Whether callers must prove work while too many come; None when nobody can tell."""
    repairs: int = 0
    """How often something was done because the onion did not answer, since the agent's start."""
    last_repair: str = ""
    """What was done last, in plain words."""

    @property
    def ready(self) -> bool:
        """Whether peers can reach this node: published, and reached by itself through Tor."""
        return self.phase is TorPhase.READY
