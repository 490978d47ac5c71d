"""What a service tells systemd, as bytes (sd_notify(3), systemd's "Notification Protocol"). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

WATCHDOG: Final = b"WATCHDOG=1"
"""The event loop still turns."""
_STATUS_CHARACTERS: Final = 200
_MICROSECONDS: Final = 1_000_000


def ready(text: str) -> bytes:
    """The service does its work; `text` is its status line."""
    return b"READY=1\n" + status(text)


def reloading(monotonic: float) -> bytes:
    """The configuration is read again; `monotonic` is CLOCK_MONOTONIC in seconds. `ready` ends it."""
    return f"RELOADING=1\nMONOTONIC_USEC={int(monotonic * _MICROSECONDS)}".encode()


def stopping(text: str) -> bytes:
    """The service ends by its own decision or by a signal; `text` is its status line."""
    return b"STOPPING=1\n" + status(text)


def status(text: str) -> bytes:
    """The line that `systemctl status` shows; one line, cut at 200 characters."""
    return f"STATUS={' '.join(text.split())[:_STATUS_CHARACTERS]}".encode()


def address(text: str) -> str | None:
    """The Unix address in `$NOTIFY_SOCKET`: a path, or `@name` for an abstract one; else None."""
    if text.startswith("@"):
        return "\0" + text[1:]
    return text if text.startswith("/") else None


def watchdog_interval(environ: Mapping[str, str], pid: int) -> float | None:
    """Seconds between two signs of life: half of `$WATCHDOG_USEC`; None when process `pid` owes none."""
    microseconds = environ.get("WATCHDOG_USEC", "")
    if not (microseconds.isascii() and microseconds.isdecimal()) or int(microseconds) == 0:
        return None
    if environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    return int(microseconds) / 2 / _MICROSECONDS
