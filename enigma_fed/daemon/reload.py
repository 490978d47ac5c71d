"""Which settings a running agent can change, and which wait for its next start. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from enigma_fed import config
from enigma_fed.config import Settings

LIVE: Final = frozenset(
    {"log.level", "log.format", "federation.poll_interval", "federation.streams", "node.offline_windows"}
)
"""Keys that a running agent can change."""
TORRC_EXTRA: Final = "tor.torrc_extra"
"""One more, when the tor is its own."""


@dataclass(frozen=True, slots=True)
class Reload:
    """What a new configuration does to a running agent."""

    settings: Settings
    """What is in force afterwards."""
    changed: tuple[str, ...]
    """Keys that get a new value now."""
    waiting: tuple[str, ...]
    """Keys whose new value is taken at the next start."""

    @property
    def sentence(self) -> str:
        """For the log."""
        parts = [f"now in force: {', '.join(self.changed)}" if self.changed else "nothing changed"]
        if self.waiting:
            parts.append(f"waits for a restart: {', '.join(self.waiting)}")
        return f"the configuration was read again; {'; '.join(parts)}"


@dataclass(frozen=True, slots=True)
class Unsettled:
    """What of the newest configuration is not in force."""

    waiting: tuple[str, ...] = ()
    """Keys whose new value is taken at the next start."""
    refused: str = ""
    """Why the newest one cannot be used; empty when it can."""

    def warnings(self) -> list[str]:
        """Sentences for `status`."""
        told = []
        if self.refused:
            told.append(f"The changed configuration was refused, the old one is in force: {self.refused}.")
        if self.waiting:
            told.append(f"Changed settings wait for a restart of the agent: {', '.join(self.waiting)}.")
        return told


def plan(running: Settings, wanted: Settings, *, own_tor: bool) -> Reload:
    """Compare the settings in force with the wanted ones; `own_tor`: a tor of the agent's own runs."""
    live = LIVE | {TORRC_EXTRA} if own_tor else LIVE
    keys = [doc.key for doc in config.describe()]
    different = tuple(key for key in keys if running.value(key) != wanted.value(key))
    changed = tuple(key for key in different if key in live)
    settings = running
    for key in changed:
        settings = _with(settings, key, wanted.value(key))
    return Reload(settings, changed, tuple(key for key in different if key not in live))


def _with(settings: Settings, key: str, value: config.Value) -> Settings:
    section, _, name = key.partition(".")
    changes = {section: replace(getattr(settings, section), **{name: value})}
    return replace(settings, **changes)
