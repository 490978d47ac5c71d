"""How callers come to a listener of a registry, which decides what tells them apart."""

from __future__ import annotations

from enum import StrEnum


class Door(StrEnum):
    """What stands in front of one listener."""

    TCP = "tcp"
    """An address of this machine: callers are told apart by theirs, or by what a trusted proxy says."""
    CIRCUIT = "circuit"
    """The onion of our own tor, which numbers the circuits."""
    ONION = "onion"
    """The onion of a tor that numbers none: all callers share one account, which nobody can be banned from.

    Whoever comes with a solved proof of work is served when that account is empty.
    """
