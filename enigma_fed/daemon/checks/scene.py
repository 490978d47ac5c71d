"""What every check of the doctor looks at, and how it says what it found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from enigma_fed.base.errors import ConfigError
from enigma_fed.config import Settings
from enigma_fed.daemon.paths import Paths
from enigma_fed.wire.views import Finding, InviteView, PeerView, StatusView


@dataclass(frozen=True, slots=True)
class Scene:
    """One node as the doctor sees it; nothing in it changes while the checks run."""

    paths: Paths
    settings: Settings
    environ: Mapping[str, str] = field(default_factory=dict)
    now: float = 0.0
    """Unix time."""
    config_error: ConfigError | None = None
    """Why the configuration cannot be used; then `settings` are the defaults."""
    status: StatusView | None = None
    """None when neither an agent nor the files could say."""
    peers: tuple[PeerView, ...] = ()
    invites: tuple[InviteView, ...] = ()

    @property
    def runs(self) -> bool:
        """Whether an agent on this data folder answered."""
        return self.status is not None and self.status.running


Check: TypeAlias = Callable[[Scene], Iterator[Finding]]
"""Looks at one thing; raises EnigmaError or OSError when it cannot even look."""


def ok(check: str, detail: str) -> Finding:
    """All is well."""
    return Finding(check=check, result="ok", detail=detail)


def warning(check: str, detail: str, why: str, fix: str) -> Finding:
    """It works, but not as well or as safely as it could."""
    return Finding(check=check, result="warning", detail=detail, why=why, fix=fix)


def failure(check: str, detail: str, why: str, fix: str) -> Finding:
    """Something does not work or is not safe."""
    return Finding(check=check, result="failure", detail=detail, why=why, fix=fix)


def existing(path: Path) -> Path:
    """The path, or the nearest folder above it that is there."""
    return next((each for each in (path, *path.parents) if each.exists()), Path("/"))


def count(number: int, word: str) -> str:
    """`1 peer`, `2 peers`."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def size(number: int) -> str:
    """Bytes as whole KiB, MiB or GiB."""
    for power, unit in ((30, "GiB"), (20, "MiB")):
        if number >= 10 * 2**power or (power == 20 and number >= 2**power):
            return f"{number // 2**power} {unit}"
    return f"{number // 2**10} KiB"
