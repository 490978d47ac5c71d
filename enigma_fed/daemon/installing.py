"""Installing the agent as a service, and taking it out again; the data is never touched."""

from __future__ import annotations

import grp
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from enigma_fed.base.errors import EnigmaError, NotFound, OperationFailed
from enigma_fed.daemon import unitfiles
from enigma_fed.daemon.systemctl import Systemd
from enigma_fed.daemon.unitfiles import UNIT

SYSTEM_UNITS: Final = Path("/etc/systemd/system")
SYSUSERS: Final = Path("/etc/sysusers.d/enigma-fed.conf")
_FILE_MODE: Final = 0o644
_TOR_GROUP: Final = "debian-tor"


@dataclass(frozen=True, slots=True)
class Plan:
    """What an installation writes and runs, in this order."""

    files: tuple[tuple[Path, str], ...]
    prepare: tuple[tuple[str, ...], ...]
    """Before the start."""
    start: tuple[tuple[str, ...], ...]
    restart: tuple[tuple[str, ...], ...]
    """In place of `start` when a file changed."""


def plan_system(systemd: Systemd, words: Sequence[str]) -> Plan:
    """The machine's service, for a command line; drop-ins where this machine has what they need."""
    files = [
        (SYSUSERS, unitfiles.template(unitfiles.SYSUSERS)),
        (SYSTEM_UNITS / UNIT, unitfiles.unit(UNIT, words)),
        *((SYSTEM_UNITS / name, unitfiles.template(name)) for name in _drop_ins(systemd.version())),
    ]
    return _plan(systemd, files, [("systemd-sysusers", str(SYSUSERS))])


def plan_user(systemd: Systemd, words: Sequence[str], environ: Mapping[str, str]) -> Plan:
    """The service of the user whose environment this is."""
    return _plan(systemd, [(user_units(environ) / UNIT, unitfiles.unit(unitfiles.USER_UNIT, words))], [])


def user_units(environ: Mapping[str, str]) -> Path:
    """The folder of the user's own units (systemd.unit(5))."""
    named = environ.get("XDG_CONFIG_HOME", "")
    base = Path(named) if named.startswith("/") else Path(environ.get("HOME") or Path.home()) / ".config"
    return base / "systemd" / "user"


def install(systemd: Systemd, plan: Plan) -> bool:
    """Write the files and start the service; returns whether it is ready now.

    Raises OperationFailed; a service that does not start stays installed.
    """
    changed = [write_if_changed(path, text) for path, text in plan.files]
    for words in plan.prepare:
        systemd.run(words)
    for words in plan.restart if any(changed) else plan.start:
        try:
            systemd.run(words)
        except OperationFailed as error:
            hint = f"It is installed. See why: {logs_command(systemd)}"
            raise OperationFailed(f"the service does not start ({error.detail})", hint=hint) from None
    return systemd.state().is_up


def uninstall(systemd: Systemd, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Stop the service and remove its files; which they were. Raises NotFound, OperationFailed."""
    found = tuple(path for path in _places(systemd, environ) if path.exists())
    if not found:
        raise NotFound("the service is not installed")
    systemd.run((*systemd.systemctl, "disable", "--now", UNIT))
    for path in found:
        path.unlink()
    for folder in {path.parent for path in found if path.parent.name == f"{UNIT}.d"}:
        if not any(folder.iterdir()):
            folder.rmdir()
    systemd.run((*systemd.systemctl, "daemon-reload"))
    return found


def logs_command(systemd: Systemd) -> str:
    """The command that shows the service's log."""
    return "enigma-fed service logs --user" if systemd.scope == "user" else "sudo enigma-fed service logs"


def lingers(systemd: Systemd, user: str) -> bool:
    """Whether the user's services run without a session; true when it cannot be told."""
    try:
        return "no" not in systemd.run(("loginctl", "show-user", user, "--property=Linger", "--value"))
    except EnigmaError:
        return True


def write_if_changed(path: Path, text: str) -> bool:
    """Write a file that others may read; whether it was another one before. Raises OperationFailed."""
    try:
        if path.exists() and path.read_text(encoding="utf-8", errors="replace") == text:
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.new")
        temporary.write_text(text, encoding="utf-8")
        temporary.chmod(_FILE_MODE)
        temporary.replace(path)
    except OSError as error:
        raise OperationFailed(f"{path} cannot be written: {error.strerror}") from None
    return True


def _plan(systemd: Systemd, files: Sequence[tuple[Path, str]], prepare: Sequence[tuple[str, ...]]) -> Plan:
    control = systemd.systemctl
    return Plan(
        tuple(files),
        (*prepare, (*control, "daemon-reload"), (*control, "enable", UNIT)),
        start=((*control, "start", UNIT),),
        restart=((*control, "restart", UNIT),),
    )


def _drop_ins(version: int) -> Iterator[str]:
    if _has_group(_TOR_GROUP):
        yield unitfiles.TOR_COOKIE
    if version >= unitfiles.STEPS_SINCE:
        yield unitfiles.RESTART_STEPS


def _has_group(name: str) -> bool:
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True


def _places(systemd: Systemd, environ: Mapping[str, str]) -> Iterator[Path]:
    if systemd.scope == "user":
        yield user_units(environ) / UNIT
        return
    for name in (UNIT, unitfiles.TOR_COOKIE, unitfiles.RESTART_STEPS):
        yield SYSTEM_UNITS / name
    yield SYSUSERS
