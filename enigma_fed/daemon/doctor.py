"""What is wrong with a node, and how to repair it (`enigma-fed doctor`); changes nothing."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from enigma_fed.base.errors import EnigmaError, StoreDamaged, StoreError
from enigma_fed.config import Settings, parse_listen
from enigma_fed.daemon import controlclient
from enigma_fed.daemon.clockstate import kernel_synchronised
from enigma_fed.daemon.init import load_keys, read_membership
from enigma_fed.daemon.paths import Paths, prepare_runtime_dir
from enigma_fed.storage import modes
from enigma_fed.storage.folderlock import FolderLock
from enigma_fed.transports.tor.binary import default_cache, find_tor
from enigma_fed.wire.views import Finding

_DISK_LOW: Final = 256 * 1024 * 1024
_LARGE: Final = 10 * 1024 * 1024 * 1024
"""Bytes from which on a size is told in GiB."""
_TOR_PATIENCE: Final = 10.0
_LIST: Final = "See: enigma-fed peer list"
_MEND: Final = (
    "Stop the agent. In {folder}, keep the damaged file under another name, and put its copy (the same name "
    "with .bak) in its place; the newest change may be missing in it."
)
_OLDEST_TOR: Final = (0, 4, 7)

_Check = Callable[[Paths, Settings], Iterator[Finding]]


def examine(paths: Paths, settings: Settings) -> list[Finding]:
    """Every check in turn; one that fails does not stop the others. Before `init`: those of the machine."""
    of_a_node: dict[str, _Check] = {
        "keys": _keys,
        "file modes": _file_modes,
        "stores": _stores,
        "agent": _agent,
    }
    checks: dict[str, _Check] = {
        "config": _config,
        **({"node": _no_node} if _is_empty(paths) else of_a_node),
        "listen address": _listen_address,
        "runtime folder": _runtime_folder,
        "tor": _tor_program,
        "tor.torrc_extra": _torrc_extra,
        "clock": _clock,
        "disk": _disk,
    }
    return [finding for name, check in checks.items() for finding in _guarded(name, check, paths, settings)]


def exit_code(findings: list[Finding]) -> int:
    """0 when nothing is broken, 7 when a store is, else 1."""
    broken = {entry.check for entry in findings if entry.result == "failure"}
    if "stores" in broken:
        return StoreError.exit_code
    return EnigmaError.exit_code if broken else 0


def _guarded(name: str, check: _Check, paths: Paths, settings: Settings) -> Iterator[Finding]:
    try:
        yield from check(paths, settings)
    except EnigmaError as error:
        text = f"{error.what}: {error.detail}" if error.detail else error.what
        yield _failure(name, text, error.hint)
    except OSError as error:
        yield _failure(name, error.strerror or "it failed", "")


def _ok(check: str, detail: str) -> Finding:
    return Finding(check=check, result="ok", detail=detail)


def _warning(check: str, detail: str, fix: str) -> Finding:
    return Finding(check=check, result="warning", detail=detail, fix=fix)


def _failure(check: str, detail: str, fix: str) -> Finding:
    return Finding(check=check, result="failure", detail=detail, fix=fix)


def _config(paths: Paths, settings: Settings) -> Iterator[Finding]:
    yield _ok("config", str(paths.config) if paths.config else "no file; defaults and environment")


def _is_empty(paths: Paths) -> bool:
    """Whether nothing of a node is there; a node without its key is a damaged one."""
    return not paths.node_key.exists() and not any(paths.federation_dir.glob("*"))


def _no_node(paths: Paths, settings: Settings) -> Iterator[Finding]:
    yield _failure("node", f"there is no node in {paths.data_dir} yet", "Make one: enigma-fed init")


def _keys(paths: Paths, settings: Settings) -> Iterator[Finding]:
    key, onion = load_keys(paths)
    yield _ok("keys", f"{key.did.short}, {onion.address.short}")


def _file_modes(paths: Paths, settings: Settings) -> Iterator[Finding]:
    """Loose modes of secrets stop the agent, so each is named with its cure."""
    found = list(_loose(paths))
    yield from found
    if not found:
        yield _ok("file modes", "only the owner can read keys and stores")


def _loose(paths: Paths) -> Iterator[Finding]:
    folders = (paths.data_dir, paths.node_key.parent, paths.onion_key.parent, paths.federation_dir)
    files = (paths.node_key, paths.onion_key, *sorted(paths.federation_dir.glob("*.json*")))
    for path in (*folders, *files):
        try:
            if path.is_dir():
                modes.check_folder(path)
            elif path.exists():
                modes.check_file(path, path.stat())
        except EnigmaError as error:
            yield _failure("file modes", error.detail, error.hint)


def _stores(paths: Paths, settings: Settings) -> Iterator[Finding]:
    try:
        membership = read_membership(paths)
    except StoreDamaged as error:
        yield _failure("stores", f"{error.what}: {error.detail}", _MEND.format(folder=paths.federation_dir))
        return
    nodes, invites = membership.nodes, membership.invites
    yield _ok("stores", f"{_count(len(nodes.nodes), 'peer')}, {_count(len(invites.outgoing), 'invite')} made")
    invalid = len(nodes.invalid) + len(invites.invalid)
    if invalid:
        yield _warning("stores", f"{invalid} entries cannot be used and are kept", _LIST)


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _agent(paths: Paths, settings: Settings) -> Iterator[Finding]:
    holder = FolderLock(paths.data_dir).holder()
    if holder is None:
        yield _warning("agent", "it does not run", "Start it: enigma-fed run")
    elif holder.kind == "command":
        yield _ok("agent", f"it does not run; a command (process {holder.pid}) is at work")
    elif controlclient.answers(paths.control_socket):
        yield _ok("agent", f"it runs (process {holder.pid}) and takes commands")
    else:
        yield _failure(
            "agent",
            f"process {holder.pid} holds the data folder but takes no commands",
            "If that lasts, stop it and start it again.",
        )


def _listen_address(paths: Paths, settings: Settings) -> Iterator[Finding]:
    text = settings.rpc.listen
    if not text:
        yield _ok("listen address", "none configured")
        return
    host, port = parse_listen(text)
    if controlclient.answers(paths.control_socket) or port == 0:
        yield _ok("listen address", text)
    elif _is_taken(host, port):
        yield _failure(
            "listen address", f"{text} is in use by another program", "Choose another port: rpc.listen"
        )
    else:
        yield _ok("listen address", f"{text} is free")


def _is_taken(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def _runtime_folder(paths: Paths, settings: Settings) -> Iterator[Finding]:
    if paths.runtime_dir.exists() or paths.runtime_dir.is_symlink():
        prepare_runtime_dir(paths.runtime_dir)
        yield _ok("runtime folder", str(paths.runtime_dir))
    else:
        yield _ok("runtime folder", f"{paths.runtime_dir} is made at the start")


def _tor_program(paths: Paths, settings: Settings) -> Iterator[Finding]:
    if settings.tor.mode == "off":
        yield _warning(
            "tor",
            "it is switched off: no peer can reach this node",
            "Set tor.mode to managed.",
        )
        return
    binary = find_tor(settings.tor.binary or None, os.environ, default_cache(os.environ))
    version = _tor_version(binary.path, binary.environment)
    if version is None:
        yield _failure("tor", f"{binary.path} does not run", "Install it anew: sudo apt install tor")
    elif _numbers(version) < _OLDEST_TOR:
        yield _warning("tor", f"{binary.path}, version {version}, is old", "Update the tor package.")
    else:
        yield _ok("tor", f"{binary.path}, version {version}")


def _tor_version(path: Path, environment: dict[str, str]) -> str | None:
    try:
        done = subprocess.run(
            [str(path), "--version"], env=environment, capture_output=True, timeout=_TOR_PATIENCE, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    first = done.stdout.decode("utf-8", "replace").partition("\n")[0]
    return first.removeprefix("Tor version ").rstrip(".").partition(" ")[0] or None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.partition("-")[0].split(".") if part.isdecimal())


def _torrc_extra(paths: Paths, settings: Settings) -> Iterator[Finding]:
    extra = settings.tor.torrc_extra
    if not extra:
        return
    if not os.access(extra, os.R_OK):
        yield _failure("tor.torrc_extra", f"{extra} cannot be read", "Correct the path or take it out.")
    else:
        yield _warning(
            "tor.torrc_extra", f"lines of {extra} change how tor runs", "Take it out unless you know why."
        )


def _clock(paths: Paths, settings: Settings) -> Iterator[Finding]:
    fix = "Switch time synchronisation on: sudo timedatectl set-ntp true"
    known = kernel_synchronised()
    if settings.clock.synchronised == "assume":
        yield _ok("clock", "taken as right, as configured")
    elif known:
        yield _ok("clock", "synchronised")
    elif known is None:
        yield _warning("clock", "the kernel does not say whether it is synchronised", fix)
    else:
        yield _warning("clock", "not synchronised: peers are asked for one more round trip", fix)


def _size(count: int) -> str:
    return f"{count // 2**30} GiB" if count >= _LARGE else f"{count // 2**20} MiB"


def _disk(paths: Paths, settings: Settings) -> Iterator[Finding]:
    free = shutil.disk_usage(paths.data_dir if paths.data_dir.exists() else "/").free
    detail = f"{_size(free)} free"
    if free < _DISK_LOW:
        yield _failure("disk", detail, "Free some space: changes cannot be written to a full disk.")
    else:
        yield _ok("disk", detail)
