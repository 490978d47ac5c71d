"""Calls to systemctl, journalctl and their like."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from enigma_fed.base.errors import OperationFailed, WireError
from enigma_fed.daemon.unitfiles import UNIT
from enigma_fed.wire import unitstate
from enigma_fed.wire.unitstate import UnitState

Run = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]
_BOOTED: Final = Path("/run/systemd/system")
_PATIENCE: Final = 150.0
"""Seconds for one call: a start waits for READY=1, at most TimeoutStartSec of the unit."""
_ELSE: Final = "Start the agent with what runs services here; `enigma-fed run` stays in the foreground."


def run_program(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a program to its end and take its output; raises OperationFailed when it hangs or is missing."""
    try:
        return subprocess.run(words, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except FileNotFoundError:
        raise OperationFailed(f"there is no program {words[0]}", hint=_ELSE) from None
    except subprocess.TimeoutExpired:
        raise OperationFailed(f"{' '.join(words)} does not end") from None


class Systemd:
    """One systemd: that of the machine, or that of a user."""

    def __init__(self, scope: str, run: Run = run_program, booted: Path = _BOOTED) -> None:
        """`scope` is system or user."""
        self.scope = scope
        self._run = run
        self._booted = booted

    def require(self) -> None:
        """Raise OperationFailed where systemd does not run this machine."""
        if not self._booted.is_dir() or shutil.which("systemctl") is None:
            raise OperationFailed("systemd does not run this machine", hint=_ELSE)

    @property
    def systemctl(self) -> tuple[str, ...]:
        """The start of a command line."""
        return ("systemctl", "--user") if self.scope == "user" else ("systemctl",)

    @property
    def typed(self) -> str:
        """The start of a command as a person types it."""
        return "systemctl --user" if self.scope == "user" else "sudo systemctl"

    def run(self, words: Sequence[str]) -> str:
        """Run a program; its output. Raises OperationFailed with what it complained of."""
        done = self._run(words)
        if done.returncode:
            said = " ".join((done.stderr or done.stdout).split())
            raise OperationFailed(f"{' '.join(words)}: {said or f'exit code {done.returncode}'}")
        return done.stdout

    def version(self) -> int:
        """The version's first number; 0 when it is not told."""
        word = self._run(("systemctl", "--version")).stdout.partition("\n")[0].split()[1:2]
        return int(word[0]) if word and word[0].isdecimal() else 0

    def state(self) -> UnitState:
        """How our unit is; raises OperationFailed."""
        wanted = f"--property={','.join(unitstate.PROPERTIES)}"
        text = self.run((*self.systemctl, "show", "--timestamp=unix", wanted, UNIT))
        try:
            return unitstate.decode(text, UNIT, self.scope)
        except WireError as error:
            raise OperationFailed(error.detail) from None

    def journal(self, lines: int, *, follow: bool, json: bool) -> tuple[str, ...]:
        """The command line that shows the service's lines."""
        unit = "--user-unit" if self.scope == "user" else "--unit"
        form = "json" if json else "short-iso"
        words = ("journalctl", f"{unit}={UNIT}", f"--lines={lines}", f"--output={form}", "--no-pager")
        return (*words, "--follow") if follow else words
