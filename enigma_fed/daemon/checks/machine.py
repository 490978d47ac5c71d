"""Checks of the machine: configuration, clock, disk, sockets, versions."""

from __future__ import annotations

import os
import re
import shlex
import stat
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Final

from enigma_fed import __version__
from enigma_fed.base import limits
from enigma_fed.daemon.checks.scene import Scene, existing, failure, ok, size, warning
from enigma_fed.daemon.clockstate import kernel_synchronised
from enigma_fed.daemon.paths import prepare_runtime_dir
from enigma_fed.wire.views import Finding

_INODES_LOW: Final = 1000
_NTP: Final = "Switch time synchronisation on: sudo timedatectl set-ntp true"
_REQUIREMENT: Final = re.compile(r"([A-Za-z0-9._-]+)>=([0-9.]+)[^;]*(;.*extra.*)?", re.ASCII)


def config_file(scene: Scene) -> Iterator[Finding]:
    """Whether the configuration can be used, and who else can write it."""
    if scene.config_error is not None:
        error = scene.config_error
        why = "No other command works, and the agent does not start; the other checks take the defaults."
        yield failure(
            "config", error.detail, why, error.hint or "Correct it; docs/CONFIG.md lists every key."
        )
    path = scene.paths.config
    if path is None:
        if scene.config_error is None:
            yield ok("config", "no file; defaults and environment")
        return
    if path.exists() and path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        yield failure(
            "config",
            f"{path} can be written by other users",
            "It names programs that the agent starts.",
            f"Run: chmod go-w {path}",
        )
    elif scene.config_error is None:
        yield ok("config", str(path))


def config_of_the_agent(scene: Scene) -> Iterator[Finding]:
    """Whether the agent that runs was started with the configuration that is looked at here."""
    status = scene.status if scene.runs else None
    if status is None or status.config is None:
        return
    here = str(scene.paths.config.absolute()) if scene.paths.config else ""
    if status.config == here:
        return
    theirs, ours = (
        f"the configuration {path}" if path else "no configuration" for path in (status.config, here)
    )
    flag = f" --config {shlex.quote(status.config)}" if status.config else ""
    folder = f" --data-dir {shlex.quote(str(scene.paths.data_dir))}" if scene.paths.explicit else ""
    yield warning(
        "config",
        f"the agent runs with {theirs}; this command looked at {ours}",
        "What is said here of settings, ports and tor may not be so for the agent.",
        f"Run: enigma-fed{flag}{folder} doctor",
    )


def clock(scene: Scene) -> Iterator[Finding]:
    """Whether something keeps the clock right, and whether it runs behind what was written down."""
    if scene.status is not None and scene.status.clock_behind:
        yield failure(
            "clock",
            "it is behind times that this node has written down",
            "Requests with a wrong time need one more round trip, and codes expire at the wrong moment.",
            "Set it right, best by time synchronisation: sudo timedatectl set-ntp true",
        )
    known = kernel_synchronised()
    if scene.settings.clock.synchronised == "assume":
        yield ok("clock", "taken as right, as configured")
    elif known:
        yield ok("clock", "synchronised")
    elif known is None:
        yield warning("clock", "the kernel does not say whether it is synchronised", _round_trip(), _NTP)
    else:
        yield warning("clock", "not synchronised", _round_trip(), _NTP)


def _round_trip() -> str:
    return "While that is not known, every peer is asked for one more round trip."


def disk(scene: Scene) -> Iterator[Finding]:
    """Room, inodes and the right to write where the data folder is."""
    folder = existing(scene.paths.data_dir)
    found = os.statvfs(folder)
    why = "Changes cannot be written: invites, joins and removals fail."
    if found.f_flag & os.ST_RDONLY:
        device = "Make it writable again: sudo mount -o remount,rw"
        yield failure("disk", f"{folder} is on a read-only file system", why, f"{device} {_mount(folder)}")
    free = found.f_bavail * found.f_frsize
    if free < limits.DISK_LOW:
        yield failure(
            "disk", f"{size(free)} free", why, f"Free some space; see what takes it: df -h {folder}"
        )
    # A file system without a fixed number of inodes says 0 in all.
    elif found.f_files and found.f_favail < _INODES_LOW:
        fix = f"Remove small files that nobody needs; see: df -i {folder}"
        yield failure("disk", f"{found.f_favail} inodes left", why, fix)
    else:
        yield ok("disk", f"{size(free)} free")


def _mount(folder: Path) -> Path:
    return next(each for each in (folder, *folder.parents) if each.is_mount())


def versions(scene: Scene) -> Iterator[Finding]:
    """This program, Python, the libraries, and the agent when it is of another version."""
    agent = scene.status.version if scene.status is not None and scene.status.running else ""
    if agent and agent != __version__:
        yield warning(
            "versions",
            f"the agent runs {agent}, this command is {__version__}",
            "Commands and agent may not understand each other.",
            "Restart the agent: stop it, then enigma-fed run",
        )
    old = list(_outdated())
    if old:
        yield failure(
            "versions",
            f"too old: {', '.join(old)}",
            "This version was not tested with it.",
            "Install this version anew, with the libraries that it names.",
        )
    if not old:
        yield ok("versions", f"enigma-fed {__version__}, Python {sys.version.partition(' ')[0]}")


def _outdated() -> Iterator[str]:
    """Libraries below the version that this package asks for."""
    try:
        wanted = metadata.requires("enigma-fed") or []
    except metadata.PackageNotFoundError:
        return  # run from a plain copy of the source
    for line in wanted:
        match = _REQUIREMENT.match(line.replace(" ", ""))
        if match is None or match[3]:
            continue
        name, least = match[1], match[2]
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield f"{name} (missing)"
            continue
        if numbers(found) < numbers(least):
            yield f"{name} {found} (needs {least})"


def numbers(version: str) -> tuple[int, ...]:
    """`0.4.9.11-alpha` to (0, 4, 9, 11)."""
    return tuple(int(part) for part in re.split(r"[.]", version.partition("-")[0]) if part.isdecimal())


def runtime_folder(scene: Scene) -> Iterator[Finding]:
    """The folder of the sockets: the owner's alone."""
    folder = scene.paths.runtime_dir
    if folder.exists() or folder.is_symlink():
        prepare_runtime_dir(folder)
        yield ok("runtime folder", str(folder))
    else:
        yield ok("runtime folder", f"{folder} is made at the start")
