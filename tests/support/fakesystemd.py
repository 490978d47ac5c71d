"""A systemd that remembers what it was told."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from enigma_fed.daemon.systemctl import Systemd

ACTIVE = {"LoadState": "loaded", "ActiveState": "active", "SubState": "running", "Result": "success"}
ABSENT = {"LoadState": "not-found", "ActiveState": "inactive"}


@dataclass
class FakeSystemd:
    """Answers `systemctl` from memory; `failing` words make a call fail with that complaint."""

    shown: dict[str, str] = field(default_factory=lambda: dict(ACTIVE))
    failing: dict[str, str] = field(default_factory=dict)
    version: int = 252
    linger: str = "no"
    calls: list[tuple[str, ...]] = field(default_factory=list)

    def __call__(self, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
        self.calls.append(tuple(words))
        for word, complaint in self.failing.items():
            if word in words:
                return subprocess.CompletedProcess(words, 1, "", complaint)
        return subprocess.CompletedProcess(words, 0, self._answer(words), "")

    def _answer(self, words: Sequence[str]) -> str:
        if "show" in words:
            return "".join(f"{name}={value}\n" for name, value in self.shown.items())
        if "--version" in words:
            return f"systemd {self.version} ({self.version}.1-1)\n+PAM\n"
        return f"{self.linger}\n" if words[0] == "loginctl" else ""

    def said(self, scope: str, booted: Path) -> Systemd:
        """It, as the program sees it."""
        return Systemd(scope, self, booted)

    @property
    def orders(self) -> list[str]:
        """What changes something, as typed."""
        asking = {"show", "--version", "show-user"}
        return [" ".join(words) for words in self.calls if not asking.intersection(words)]
