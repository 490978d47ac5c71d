"""Taking the data folder for an agent's life: one agent per folder."""

from __future__ import annotations

from typing import Final

from enigma_fed.base import limits
from enigma_fed.base.errors import AgentRunning, LockBusy
from enigma_fed.daemon.paths import Paths
from enigma_fed.storage.folderlock import FolderLock

_STEP: Final = 0.2
"""Seconds per try: an agent that takes the lock meanwhile is noticed between two."""


def take_folder(paths: Paths, wait: float = limits.LOCK_WAIT) -> FolderLock:
    """Lock the folder as its agent, waiting `wait` seconds for a command; call it off the loop.

    Raises AgentRunning at once when an agent has it, LockBusy when a command keeps it.
    """
    lock = FolderLock(paths.data_dir)
    tries = max(1, round(wait / _STEP))
    for number in range(tries):
        try:
            lock.acquire(_STEP, kind="agent")
            return lock
        except LockBusy:
            holder = lock.holder()
            if holder is not None and holder.kind == "agent":
                hint = f"Stop that one first: kill {holder.pid}"
                raise AgentRunning(f"process {holder.pid} has {paths.data_dir}", hint=hint) from None
            if number == tries - 1:
                raise
    raise AssertionError("unreachable")
