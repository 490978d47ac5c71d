"""Where a node's files and sockets are (docs/FILES.md): one value, made from flags and environment."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from enigma_fed.base import limits
from enigma_fed.base.errors import LooseModes, UsageError

SYSTEM_DATA_DIR: Final = Path("/var/lib/enigma-fed")
SYSTEM_RUNTIME_DIR: Final = Path("/run/enigma-fed")
SYSTEM_CONFIG: Final = Path("/etc/enigma-fed/config.toml")
SYSTEM_CONTROL_SOCKET: Final = SYSTEM_RUNTIME_DIR / "agent.sock"
AS_THE_SERVICE: Final = f"sudo -u enigma-fed enigma-fed --data-dir {SYSTEM_DATA_DIR}"
"""How a person begins a command that has to read the files of the machine's service."""
_NAME: Final = "enigma-fed"
# Longest name that a socket of ours has inside the runtime folder, with its slash.
_SOCKET_NAME_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Paths:
    """A node's folders; nothing is created by making this value."""

    data_dir: Path
    config: Path | None
    """The configuration file; None when there is none."""
    runtime_dir: Path
    """Folder of the Unix sockets, shared by the nodes of one user."""
    explicit: bool = True
    """Whether the user named the data folder (flag or environment)."""
    credentials_dir: Path | None = None
    """Where systemd put the service's keys, if it got some (docs/FILES.md)."""

    @property
    def id(self) -> str:
        """16 hex digits of the data folder's path; keeps sockets of several nodes apart."""
        return hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:16]

    @property
    def is_system(self) -> bool:
        """Whether this is the machine's service and not a user's own node."""
        return self.data_dir == SYSTEM_DATA_DIR

    @property
    def node_key(self) -> Path:
        """The node's key; its being there makes the folder a node."""
        return self.data_dir / "identity" / "node.key"

    @property
    def did_file(self) -> Path:
        """Whose folder this is, when the node's key is a credential of the service."""
        return self.data_dir / "identity" / "node.did"

    @property
    def name_file(self) -> Path:
        """The name given to `init`, if one was given."""
        return self.data_dir / "identity" / "name"

    @property
    def onion_key(self) -> Path:
        """The onion service's key."""
        return self.data_dir / "tor" / "onion.key"

    @property
    def public_key(self) -> Path:
        """The key of the onion for strangers, once a service was published on it."""
        return self.data_dir / "tor" / "public.key"

    @property
    def tor_dir(self) -> Path:
        """Tor's folder, with our key of the onion beside tor's own files."""
        return self.data_dir / "tor"

    @property
    def federation_dir(self) -> Path:
        """Folder of nodes.json, invites.json and state.json."""
        return self.data_dir / "federation"

    @property
    def log_file(self) -> Path:
        """The agent's log."""
        return self.data_dir / "log" / "agent.log"

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders inside the data folder, each the owner's alone."""
        return (self.node_key.parent, self.tor_dir, self.federation_dir, self.log_file.parent)

    def group(self, gid: int) -> int | None:
        """The group whose members may command too: that of the service (`gid`), unless it is root's."""
        return gid if self.is_system and gid != 0 else None

    @property
    def control_socket(self) -> Path:
        """Where the agent takes commands."""
        return self.runtime_dir / ("agent.sock" if self.is_system else f"{self.id}.sock")

    @property
    def rpc_socket(self) -> Path:
        """Where the agent's RPC takes what comes through the onion."""
        return self.runtime_dir / ("agent.rpc.sock" if self.is_system else f"{self.id}.rpc.sock")

    def public_socket(self, service: str) -> Path:
        """Where a service takes what comes through the onion for strangers; its name has few characters."""
        return self.runtime_dir / (f"{service}.sock" if self.is_system else f"{self.id}.{service}.sock")


_Named: TypeAlias = str | os.PathLike[str] | None


def resolve_paths(
    data_dir: _Named, config: _Named, environ: Mapping[str, str], uid: int | None = None
) -> Paths:
    """The paths for these flags (None: not given) and this environment; raises UsageError.

    `uid` is the user's number, the process's own when None.
    """
    uid = os.getuid() if uid is None else uid
    named = data_dir or environ.get("ENIGMA_FED_DATA_DIR") or environ.get("STATE_DIRECTORY")
    folder = _absolute(named) if named else _default_data_dir(environ)
    return Paths(
        data_dir=folder,
        config=find_config(config, environ),
        runtime_dir=_runtime_dir(folder, environ, uid),
        explicit=bool(named),
        credentials_dir=_credentials_dir(environ),
    )


def control_socket(data_dir: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """Where the agent on this data folder takes commands."""
    return resolve_paths(data_dir, None, environ).control_socket


def find_config(flag: _Named, environ: Mapping[str, str]) -> Path | None:
    """The configuration file: a named one, else the machine's, else the user's, else none."""
    named = flag or environ.get("ENIGMA_FED_CONFIG")
    if named:
        return _absolute(named)
    home = _xdg(environ, "XDG_CONFIG_HOME", ".config")
    return next((path for path in (SYSTEM_CONFIG, home / _NAME / "config.toml") if path.is_file()), None)


def prepare_runtime_dir(folder: Path, uid: int | None = None) -> None:
    """Make the sockets' folder, 0700; raises LooseModes when it is a link, another user's, or open."""
    uid = os.getuid() if uid is None else uid
    with contextlib.suppress(FileExistsError):  # what is there is looked at next
        folder.mkdir(mode=0o700, parents=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise LooseModes(f"{folder} is not a folder", hint="Remove it.")
    if found.st_uid != uid:
        raise LooseModes(f"{folder} belongs to another user", hint="Ask its owner, or remove it as root.")
    # The group of the service may enter its folder, to reach the control socket.
    if found.st_mode & (0o027 if folder == SYSTEM_RUNTIME_DIR else 0o077):
        raise LooseModes(f"{folder} is open to other users", hint=f"Run: chmod 700 {folder}")


def _credentials_dir(environ: Mapping[str, str]) -> Path | None:
    named = environ.get("CREDENTIALS_DIRECTORY", "")
    return Path(named) if named.startswith("/") else None


def _default_data_dir(environ: Mapping[str, str]) -> Path:
    return _xdg(environ, "XDG_DATA_HOME", ".local/share") / _NAME


def _xdg(environ: Mapping[str, str], variable: str, below_home: str) -> Path:
    named = environ.get(variable, "")
    if named.startswith("/"):
        return Path(named)
    home = environ.get("HOME") or str(Path.home())
    return _absolute(home) / below_home


def _absolute(text: str | os.PathLike[str]) -> Path:
    if "\0" in str(text):
        raise UsageError("a path holds a NUL character")
    return Path(text).expanduser().resolve()


def _runtime_dir(data_dir: Path, environ: Mapping[str, str], uid: int) -> Path:
    if data_dir == SYSTEM_DATA_DIR:
        return SYSTEM_RUNTIME_DIR
    session = environ.get("XDG_RUNTIME_DIR", "")
    if session.startswith("/") and _is_own_folder(Path(session), uid):
        folder = Path(session) / _NAME
        if len(os.fsencode(folder)) + _SOCKET_NAME_BYTES <= limits.UNIX_PATH_BYTES:
            return folder
    return Path(f"/tmp/{_NAME}-{uid}")  # noqa: S108  # prepare_runtime_dir checks owner and mode


def _is_own_folder(path: Path, uid: int) -> bool:
    try:
        found = path.stat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == uid
