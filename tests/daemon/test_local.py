"""Commands without an agent: the same answers from the files (the choice itself is in test_operations.py)."""

from __future__ import annotations

from pathlib import Path

import pytest

from enigma_fed.base.errors import AgentNotRunning, InviteSelf, LooseModes
from enigma_fed.config import Settings
from enigma_fed.daemon.init import initialise
from enigma_fed.daemon.local import LocalOperations
from enigma_fed.daemon.paths import Paths
from enigma_fed.storage.folderlock import FolderLock


def home(folder: Path, runtime_dir: Path, settings: Settings) -> Paths:
    paths = Paths(folder, None, runtime_dir)
    initialise(paths, settings)
    return paths


def opened(paths: Paths, settings: Settings) -> LocalOperations:
    lock = FolderLock(paths.data_dir)
    lock.acquire(0)
    return LocalOperations(paths, settings, lock=lock)


def test_an_invite_is_accepted_offline_and_waits_for_the_agent(
    tmp_path: Path, runtime_dir: Path, settings: Settings
) -> None:
    attic, cellar = (home(tmp_path / name, runtime_dir, settings) for name in ("attic", "cellar"))
    with opened(attic, settings) as inviter:
        code = inviter.invite_create("observer", 3600).code
        assert code is not None
        with pytest.raises(InviteSelf):
            inviter.invite_accept(code, "observer", False)
    with opened(cellar, settings) as joiner:
        accepted = joiner.invite_accept(code, "trusted", False)
        assert (accepted.direction, accepted.stage) == ("incoming", "accepted-here")
        [peer] = joiner.peer_list()
        assert (peer.trust_level, peer.liveness) == ("trusted", "unknown")
        with pytest.raises(AgentNotRunning):
            joiner.peer_sync(None if peer.name is None else peer.did)
        assert joiner.peer_rename(peer.did, "grandma").alias == "grandma"
        assert joiner.peer_trust("grandma", "observer").trust_level == "observer"
        assert joiner.peer_pause("grandma", True).paused
        assert joiner.status().joins_waiting == 1
        assert joiner.peer_remove("grandma").did == peer.did
        assert joiner.peer_list() == []
    with opened(cellar, settings) as again:
        assert again.peer_list() == []


def test_loose_modes_stop_a_command_and_free_the_lock(
    tmp_path: Path, runtime_dir: Path, settings: Settings
) -> None:
    paths = home(tmp_path / "attic", runtime_dir, settings)
    paths.node_key.chmod(0o644)
    with pytest.raises(LooseModes):
        opened(paths, settings)
    assert FolderLock(paths.data_dir).holder() is None
