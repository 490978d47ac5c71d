"""What lies on disk for our tor: its folders, keys, torrc and log. Synchronous: call it off the loop."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from enigma_fed.base import limits
from enigma_fed.base.errors import ConfigError, TorFailed
from enigma_fed.transports.tor.onionkey import OnionKey
from enigma_fed.transports.tor.torrc import OnionLines, TorrcValues, render


@dataclass(frozen=True, slots=True)
class OnionService:
    """An onion of this node: a name for its folder, its key, and what its virtual ports lead to."""

    name: str
    key: OnionKey
    ports: tuple[tuple[int, Path], ...]


@dataclass(frozen=True, slots=True)
class TorFolders:
    """Where things lie: `base` is `<data>/tor`, `runtime` a folder for sockets."""

    base: Path
    runtime: Path

    @property
    def data_directory(self) -> Path:
        """Tor's own state."""
        return self.base / "state"

    @property
    def torrc(self) -> Path:
        """Written at every start."""
        return self.base / "torrc"

    @property
    def log(self) -> Path:
        """Tor's log, notices and worse; addresses are left out by tor itself."""
        return self.base / "tor.log"

    @property
    def cookie(self) -> Path:
        """What opens the control socket."""
        return self.data_directory / "control_auth_cookie"

    @property
    def control_folder(self) -> Path:
        """Tor wants a folder that is nobody else's; several agents may share `runtime`."""
        name = hashlib.blake2b(bytes(self.base.absolute()), digest_size=6).hexdigest()
        return self.runtime / f"tor-{name}"

    @property
    def control_socket(self) -> Path:
        """Tor's control socket."""
        return self.control_folder / "control"

    def onion(self, name: str) -> Path:
        """The HiddenServiceDir of an onion."""
        return self.base / "onions" / name


def prepare(
    folders: TorFolders, onions: Sequence[OnionService], extra: Path | None, *, pow_defence: bool = False
) -> None:
    """Make folders and key files, write the torrc (0600); raises TorFailed, ConfigError.

    `pow_defence` needs a tor that knows proof of work.
    """
    if len(bytes(folders.control_socket)) > limits.UNIX_PATH_BYTES:
        raise TorFailed(f"the folder for its sockets, {folders.runtime}, has too long a name")
    try:
        _prepare(folders, onions, read_extra(extra), pow_defence)
    except OSError as error:
        name = f" ({error.filename})" if error.filename else ""
        raise TorFailed(f"its files cannot be written: {error.strerror}{name}") from error


def _prepare(folders: TorFolders, onions: Sequence[OnionService], extra: str, pow_defence: bool) -> None:
    for folder in (folders.base, folders.data_directory, folders.base / "onions", folders.control_folder):
        _private_folder(folder)
    for onion in onions:
        write_onion(folders.onion(onion.name), onion.key)
    _prepare_log(folders.log)
    _write_private(folders.torrc, _torrc(folders, onions, extra, pow_defence).encode())


def candidate(
    folders: TorFolders, onions: Sequence[OnionService], extra: Path | None, *, pow_defence: bool = False
) -> Path | None:
    """A torrc as `prepare` would write it now, under another name; None when it is the one that stands.

    Raises TorFailed, ConfigError.
    """
    text = _torrc(folders, onions, read_extra(extra), pow_defence).encode()
    try:
        if _content(folders.torrc) == text:
            return None
        _private_folder(folders.base)
        path = folders.torrc.with_name("torrc.candidate")
        _write_private(path, text)
    except OSError as error:
        raise TorFailed(f"its files cannot be written: {error.strerror}") from error
    return path


def _torrc(folders: TorFolders, onions: Sequence[OnionService], extra: str, pow_defence: bool) -> str:
    values = TorrcValues(
        data_directory=folders.data_directory,
        control_socket=folders.control_socket,
        cookie_file=folders.cookie,
        log_file=folders.log,
        owner_pid=os.getpid(),
        onions=tuple(OnionLines(folders.onion(onion.name), onion.ports, pow_defence) for onion in onions),
        extra=extra,
    )
    return render(values)


def write_onion(folder: Path, key: OnionKey) -> None:
    """Put a key into a HiddenServiceDir, and remove what tor derived from another key.

    A public file that does not match makes tor stop ("broken state").
    """
    _private_folder(folder)
    _remove_unless(folder / "hs_ed25519_public_key", key.public_file)
    _remove_unless(folder / "hostname", key.hostname_file)
    secret = folder / "hs_ed25519_secret_key"
    if _content(secret) != key.secret_file:
        _write_private(secret, key.secret_file)
    secret.chmod(0o600)


def read_extra(path: Path | None) -> str:
    """The owner's own torrc lines, "" without a file; raises ConfigError."""
    if path is None:
        return ""
    try:
        with path.open("rb") as file:
            text = file.read(limits.TORRC_EXTRA_BYTES + 1)
        if len(text) > limits.TORRC_EXTRA_BYTES:
            raise ConfigError(f"tor.torrc_extra: {path} is larger than {limits.TORRC_EXTRA_BYTES} bytes")
        return text.decode()
    except OSError as error:
        raise ConfigError(f"tor.torrc_extra: {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ConfigError(f"tor.torrc_extra: {path} is not UTF-8 text") from None


def lock_is_free(data_directory: Path) -> bool:
    """Whether no tor runs on that DataDirectory: tor holds a lock on the file `lock` in it."""
    try:
        descriptor = os.open(data_directory / "lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def _private_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)


def _prepare_log(log: Path) -> None:
    """Tor would make the file readable for the group; it keeps the mode of a file that is there."""
    if log.exists() and log.stat().st_size > limits.TOR_LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
    log.touch(mode=0o600)
    log.chmod(0o600)


def _write_private(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _remove_unless(path: Path, content: bytes) -> None:
    if _content(path) not in (None, content):
        path.unlink()


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
