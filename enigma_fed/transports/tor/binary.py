"""Finding the tor program, and what it can do."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from enigma_fed.base import limits
from enigma_fed.base.errors import TorMissing

_SYSTEM_FOLDERS: Final = (Path("/usr/sbin"), Path("/usr/bin"))
_HINT: Final = (
    "On Debian, Ubuntu and Raspberry Pi OS `sudo apt install tor` installs it, and `make setup` does so too; "
    "elsewhere install the package named tor, or set tor.binary in the configuration."
)


@dataclass(frozen=True, slots=True)
class TorBinary:
    """A tor program, and the folder of its libraries when it was unpacked without being installed."""

    path: Path
    library_path: Path | None = None

    @property
    def gencert(self) -> Path:
        """The program tor-gencert of the same package: beside tor, or where Debian puts it, in `bin`."""
        beside = self.path.with_name("tor-gencert")
        return beside if beside.exists() else self.path.parent.with_name("bin") / "tor-gencert"

    @property
    def environment(self) -> dict[str, str]:
        """The whole environment that the program gets: nothing of ours is handed down."""
        plain = {"PATH": os.defpath, "LC_ALL": "C"}
        return plain if self.library_path is None else {**plain, "LD_LIBRARY_PATH": str(self.library_path)}


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a tor program says about itself."""

    version: str
    """Such as `0.4.9.11`; empty when it does not run."""
    pow: bool
    """Whether it was built with proof of work."""


def ask_abilities(binary: TorBinary) -> Abilities:
    """Ask a tor program for its version and modules; nothing is started. Blocks for some milliseconds."""
    version = _version(_output(binary, "--version"))
    return Abilities(version, bool(version) and "pow: yes" in _output(binary, "--list-modules").splitlines())


def _output(binary: TorBinary, flag: str) -> str:
    try:
        done = subprocess.run(
            [str(binary.path), flag],
            env=binary.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limits.TOR_PROGRAM_PATIENCE,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace")


def _version(output: str) -> str:
    first = output.partition("\n")[0]
    word = "Tor version "
    return first.removeprefix(word).partition(" ")[0].rstrip(".") if first.startswith(word) else ""


def default_cache(environ: Mapping[str, str]) -> Path:
    """Where `make setup` unpacks tor when it may not install it: a folder of the user's cache."""
    base = environ.get("XDG_CACHE_HOME") or str(Path(environ.get("HOME", "/")) / ".cache")
    return Path(base) / "enigma-fed" / "tor"


def find_tor(configured: str | None, environ: Mapping[str, str], cache_dir: Path) -> TorBinary:
    """The tor to use: the configured one, else from PATH, the system's folders, the set-up's cache.

    Raises TorMissing; a configured path that does not work is never replaced by another.
    """
    if configured:
        path = Path(configured).expanduser()
        if not _usable(path):
            raise TorMissing(f"tor.binary names {path}, which is no program", hint=_HINT)
        return TorBinary(path)
    for candidate in _candidates(environ, cache_dir):
        if _usable(candidate.path):
            return candidate
    raise TorMissing("it is neither in PATH nor in /usr/sbin or /usr/bin", hint=_HINT)


def _candidates(environ: Mapping[str, str], cache_dir: Path) -> Iterator[TorBinary]:
    found = shutil.which("tor", path=environ.get("PATH", os.defpath))
    if found:
        yield TorBinary(Path(found).absolute())
    for folder in _SYSTEM_FOLDERS:
        yield TorBinary(folder / "tor")
    yield TorBinary(cache_dir / "usr/bin/tor", _cached_libraries(cache_dir))


def _cached_libraries(cache_dir: Path) -> Path | None:
    return next((cache_dir / "usr/lib").glob("*-linux-gnu*"), None)


def _usable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
