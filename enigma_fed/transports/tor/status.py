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


class PublicPhase(enum.StrEnum):
    """Where the onion for strangers stands."""

    OFF = "off"
    """No service is published on it."""
    PUBLISHING = "publishing"
    READY = "ready"
    SILENT = "silent"
    """It does not answer this node, or tor does not take it; it is tried again."""


@dataclass(frozen=True, slots=True)
class PublicStatus:
    """How far the onion for strangers is; the one for peers does not depend on it."""

    phase: PublicPhase = PublicPhase.OFF
    reason: str = ""
    """In plain words; empty when nothing is wrong."""
    repairs: int = 0
    """How often something was done because it did not answer, since the agent's start."""
    last_repair: str = ""


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
    public: PublicStatus = PublicStatus()
    """The onion for strangers."""

    @property
    def ready(self) -> bool:
        """Whether peers can reach this node: published, and reached by itself through Tor."""
        return self.phase is TorPhase.READY
