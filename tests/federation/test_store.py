"""The store: one change after the other, memory and disk never apart, damage never read as empty."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path

import pytest

from enigma_fed.base.errors import Conflict, StoreChanged, StoreDamaged, StoreNewer, WriteFailed
from enigma_fed.federation.decision import Decide, Decision, put_node
from enigma_fed.federation.store import FederationStore
from enigma_fed.storage.disk import Disk
from enigma_fed.wire.records import InvitesFile, Membership, NodesFile, Observation, Stage
from tests.support.faultydisk import FaultyDisk
from tests.support.identities import did
from tests.support.members import NOW, incoming, member, outgoing
from tests.support.memberships import commit
from tests.support.memorydisk import Image, MemoryDisk


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    FederationStore.create(tmp_path / "home")
    return tmp_path / "home"


def opened(folder: Path, disk: Disk | None = None, *, writable: bool = True) -> FederationStore:
    store = FederationStore(folder, disk=disk)
    store.open(writable=writable)
    return store


def write_private(path: Path, data: bytes) -> None:
    path.touch(0o600)
    path.write_bytes(data)


def adding(number: int) -> Decide[int]:
    return lambda membership: Decision(put_node(membership, member(number)), number)


async def test_changes_at_once_lose_nothing(folder: Path) -> None:
    store = opened(folder)
    outcomes = await asyncio.gather(*(store.transact(adding(n)) for n in range(1, 21)))
    assert [decision.result for decision, _ in outcomes] == list(range(1, 21))
    assert opened(folder).membership == store.membership
    assert {node.did for node in store.membership.nodes.nodes} == {did(n) for n in range(1, 21)}
    assert store.node(did(20)) == member(20)


async def test_a_change_that_is_refused_writes_nothing(folder: Path) -> None:
    def refuse(membership: Membership) -> Decision[None]:
        raise Conflict("no")

    store = opened(folder)
    before = (folder / "federation" / "nodes.json").stat()
    with pytest.raises(Conflict):
        await store.transact(refuse)
    _, changed = await store.transact(lambda membership: Decision(membership, None))
    assert not changed
    assert (folder / "federation" / "nodes.json").stat() == before


async def test_invariant_5_a_change_goes_on_to_its_end_when_its_caller_is_cancelled(folder: Path) -> None:
    store = opened(folder)
    caller = asyncio.create_task(store.transact(adding(1)))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    await store.transact(adding(2))
    assert len(store.membership.nodes.nodes) == 2
    assert opened(folder).membership == store.membership


@pytest.mark.parametrize("name", ["nodes.json", "nodes.json.bak", "invites.json", "invites.json.bak"])
async def test_invariant_5_after_a_failed_write_memory_says_what_the_disk_says(
    folder: Path, name: str
) -> None:
    disk = FaultyDisk(name)
    store = opened(folder, disk)
    both = Membership(NodesFile(nodes=(member(1),)), store.membership.invites)
    await commit(store, both)
    disk.broken = True
    invites = type(both.invites)(outgoing=(outgoing(7),))
    with pytest.raises(WriteFailed):
        await commit(store, Membership(NodesFile(nodes=(member(1), member(2))), invites))
    assert store.membership == opened(folder, writable=False).membership
    disk.broken = False
    await store.transact(adding(3))
    assert store.node(did(3)) is not None
    assert opened(folder).membership == store.membership


async def test_a_file_that_another_program_changed_is_not_overwritten(folder: Path) -> None:
    store = opened(folder)
    await opened(folder).transact(adding(1))
    before = (folder / "federation" / "nodes.json").read_bytes()
    with pytest.raises(StoreChanged):
        await store.transact(adding(2))
    assert (folder / "federation" / "nodes.json").read_bytes() == before


async def test_invariant_5_what_a_crash_left_is_repaired_at_the_next_start(folder: Path) -> None:
    store = opened(folder)
    invites = type(store.membership.invites)(outgoing=(outgoing(1),), incoming=(incoming(2, code="fed1:x"),))
    await commit(store, Membership(NodesFile(nodes=(member(1, stage=Stage.USED),)), invites))
    reader = opened(folder, writable=False)
    again = opened(folder)
    for repaired in (reader.membership, again.membership):
        assert repaired.invites.outgoing[0].stage is Stage.USED
        assert repaired.nodes.find(did(2)) is not None
    assert json.loads((folder / "federation" / "nodes.json").read_text())["nodes"][1]["did"] == str(did(2))


@pytest.mark.parametrize("name", ["nodes.json", "invites.json"])
@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"nodes": [', b"\x00" * 512])
async def test_invariant_5_damage_is_never_read_as_no_peers(
    folder: Path, name: str, content: bytes | None
) -> None:
    await opened(folder).transact(adding(1))
    path = folder / "federation" / name
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    before = {p.name: p.read_bytes() for p in path.parent.iterdir()}
    reader = opened(folder, writable=False)
    FederationStore.create(folder)  # init does not replace it either
    assert {p.name: p.read_bytes() for p in path.parent.iterdir()} == before
    for store in (reader, opened(folder), opened(folder)):
        assert store.node(did(1)) is not None
        assert [recovery.file for recovery in store.recoveries] == [name]
    await store.accept_recovered(lambda membership: membership)
    assert store.recoveries == opened(folder).recoveries == ()
    for lost in (path, path.with_name(f"{name}.bak")):
        lost.unlink()
    before = {p.name: p.read_bytes() for p in path.parent.iterdir()}
    for writable in (True, False):
        with pytest.raises(StoreDamaged, match=name):
            opened(folder, writable=writable)
    assert {p.name: p.read_bytes() for p in path.parent.iterdir()} == before


async def test_what_polling_learned_may_be_lost_but_a_newer_file_is_left_alone(folder: Path) -> None:
    store = opened(folder)
    store.observe(Observation(did=did(1), last_seen=NOW, failures=3))
    await store.flush()
    path = folder / "federation" / "state.json"
    assert opened(folder).observations == store.observations
    assert path.stat().st_mode & 0o777 == 0o600
    newer = b'{"version": 2, "observations": []}'
    for damage in (b"", b"{", path.read_bytes()[:-9]):
        write_private(path, damage)
        assert opened(folder, writable=False).observations == {}
        assert path.read_bytes() == damage, "a reader moves nothing"
        assert opened(folder).observations == {}
        assert path.with_name("state.json.damaged").read_bytes() == damage
        assert opened(folder).observations == {}
    write_private(path, newer)
    with pytest.raises(StoreNewer):
        opened(folder)


async def test_closing_folds_what_polling_learned_into_nodes_json(folder: Path) -> None:
    store = opened(folder)
    await store.transact(adding(1))
    store.observe(Observation(did=did(1), last_seen=NOW + 5))
    await store.close()
    node = opened(folder).node(did(1))
    assert node is not None
    assert node.last_seen == NOW + 5


@pytest.mark.parametrize("name", ["nodes.json", "invites.json"])
async def test_invariant_5_every_single_flipped_bit_of_a_store_is_noticed_and_mended(name: str) -> None:
    """The copy is used: never another content, and never "a newer version"."""
    disk = MemoryDisk()
    FederationStore.create(Path("/home"), disk=disk)
    store = FederationStore(Path("/home"), disk=disk)
    store.open()
    await commit(store, Membership(NodesFile(nodes=(member(1),)), InvitesFile(outgoing=(outgoing(7),))))
    image, path = disk.image, f"/home/federation/{name}"
    data = image.files[path]
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        found = FederationStore(
            Path("/home"), disk=MemoryDisk(Image(image.folders, {**image.files, path: bytes(flipped)}))
        )
        found.open(writable=False)
        assert [recovery.file for recovery in found.recoveries] == [name]
        assert found.membership == store.membership
    print(f"{name}: {len(data)} bytes, {8 * len(data)} flips, all recovered")


async def test_a_damaged_state_that_cannot_be_set_aside_is_no_error_at_start(folder: Path) -> None:
    path = folder / "federation" / "state.json"
    write_private(path, b"{")
    (path.with_name("state.json.damaged") / "in the way").mkdir(parents=True)
    store = opened(folder)
    store.observe(Observation(did=did(1), failures=3))
    await store.flush()
    assert opened(folder).observations == store.observations


async def test_a_disk_that_takes_no_state_is_counted_and_told_once(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    disk = FaultyDisk("state.json")
    store = FederationStore(folder, disk=disk)
    store.open()
    disk.broken = True
    for failures in (1, 2, 3):
        store.observe(Observation(did=did(1), failures=failures))
        with pytest.raises(WriteFailed):
            await store.flush()
    assert (store.counts["state-write-failures"], store.counts["state-writes"]) == (3, 0)
    assert store.state_trouble == "No space left on device"
    assert caplog.text.count("what polling learns is kept in memory") == 1
    await store.transact(adding(1))  # which says nothing of nodes.json
    disk.broken = False
    await store.flush()  # nothing new came, but the last was not written
    assert (store.state_trouble, store.counts["state-writes"]) == (None, 1)
    assert store.counts["state-bytes"] == (folder / "federation" / "state.json").stat().st_size
    await store.flush()
    assert store.counts["state-writes"] == 1, "nothing changed"
    assert opened(folder).observations == store.observations


class SlowDisk(Disk):
    """Keeps state.json waiting until it is let go."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go_on = threading.Event()

    def replace(self, path: Path, *parts: bytes) -> None:
        if path.name == "state.json":
            self.begun.set()
            assert self.go_on.wait(30)
        super().replace(path, *parts)


async def test_membership_does_not_wait_for_a_state_that_is_being_written(folder: Path) -> None:
    disk = SlowDisk()
    store = FederationStore(folder, disk=disk)
    store.open()
    store.observe(Observation(did=did(1), failures=1))
    flush = asyncio.create_task(store.flush())
    assert await asyncio.to_thread(disk.begun.wait, 30)
    store.observe(Observation(did=did(2), failures=1))
    await store.transact(adding(1))
    assert not flush.done()
    disk.go_on.set()
    await flush
    assert set(opened(folder).observations) == {did(1)}, "what came meanwhile is in the next one"
    await store.flush()
    assert set(opened(folder).observations) == {did(1), did(2)}
