"""Histories of a membership on a disk in memory, and what is left of them after every power cut."""

from __future__ import annotations

import itertools
import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from enigma_fed.base.errors import EnigmaError, WriteFailed
from enigma_fed.federation.decision import Decide, Decision, Order, find_holder
from enigma_fed.federation.repair import repair
from enigma_fed.federation.store import FederationStore
from enigma_fed.wire.records import Membership, Stage
from tests.support.crashes import PowerCuts
from tests.support.memorydisk import Image, Killed, MemoryDisk, Step

HOME = Path("/home")
FOLDER = HOME / "federation"
FILES = (FOLDER / "nodes.json", FOLDER / "invites.json")

SOUND = frozenset({False})
DEGRADED = frozenset({True})


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some steps, and what the store may say after a power cut in them, or after the last."""

    begin: int
    end: int
    during: tuple[Membership, ...]
    after: tuple[Membership, ...]
    degraded_during: frozenset[bool] = SOUND
    degraded_after: frozenset[bool] = SOUND
    damaged: bytes | None = None
    """Bytes of a damaged file, which must not get lost either."""


@dataclass(slots=True)
class Counts:
    """What was replayed."""

    points: int = 0
    states: int = 0
    lost: list[str] = field(default_factory=list)

    def add(self, other: Counts) -> None:
        """Count these, too."""
        self.points += other.points
        self.states += other.states
        self.lost += other.lost


def empty_home() -> Image:
    """A node that `init` just made."""
    disk = MemoryDisk()
    FederationStore.create(HOME, disk=disk)
    return disk.image


class History:
    """One store, what is done to it, and every step of it; a new start of the agent opens it again."""

    def __init__(self, base: Image | None = None, *, chunk: int | None = None) -> None:
        self.base = base or empty_home()
        self.disk = MemoryDisk(self.base, chunk=chunk)
        self.inodes = self.disk.inodes
        self.stretches: list[Stretch] = []
        self.store = FederationStore(HOME, disk=self.disk)
        self.store.open()
        self._allowed: tuple[Membership, ...] = (self.store.membership,)
        self._degraded = SOUND
        self._damaged: bytes | None = None

    async def apply(self, decide: Decide[Any]) -> bool:
        """Change the membership by a rule; whether it was acknowledged."""
        before = self.store.membership
        decision = decide(before)
        between = tuple(_between(before, decision.membership, decision.order))
        begin = len(self.disk.steps)
        try:
            await self.store.transact(lambda _: decision)
        except (WriteFailed, Killed):
            # The next start may find the old, the new, or what lies between; and goes on from there.
            self._note(begin, between, (*self._allowed, *between))
            return False
        self._note(begin, between, (self.store.membership,))
        return True

    async def close(self) -> None:
        """End as an agent does: what polling learned goes into nodes.json."""
        before, begin = self.store.membership, len(self.disk.steps)
        await self.store.close()
        after = self.store.membership
        self._note(begin, (before, after), (after,))

    def start(self) -> None:
        """The next start, without a power cut: what it reads counts from then on."""
        begin = len(self.disk.steps)
        self.store = FederationStore(HOME, disk=self.disk)
        self.store.open()
        self._note(begin, self._allowed, (self.store.membership,))

    def damage(self, path: Path, data: bytes | None) -> None:
        """The file's content is another one, or it is gone, from now on."""
        self.disk.put(path, data)
        self._damaged = data
        if path in FILES:
            self._degraded = DEGRADED
        end = len(self.disk.steps)
        self.stretches.append(
            Stretch(end, end, self._allowed, self._allowed, self._degraded, self._degraded, data)
        )

    async def accept(self) -> None:
        """The owner takes what was recovered."""
        begin = len(self.disk.steps)
        await self.store.accept_recovered(lambda membership: membership)
        self._degraded = SOUND
        self._note(begin, (), (self.store.membership,), DEGRADED | SOUND)

    def _note(
        self,
        begin: int,
        during: tuple[Membership, ...],
        after: tuple[Membership, ...],
        degraded_during: frozenset[bool] | None = None,
    ) -> None:
        allowed = (*self._allowed, *during)
        now = self._degraded
        stretch = Stretch(
            begin, len(self.disk.steps), allowed, after, degraded_during or now, now, self._damaged
        )
        self.stretches.append(stretch)
        self._allowed = after


def replay(
    history: History,
    chance: random.Random,
    *,
    every_cut: bool = False,
    copies: bool = True,
    without: int | None = None,
    enough: int | None = None,
) -> Counts:
    """Cut the power after every step, and look at every state that is left.

    `copies` also destroys each file in turn: its copy alone must hold what was acknowledged. `without` leaves
    out one step (an fsync); `enough` ends the replay after so many losses.
    """
    counts = Counts()
    cuts = PowerCuts(history.base, history.inodes, chance, every_cut=every_cut)
    seen: set[tuple[int, int]] = set()
    for stretch in history.stretches:
        for number in range(stretch.begin, stretch.end + 1):
            last = number == stretch.end
            counts.points += 1
            for image in cuts.states():
                key = (hash(tuple(sorted(image.files.items()))), hash((stretch, last)))
                if key in seen:
                    continue
                seen.add(key)
                _look(image, stretch, last, counts, chance, copies=copies)
                if enough is not None and len(counts.lost) >= enough:
                    return counts
            if not last and number != without:
                cuts.follow(history.disk.steps[number])
    return counts


def _look(
    image: Image, stretch: Stretch, last: bool, counts: Counts, chance: random.Random, *, copies: bool
) -> None:
    allowed = stretch.after if last else stretch.during
    degraded = stretch.degraded_after if last else stretch.degraded_during
    opened = _verify(image, allowed, degraded, stretch.damaged, counts)
    if opened.steps:  # and the power fails again, while that is being repaired
        again = PowerCuts(image, opened.start, chance)
        for step in opened.steps:
            again.follow(step)
            for state in again.states():
                _verify(state, allowed, degraded, stretch.damaged, counts)
    if copies and degraded == SOUND:
        for path in FILES:
            if str(path) in image.files:
                files = {**image.files, str(path): b"{"}
                _verify(Image(image.folders, files), allowed, DEGRADED, None, counts)


@dataclass(frozen=True, slots=True)
class Opened:
    """What the opening of a store did to its disk."""

    start: dict[str, int]
    steps: Sequence[Step]


def _verify(
    image: Image,
    allowed: Collection[Membership],
    degraded: Collection[bool],
    damaged: bytes | None,
    counts: Counts,
) -> Opened:
    counts.states += 1
    disk = MemoryDisk(image)
    start = disk.inodes
    store = FederationStore(HOME, disk=disk)
    try:
        store.open()
    except EnigmaError as error:
        counts.lost.append(f"cannot be opened: {error}")
        return Opened(start, ())
    if store.membership not in allowed:
        counts.lost.append("an acknowledged change is gone, or one that nobody made is there")
    elif not _is_recorded(store.membership):
        counts.lost.append("somebody has rights, and its token is open")
    elif bool(store.recoveries) not in degraded:
        counts.lost.append(f"degraded: {store.recoveries}")
    elif store.trouble is not None or store.copies():
        counts.lost.append("the two copies are not sound after the start")
    elif damaged is not None and damaged not in disk.image.files.values():
        counts.lost.append("the damaged file is gone")
    return Opened(start, disk.steps)


def _is_recorded(membership: Membership) -> bool:
    """PROTOCOL section 4.3: a token is used if and only if its hash stands in nodes.json."""
    return all(
        entry.stage is not Stage.CREATED or find_holder(membership, entry.token_hash) is None
        for entry in membership.invites.outgoing
    )


def _between(before: Membership, after: Membership, order: Order) -> Iterator[Membership]:
    """What a power cut between the files of a change leaves, repaired."""
    nodes_first = order is Order.NODES_FIRST
    between = Membership(
        after.nodes if nodes_first else before.nodes, before.invites if nodes_first else after.invites
    )
    for known in (before, between, after):
        yield repair(known)


def fsyncs(history: History) -> list[int]:
    """The numbers of the steps that bring something to the disk."""
    kinds = ("sync", "sync folder")
    return [number for number, step in enumerate(history.disk.steps) if step.kind in kinds]


def unchanged(membership: Membership) -> Decision[None]:
    """A decision that changes nothing: an answer that rests on what is there."""
    return Decision(membership, None)


def numbers() -> Iterator[int]:
    """1, 2, 3, …"""
    return itertools.count(1)
