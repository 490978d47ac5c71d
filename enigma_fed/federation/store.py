"""The membership on disk (nodes.json, invites.json) and what polling learned (state.json)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from enigma_fed.base import limits
from enigma_fed.base.errors import (
    StoreChanged,
    StoreDamaged,
    StoreError,
    StoreRecovered,
    WireError,
    WriteFailed,
)
from enigma_fed.base.ids import Did
from enigma_fed.federation import news
from enigma_fed.federation.decision import Decide, Decision, File, Order, written
from enigma_fed.federation.repair import repair
from enigma_fed.federation.rules import fold
from enigma_fed.federation.statebudget import StateBudget
from enigma_fed.storage.disk import Disk
from enigma_fed.storage.jsonfile import JsonFile
from enigma_fed.storage.recovery import Recovery
from enigma_fed.storage.seal import seal_rows, unseal
from enigma_fed.wire import invitesfile, nodesfile, observationsfile
from enigma_fed.wire.records import InvitesFile, Membership, Node, NodesFile, Observation, Tombstone

T = TypeVar("T")

_FOLDER: Final = "federation"
_DAMAGED: Final = "state.json.damaged"
_log = logging.getLogger(__name__)


class FederationStore:
    """The membership in memory and on disk; one writer, who holds the data folder's lock.

    What is in memory was read from disk or written to it before: it is never ahead, never behind.
    `open` first. Changes go through `transact`, one after the other.
    """

    def __init__(self, data_dir: Path, *, disk: Disk | None = None) -> None:
        self._folder = data_dir / _FOLDER
        self._disk = disk or Disk()
        self._nodes: JsonFile[NodesFile] = JsonFile(
            self._folder / "nodes.json", nodesfile.NodeEncoder().encode, nodesfile.decode, disk=self._disk
        )
        self._invites: JsonFile[InvitesFile] = JsonFile(
            self._folder / "invites.json", invitesfile.encode, invitesfile.decode, disk=self._disk
        )
        self._state_path = self._folder / "state.json"
        self._lock = asyncio.Lock()
        self._observing = asyncio.Lock()
        self._running: set[asyncio.Task[Any]] = set()
        self._stored = Membership()
        self._membership = Membership()
        self._by_did: Mapping[Did, Node | Tombstone] = {}
        self._awaited: frozenset[Did] = frozenset()
        self._observations: dict[Did, Observation] = {}
        self._budget = StateBudget()
        self._unsaved = False
        self._settled = False
        self._trouble: str | None = None
        self.state_trouble: str | None = None
        """Why state.json could not be written the last time; None when it was."""
        self.counts: Counter[str] = Counter()
        """Since the start: `state-writes`, `state-bytes` and `state-microseconds` of writing state.json,
        `state-write-failures`; `changes` of the membership that were written, `failed-changes`."""

    @classmethod
    def create(cls, data_dir: Path, *, disk: Disk | None = None) -> None:
        """Write the empty files of a new node; those that are there stay. Blocks; raises WriteFailed."""
        store = cls(data_dir, disk=disk)
        store._disk.make_folder(store._folder)
        if not store._nodes.exists():
            store._nodes.create(NodesFile())
        if not store._invites.exists():
            store._invites.create(InvitesFile())

    def open(self, *, writable: bool = True) -> None:
        """Read the files and repair what a crash left between two writes (docs/PROTOCOL.md section 4).

        Blocks. A damaged or missing file is never taken for an empty one (invariant 5): its copy is
        used (`recoveries`), and put in its place if `writable`; without that nothing is written.
        Raises StoreDamaged when both are damaged, StoreNewer, LooseModes. A disk that takes no
        writes is `trouble`, and hinders changes only.
        """
        self._read()
        for observation in self._read_observations(writable).values():
            self._observations[observation.did] = self._budget.admit(observation)
        if writable:
            try:
                self._settle()
            except WriteFailed as error:
                self._note(error)

    @property
    def recoveries(self) -> tuple[Recovery, ...]:
        """Files whose copies are used until the owner accepts them: no joins, no installs."""
        return tuple(r for r in (self._nodes.recovery, self._invites.recovery) if r is not None)

    def copies(self) -> dict[str, str]:
        """What is wrong with the copies, by name; blocks. Raises LooseModes, StoreError."""
        found = {file.copy_path.name: file.look_at_copy() for file in (self._nodes, self._invites)}
        return {name: why for name, why in found.items() if why is not None}

    @property
    def trouble(self) -> str | None:
        """Why the newest change could not be written; None when it was."""
        return self._trouble

    @property
    def membership(self) -> Membership:
        """The members, tombstones and invites."""
        return self._membership

    @property
    def observations(self) -> Mapping[Did, Observation]:
        """What polling learned, by peer."""
        return self._observations

    def node(self, did: Did) -> Node | None:
        """The member with this DID."""
        entry = self._by_did.get(did)
        return entry if isinstance(entry, Node) else None

    def is_awaited(self, did: Did) -> bool:
        """Whether an invite waits for the next answer of this DID (news.awaiting)."""
        return did in self._awaited

    def is_removed(self, did: Did) -> bool:
        """Whether this DID has a tombstone."""
        return isinstance(self._by_did.get(did), Tombstone)

    async def transact(self, decide: Decide[T]) -> tuple[Decision[T], bool]:
        """Decide on the newest membership and store what was decided; whether anything was written.

        One at a time; what `decide` raises is raised and nothing is written. Once begun it ends
        even if the caller is cancelled, so memory and disk never part. Raises StoreError (StoreRecovered: a
        file was damaged meanwhile, and nothing is decided), WriteFailed.
        """
        return await self._to_the_end(self._transact(decide))

    def observe(self, observation: Observation) -> None:
        """Remember what polling learned; written by the next `flush`."""
        self._observations[observation.did] = self._budget.admit(observation)
        self._unsaved = True

    def forget(self, did: Did) -> None:
        """Drop what polling learned of a removed peer."""
        self._budget.forget(did)
        if self._observations.pop(did, None) is not None:
            self._unsaved = True

    @property
    def busy(self) -> bool:
        """Whether something is being written, or waits to be."""
        return bool(self._running)

    async def flush(self) -> None:
        """Write state.json when it is behind, whatever happens to nodes.json; raises WriteFailed.

        A failure is counted, and told once; the next flush tries again.
        """
        if self._unsaved:
            await self._to_the_end(self._flush())

    async def accept_recovered(self, change: Callable[[Membership], Membership]) -> tuple[Recovery, ...]:
        """End the degraded mode: the owner takes `change` of what was recovered for right.

        What was recovered; nothing happens when nothing was. Raises StoreError, WriteFailed.
        """
        return await self._to_the_end(self._accept(change))

    async def close(self) -> None:
        """Write state.json and fold it into nodes.json; raises StoreError, WriteFailed."""
        await self.flush()
        if self._observations:
            await self.transact(lambda membership: Decision(fold(membership, self._observations), None))

    async def _flush(self) -> None:
        async with self._observing:
            self._unsaved = False
            try:
                size = await asyncio.to_thread(self._write_observations, dict(self._observations))
            except WriteFailed as error:
                self._unsaved = True
                self.counts["state-write-failures"] += 1
                if self.state_trouble is None:
                    _log.error("%s: %s; what polling learns is kept in memory", error.what, error.detail)
                self.state_trouble = error.detail
                raise
            self.counts["state-writes"] += 1
            self.counts["state-bytes"] += size
            if self.state_trouble is not None:
                _log.info("state.json is written again")
            self.state_trouble = None

    async def _to_the_end(self, work: Coroutine[Any, Any, T]) -> T:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def _accept(self, change: Callable[[Membership], Membership]) -> tuple[Recovery, ...]:
        async with self._lock:
            await asyncio.to_thread(self._settle_again)
            recoveries = self.recoveries
            if recoveries:
                await asyncio.to_thread(self._write_or_follow, change(self._membership), Order.NODES_FIRST)
                await asyncio.to_thread(self._nodes.accept)
                await asyncio.to_thread(self._invites.accept)
            return recoveries

    async def _transact(self, decide: Decide[T]) -> tuple[Decision[T], bool]:
        async with self._lock:
            if self._settled:
                await asyncio.to_thread(self._notice_damage)
            else:
                await asyncio.to_thread(self._settle_again)
            decision = decide(self._membership)
            if decision.membership is self._membership:
                return decision, False
            await asyncio.to_thread(self._write_or_follow, decision.membership, decision.order)
            self.counts["changes"] += 1
            return decision, True

    def _settle(self) -> None:
        """Make what was read durable, and both copies sound: only then an answer may rest on it.

        After a kill, or a write that failed, the newest file may not have reached the disk.
        """
        self._nodes.mend()
        self._invites.mend()
        self._read()
        if self._membership is not self._stored:
            self._write(self._membership, Order.NODES_FIRST)
        self._settled, self._trouble = True, None

    def _notice_damage(self) -> None:
        """Put the copy in the place of a file that was damaged meanwhile, and raise StoreRecovered.

        Who asked for the change did not know of it, and what the degraded mode forbids is decided before.
        """
        known = self.recoveries
        self._nodes.read()
        self._invites.read()
        if self.recoveries == known:
            return
        self._settled = False
        self._settle_again()
        raise StoreRecovered(
            "a file was damaged while the node ran; its copy is used now, and nothing else was changed",
            hint="Look at it: enigma-fed doctor",
        )

    def _write_or_follow(self, new: Membership, order: Order) -> None:
        """Write; after a failure the files may hold the old or the new, and memory follows them."""
        try:
            self._write(new, order)
        except WriteFailed as error:
            self._note(error)
            self._read_again()
            raise
        except StoreDamaged:
            self._settled = False
            raise

    def _settle_again(self) -> None:
        try:
            self._settle()
        except WriteFailed as error:
            self._note(error)
            raise

    def _note(self, error: WriteFailed) -> None:
        if self._trouble is None:
            _log.error("%s: %s; nothing can be changed until that is over", error.what, error.detail)
        self._settled, self._trouble = False, error.detail
        self.counts["failed-changes"] += 1

    def _write(self, new: Membership, order: Order) -> None:
        stored = self._stored
        files = written(stored, new, order)
        for file in files:
            if file is File.NODES:
                self._nodes.update(_replacing(stored.nodes, new.nodes))
            else:
                self._invites.update(_replacing(stored.invites, new.invites))
        kept = Membership(
            new.nodes if File.NODES in files else stored.nodes,
            new.invites if File.INVITES in files else stored.invites,
        )
        self._stored = kept
        self._adopt(kept)

    def _read(self) -> None:
        self._stored = Membership(self._nodes.read(), self._invites.read())
        self._adopt(repair(self._stored))

    def _read_again(self) -> None:
        try:
            self._read()
        except StoreError as error:
            _log.error("after a failed write: %s", error)

    def _adopt(self, membership: Membership) -> None:
        entries: tuple[Node | Tombstone, ...] = (*membership.nodes.nodes, *membership.nodes.removed)
        self._by_did = {entry.did: entry for entry in entries}
        self._awaited = news.awaiting(membership.invites)
        self._membership = membership

    def _read_observations(self, writable: bool) -> observationsfile.Observations:
        """state.json may be lost: when absent or damaged, polling fills it again. Raises StoreNewer."""
        try:
            body, _ = unseal(self._disk.read(self._state_path, limits.STORE_FILE_BYTES))
            return observationsfile.decode(body)
        except FileNotFoundError:
            return {}
        except (WireError, StoreDamaged, OSError) as error:
            kept = self._set_state_aside() if writable else ""
            _log.warning("state.json is started anew: %s%s", error, kept)
            return {}

    def _set_state_aside(self) -> str:
        """Keep the damaged file for whoever wants to look at it; one of them is enough."""
        try:
            self._disk.rename(self._state_path, self._state_path.with_name(_DAMAGED))
        except OSError:
            return ""  # it is in nobody's way: the next flush replaces it
        return f"; the damaged one is kept as {_DAMAGED}"

    def _write_observations(self, observations: observationsfile.Observations) -> int:
        """How many bytes were written."""
        begun = time.monotonic()
        parts = seal_rows(observationsfile.MEMBER, observationsfile.rows(observations.values()), 1)
        self._disk.replace(self._state_path, *parts)
        self.counts["state-microseconds"] += int((time.monotonic() - begun) * 1_000_000)
        return sum(map(len, parts))


def _replacing(expected: T, new: T) -> Callable[[T], T]:
    def change(current: T) -> T:
        if current is not expected and current != expected:
            hint = "Stop the other program, then start this node again."
            raise StoreChanged("it is not what this node read or wrote", hint=hint)
        return new

    return change
