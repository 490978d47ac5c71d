"""One agent per data folder."""

from __future__ import annotations

import os

import pytest

from enigma_fed.base.errors import AgentRunning, LockBusy
from enigma_fed.daemon.folder import take_folder
from enigma_fed.daemon.paths import Paths
from enigma_fed.storage.folderlock import FolderLock


def test_a_second_agent_is_refused_at_once_with_the_firsts_process(paths: Paths) -> None:
    first = take_folder(paths)
    with pytest.raises(AgentRunning) as caught:
        take_folder(paths, wait=60)
    assert str(os.getpid()) in caught.value.detail
    assert caught.value.exit_code == 6
    first.release()
    take_folder(paths).release()


def test_a_command_is_waited_for(paths: Paths) -> None:
    command = FolderLock(paths.data_dir)
    command.acquire(0)
    with pytest.raises(LockBusy):
        take_folder(paths, wait=0)
    command.release()
    take_folder(paths, wait=0).release()
