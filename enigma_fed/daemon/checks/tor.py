"""Checks of Tor: the program, its version, the extra lines, and how far a running agent has come."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from enigma_fed.daemon.checks.machine import numbers
from enigma_fed.daemon.checks.scene import Scene, failure, ok, warning
from enigma_fed.transports.tor.binary import default_cache, find_tor
from enigma_fed.transports.tor.status import TorPhase
from enigma_fed.wire.views import Finding

_PATIENCE: Final = 10.0
"""Seconds for `tor --version`."""
_OLDEST: Final = (0, 4, 7)


def program(scene: Scene) -> Iterator[Finding]:
    """The tor program and its version, or that Tor is off."""
    if scene.settings.tor.mode == "off":
        why = "No peer can reach this node, and it reaches none."
        yield warning("tor", "it is switched off", why, "Set tor.mode to managed.")
        return
    binary = find_tor(scene.settings.tor.binary or None, scene.environ, default_cache(scene.environ))
    version = _version(binary.path, binary.environment)
    if version is None:
        why = "Without it no peer can be reached."
        yield failure("tor", f"{binary.path} does not run", why, "Install it anew: sudo apt install tor")
    elif numbers(version) < _OLDEST:
        why = "Old versions lack repairs, some of them of security."
        fix = "Update it: sudo apt update && sudo apt install tor"
        yield warning("tor", f"{binary.path}, version {version}, is old", why, fix)
    else:
        yield ok("tor", f"{binary.path}, version {version}")


def _version(path: Path, environment: dict[str, str]) -> str | None:
    try:
        done = subprocess.run(
            [str(path), "--version"], env=environment, capture_output=True, timeout=_PATIENCE, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    first = done.stdout.decode("utf-8", "replace").partition("\n")[0]
    return first.removeprefix("Tor version ").rstrip(".").partition(" ")[0] or None


def progress(scene: Scene) -> Iterator[Finding]:
    """How far the running agent's Tor is."""
    tor = scene.status.tor if scene.status is not None else None
    if tor is None or tor.phase == TorPhase.OFF:
        return
    why = "Until it is ready, peers cannot reach this node."
    if tor.phase == TorPhase.FAILED:
        fix = f"See its log: tail {scene.paths.tor_dir / 'tor.log'}"
        yield failure("tor progress", f"it failed: {tor.reason or 'no reason given'}", why, fix)
    elif tor.phase != TorPhase.READY:
        detail = f"{tor.phase}, {tor.percent} %" + (f": {tor.reason}" if tor.reason else "")
        yield warning("tor progress", detail, why, "Wait a minute, then: enigma-fed status")
    else:
        yield ok("tor progress", "ready: this node reached itself through Tor")


def extra_lines(scene: Scene) -> Iterator[Finding]:
    """`tor.torrc_extra`: readable, and nothing that stays unnoticed."""
    extra = scene.settings.tor.torrc_extra
    if not extra:
        return
    if not os.access(extra, os.R_OK):
        why = "The agent does not start without it."
        yield failure("tor.torrc_extra", f"{extra} cannot be read", why, "Correct the path or take it out.")
    else:
        why = "They can switch off what protects this node."
        fix = "Take tor.torrc_extra out of the configuration unless you know why it is there."
        yield warning("tor.torrc_extra", f"lines of {extra} change how tor runs", why, fix)
