"""What systemd says of our unit: the properties that `systemctl show --timestamp=unix` prints. Pure."""

from __future__ import annotations

from typing import Final

import msgspec

from enigma_fed.base.errors import WireError
from enigma_fed.wire.timestamps import UNIX_MAX, to_text

PROPERTIES: Final = (
    "LoadState",
    "ActiveState",
    "SubState",
    "Result",
    "UnitFileState",
    "FragmentPath",
    "NeedDaemonReload",
    "StatusText",
    "MainPID",
    "NRestarts",
    "ExecMainStatus",
    "ActiveEnterTimestamp",
    "WatchdogUSec",
)


class UnitState(msgspec.Struct, frozen=True, kw_only=True):
    """How the service is, in the words of `service status --json`."""

    unit: str
    scope: str
    """`system` or `user`."""
    installed: bool
    enabled: bool
    """Whether it starts with the machine, or with the user's session."""
    state: str
    """systemd's ActiveState: active, activating, reloading, deactivating, inactive or failed."""
    detail: str
    """systemd's SubState, such as running or auto-restart."""
    since: str | None
    """When it became active; null when it is not."""
    says: str
    """What the agent itself says."""
    pid: int | None
    restarts: int
    """How often systemd started it again by itself."""
    watchdog: str
    result: str
    """How it last ended, `success` when nothing is wrong."""
    exit_code: int
    """Of the last end."""
    file: str
    stale: bool
    """Whether systemd has not read the unit file since it changed."""

    @property
    def is_up(self) -> bool:
        """Whether it does its work."""
        return self.state in {"active", "reloading"}


def decode(text: str, unit: str, scope: str) -> UnitState:
    """Read the lines `Name=value` of PROPERTIES; raises WireError."""
    found = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    if missing := [name for name in ("LoadState", "ActiveState") if name not in found]:
        raise WireError(f"systemctl did not say {missing[0]}")
    since = _number(found.get("ActiveEnterTimestamp", "").removeprefix("@"))
    return UnitState(
        unit=unit,
        scope=scope,
        installed=found["LoadState"] not in {"not-found", "masked"},
        enabled=found.get("UnitFileState") == "enabled",
        state=found["ActiveState"],
        detail=found.get("SubState", ""),
        since=to_text(since) if 0 < since <= UNIX_MAX and found["ActiveState"] == "active" else None,
        says=found.get("StatusText", ""),
        pid=_number(found.get("MainPID")) or None,
        restarts=_number(found.get("NRestarts")),
        watchdog=found.get("WatchdogUSec", ""),
        result=found.get("Result", ""),
        exit_code=_number(found.get("ExecMainStatus")),
        file=found.get("FragmentPath", ""),
        stale=found.get("NeedDaemonReload") == "yes",
    )


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isascii() and text.isdecimal() and len(text) < 19 else 0
