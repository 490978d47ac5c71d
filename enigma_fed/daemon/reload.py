"""Which settings a running agent can change, and which wait for its next start. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from enigma_fed import config
from enigma_fed.config import Settings, registrysection
from enigma_fed.registry.tables import AgentTables

LIVE: Final = frozenset(
    {"log.level", "log.format", "federation.poll_interval", "federation.streams", "node.offline_windows"}
)
"""Keys that a running agent can change."""
TORRC_EXTRA: Final = "tor.torrc_extra"
"""One more, when the tor is its own."""
REGISTRY_FIXED: Final = frozenset(
    f"registry.{name}"
    for name in ("enabled", "listen", "mode", "onion", "onion_listen", "storage.kind", "storage.path")
)
"""Of `[registry]`, what waits for a restart; the rest is taken over by a registry that is hosted."""


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
    keys = [doc.key for doc in config.describe()]
    live = LIVE | {TORRC_EXTRA} if own_tor else LIVE
    if running.registry.enabled:
        live |= {key for key in keys if _is_registrys(key) and key not in REGISTRY_FIXED}
    different = tuple(key for key in keys if running.value(key) != wanted.value(key))
    changed = tuple(key for key in different if key in live)
    settings = replace(running, registry=_registry(running, wanted, frozenset(changed)))
    for key in changed:
        if not _is_registrys(key):
            settings = _with(settings, key, wanted.value(key))
    return Reload(settings, changed, tuple(key for key in different if key not in live))


def _with(settings: Settings, key: str, value: config.Value) -> Settings:
    section, _, name = key.partition(".")
    changes = {section: replace(getattr(settings, section), **{name: value})}
    return replace(settings, **changes)


def _registry(running: Settings, wanted: Settings, changed: frozenset[str]) -> AgentTables:
    """The running registry's tables with the changed keys of the wanted ones."""
    if not any(map(_is_registrys, changed)):
        return running.registry
    keys = [doc.key for doc in config.describe() if _is_registrys(doc.key)]
    values = {key: (wanted if key in changed else running).value(key) for key in keys}
    return registrysection.build({key: value for key, value in values.items() if value is not None})


def _is_registrys(key: str) -> bool:
    return key.startswith(f"{registrysection.SECTION}.")
