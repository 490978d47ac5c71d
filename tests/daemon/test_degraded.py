"""Agents with a recovered store, beside another copy of themselves, or on a disk that takes no writes."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import AnotherCopy, RefusedByPeer, StoreRecovered, WriteFailed
from enigma_fed.base.rpc_errors import Refused
from enigma_fed.base.suspension import Suspended
from enigma_fed.daemon import degraded, doctor
from enigma_fed.daemon.operations import open_operations
from enigma_fed.daemon.paths import Paths
from enigma_fed.federation.store import FederationStore
from enigma_fed.rpc.builtin import AnyParams, package_install
from enigma_fed.rpc.methods import Caller, Standing
from enigma_fed.storage.disk import Disk
from enigma_fed.wire.views import Finding
from tests.support.agents import Build, Home, federate
from tests.support.identities import did
from tests.support.manualclock import ManualClock


async def restarted(home: Home, change: Callable[[], object]) -> None:
    await home.agent.close()
    change()
    await home.start()


def damage(home: Home, name: str = "nodes.json") -> Callable[[], object]:
    return lambda: (home.paths.federation_dir / name).write_bytes(b'{"version": 1, "rev"')


async def found(home: Home, check: str) -> list[Finding]:
    findings = await asyncio.to_thread(doctor.examine, home.paths, home.settings)
    return [entry for entry in findings if entry.check == check]


async def test_invariant_5_an_agent_with_a_recovered_store_serves_and_lets_nobody_join(build: Build) -> None:
    inviter, joiner, third = build("attic"), build("barn"), build("cellar")
    for home in (inviter, joiner, third):
        await home.start()
    code = (await inviter.ask("invite_create", "observer", 3600)).code
    await federate(inviter, joiner)
    await restarted(inviter, damage(inviter))
    status = await inviter.ask("status")
    assert status.suspended == ["recovered"]
    assert any("nodes.json was damaged" in warning for warning in status.warnings)
    assert "doctor --accept-recovered" in status.next_steps[0]
    assert len(await inviter.ask("peer_list")) == 1
    await joiner.ask("peer_sync", "attic")  # it is served as before
    (recovery,) = await inviter.ask("recoveries")
    assert (recovery.file, recovery.peers, recovery.invites_open) == ("nodes.json", 1, 1)
    # Nobody joins: the joiner tries again later.
    await third.ask("invite_accept", code, "observer", False)
    with pytest.raises(RefusedByPeer) as busy:
        await third.ask("peer_sync", (await inviter.ask("identity")).did)
    assert busy.value.code == "busy"
    assert (await third.ask("invite_list"))[0].stage == "accepted-here"
    for call in (
        ("invite_create", "observer", 3600),
        ("invite_accept", code, "observer", False),
        ("peer_trust", "barn", "trusted"),
    ):
        with pytest.raises(StoreRecovered, match="accept-recovered"):
            await inviter.ask(*call)
    assert (await inviter.ask("peer_trust", "barn", "untrusted")).trust_level == "untrusted"
    await inviter.ask("peer_remove", "barn")
    # Until its owner accepts it: open codes are void then.
    await inviter.ask("accept_recovered")
    assert (await inviter.ask("status")).suspended == []
    assert (await inviter.ask("invite_list"))[0].stage == "revoked"
    await inviter.ask("invite_create", "observer", 3600)
    assert await inviter.ask("peer_list") == []


async def test_invariant_5_a_join_under_way_waits_while_the_store_is_a_copy(build: Build) -> None:
    """The copy may not know that the owner removed that peer."""
    inviter, joiner = build("attic"), build("barn")
    for home in (inviter, joiner):
        await home.start()
    did_there = (await inviter.ask("identity")).did
    code = (await inviter.ask("invite_create", "observer", 3600)).code
    await inviter.agent.close()
    await joiner.ask("invite_accept", code, "observer", False)
    await restarted(joiner, damage(joiner))
    await inviter.start()
    with pytest.raises(StoreRecovered, match="accept-recovered"):
        await joiner.ask("peer_sync", did_there)
    assert (await joiner.ask("invite_list"))[0].stage == "accepted-here"
    assert await inviter.ask("peer_list") == []
    await joiner.ask("accept_recovered")
    await joiner.ask("peer_sync", did_there)
    assert (await joiner.ask("invite_list"))[0].stage == "confirmed-both"


async def test_invariant_5_the_degraded_mode_lasts_over_restarts(build: Build) -> None:
    home = build("attic")
    await home.start()
    await restarted(home, damage(home, "invites.json"))
    await restarted(home, lambda: None)
    assert [entry.file for entry in await home.ask("recoveries")] == ["invites.json"]
    await home.agent.close()
    await asyncio.to_thread(_accept_without_an_agent, home)


def _accept_without_an_agent(home: Home) -> None:
    with open_operations(home.paths, home.settings, mutating=False) as node:
        assert node.status().suspended == ["recovered"]
        (entry,) = node.recoveries()
    assert (home.paths.federation_dir / str(entry.kept_as)).read_bytes() == b'{"version": 1, "rev"'
    with open_operations(home.paths, home.settings, mutating=True) as node:
        assert [entry.file for entry in node.accept_recovered()] == ["invites.json"]
        assert node.recoveries() == node.accept_recovered() == []


async def test_invariant_5_the_doctor_tells_of_a_recovered_store_and_of_a_missing_copy(build: Build) -> None:
    home = build("attic")
    await home.start()
    await home.agent.close()
    damage(home)()
    first, *_ = await found(home, "stores")
    assert (first.result, "accept-recovered" in first.fix) == ("failure", True)
    assert doctor.exit_code([first]) == 7
    await home.start()
    first, *_ = await found(home, "stores")
    assert "is kept as nodes.json.damaged-" in first.detail
    await home.ask("accept_recovered")
    (home.paths.federation_dir / "invites.json.bak").unlink()
    assert [entry.result for entry in await found(home, "stores")] == ["ok", "warning"]
    await home.ask("invite_create", "observer", 3600)
    assert [entry.result for entry in await found(home, "stores")] == ["ok"]


async def test_invariant_3_another_copy_suspends_joins(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """PROTOCOL section 5.2: until a day has passed without a foreign epoch."""
    home, copy = build("attic"), build("copy")
    await home.start()
    copy.paths = Paths(home.paths.data_dir.with_name("copied"), None, home.paths.runtime_dir)
    await asyncio.to_thread(shutil.copytree, home.paths.data_dir, copy.paths.data_dir)
    await copy.start()
    node, clock = home.agent.node, ManualClock()
    monkeypatch.setattr(node, "_clock", clock)
    assert not await node.reaches_itself()
    status = await home.ask("status")
    assert (status.another_copy, status.suspended) == (True, ["another-copy"])
    assert any("Another copy" in warning for warning in status.warnings)
    with pytest.raises(AnotherCopy, match="Stop the other copy"):
        await home.ask("invite_create", "observer", 3600)
    assert (await found(home, "second copy"))[0].result == "failure"
    clock.advance(limits.ANOTHER_COPY_MEMORY - 1)
    assert node.federation.suspended() == (Suspended.ANOTHER_COPY,)
    clock.advance(1)
    assert node.federation.suspended() == ()
    await home.ask("invite_create", "observer", 3600)


async def test_installs_are_refused_with_the_reason() -> None:
    caller = Caller(did(1), Standing.MEMBER)
    for reasons, words in (((), "no app policy"), ((Suspended.RECOVERED,), r"suspended here \(recovered\)")):
        with pytest.raises(Refused, match=words):
            await package_install(lambda reasons=reasons: reasons).handler(caller, AnyParams())  # type: ignore[misc]


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EROFS, errno.EIO])
async def test_invariant_5_an_agent_whose_disk_takes_no_writes_serves_and_recovers(
    build: Build, monkeypatch: pytest.MonkeyPatch, fault: int
) -> None:
    """It says so, it starts, and once there is room again the next change works."""
    home = build("attic")
    await home.start()
    await home.ask("invite_create", "observer", 3600)

    def full(self: Disk, path: Path) -> int:
        raise OSError(fault, os.strerror(fault))

    with monkeypatch.context() as patch:
        patch.setattr(Disk, "open_new", full)
        with pytest.raises(WriteFailed, match=os.strerror(fault)):
            await home.ask("invite_create", "observer", 3600)
        # Also a start: a copy that is missing cannot be written now.
        await restarted(home, (home.paths.federation_dir / "nodes.json.bak").unlink)
        status = await home.ask("status")
        assert any("Changes cannot be written" in warning for warning in status.warnings)
        assert len(await home.ask("invite_list")) == 1
        with pytest.raises(WriteFailed):
            await home.ask("invite_create", "observer", 3600)
    await home.ask("invite_create", "observer", 3600)
    status = await home.ask("status")
    assert not any("cannot be written" in warning for warning in status.warnings)
    assert len(await home.ask("invite_list")) == 2


async def test_invariant_5_no_code_is_made_by_who_does_not_know_of_the_damage(build: Build) -> None:
    """The agent notices at the next change, makes none, and works with the copy from then on."""
    home = build("attic")
    await home.start()
    damage(home)()
    with pytest.raises(StoreRecovered, match="while the node ran"):
        await home.ask("invite_create", "observer", 3600)
    assert (await home.ask("status")).suspended == ["recovered"]
    with pytest.raises(StoreRecovered, match="suspended"):
        await home.ask("invite_create", "observer", 3600)
    assert await home.ask("invite_list") == []


def test_a_disk_that_takes_no_state_is_told_and_hinders_nothing_else(tmp_path: Path) -> None:
    FederationStore.create(tmp_path / "home")
    store = FederationStore(tmp_path / "home")
    store.open()
    assert degraded.warnings(store, ()) == []
    store.state_trouble = "No space left on device"
    assert degraded.warnings(store, ()) == [
        "What polling learns is kept in memory alone, polling goes on: No space left on device."
    ]
