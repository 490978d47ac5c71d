"""Histories of a membership on a disk in memory, and what is left of them after every power cut."""

from __future__ import annotations

import functools
import logging
import random
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from enigma_fed.base import ids
from enigma_fed.base.errors import EnigmaError, StoreRecovered, WriteFailed
from enigma_fed.federation.decision import Decide, Decision, Order, find_holder
from enigma_fed.federation.repair import repair
from enigma_fed.federation.store import FederationStore
from enigma_fed.storage import jsonfile
from enigma_fed.wire import invitesfile, nodesfile
from enigma_fed.wire.records import Membership, Stage
from tests.support.crashes import PowerCuts
from tests.support.memorydisk import Image, Killed, MemoryDisk, Step

HOME = Path("/home")
FOLDER = HOME / "federation"
FILES = (FOLDER / "nodes.json", FOLDER / "invites.json")

_AGAIN = 0.2
"""Share of the states whose repair is cut, too."""

SOUND = frozenset({False})
DEGRADED = frozenset({True})


@contextmanager
def in_a_hurry() -> Iterator[None]:
    """No lines in the log (each recovery is an error), and the same bytes are decoded once: that is pure."""
    log = logging.getLogger("enigma_fed")
    log.setLevel(logging.CRITICAL)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ids, "is_public_key", functools.lru_cache(ids.is_public_key))
        patch.setattr(jsonfile, "unseal", functools.lru_cache(jsonfile.unseal))
        for module in (nodesfile, invitesfile):
            patch.setattr(module, "decode", _once(module.decode))
        yield
    log.setLevel(logging.NOTSET)


def _once(decode: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The function, called once for each of the last objects that it gets."""
    known: dict[int, tuple[object, object]] = {}

    def cached(body: Any) -> Any:
        found = known.get(id(body))
        if found is None or found[0] is not body:
            if len(known) > 512:
                known.clear()
            found = known[id(body)] = (body, decode(body))
        return found[1]

    return cached


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
    one_left: bool = False
    """Whether a copy is damaged or gone, so that its file must not be."""


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
        self.disk.steps.clear()
        self._allowed: tuple[Membership, ...] = (self.store.membership,)
        self._degraded = SOUND
        self._damaged: bytes | None = None
        self._one_left = False

    @property
    def settled(self) -> bool:
        """Whether the newest change was acknowledged."""
        return len(self._allowed) == 1

    async def apply(self, decide: Decide[Any]) -> bool:
        """Change the membership by a rule; whether it was acknowledged."""
        before = self.store.membership
        decision = decide(before)
        between = tuple(_between(before, decision.membership, decision.order))
        begin = len(self.disk.steps)
        try:
            await self.store.transact(lambda _: decision)
        except StoreRecovered:  # nothing was changed but the place of the damaged file
            self._note(begin, (), (self.store.membership,))
            return False
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
        self._one_left = False

    def damage(self, path: Path, data: bytes | None) -> None:
        """The file's content is another one, or it is gone, from now on."""
        before, begin = self._degraded, len(self.disk.steps)
        self.disk.put(path, data)
        self._damaged = data
        if path in FILES:
            self._degraded = DEGRADED
        else:
            self._one_left = True
        stretch = Stretch(
            begin, begin + 1, self._allowed, self._allowed, before, self._degraded, None, self._one_left
        )
        self.stretches.append(stretch)

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
            begin,
            len(self.disk.steps),
            allowed,
            after,
            degraded_during or now,
            now,
            self._damaged,
            self._one_left,
        )
        self.stretches.append(stretch)
        self._allowed = after


def replay(
    history: History,
    chance: random.Random,
    *,
    every_cut: bool = False,
    copies: bool = True,
    without: Collection[int] = (),
    enough: int | None = None,
) -> Counts:
    """Cut the power after every step, and look at every state that is left.

    `copies` also destroys each file in turn: its copy alone must hold what was acknowledged. `without` leaves
    out some steps (an fsync); `enough` ends the replay after so many losses.
    """
    counts = Counts()
    cuts = PowerCuts(history.base, history.inodes, chance, every_cut=every_cut)
    seen: set[tuple[int, int]] = set()
    for stretch in history.stretches:
        for number in range(stretch.begin, stretch.end + 1):
            last = number == stretch.end
            counts.points += 1
            skipped = number <= min(without, default=-1)  # as with every fsync in place
            for image in () if skipped else cuts.states():
                key = (hash(tuple(sorted(image.files.items()))), hash((stretch, last)))
                if key in seen:
                    continue
                seen.add(key)
                _look(image, stretch, last, counts, chance, copies=copies)
                if enough is not None and len(counts.lost) >= enough:
                    return counts
            if not last and number not in without:
                cuts.follow(history.disk.steps[number])
    return counts


def _look(
    image: Image, stretch: Stretch, last: bool, counts: Counts, chance: random.Random, *, copies: bool
) -> None:
    allowed = stretch.after if last else stretch.during
    degraded = stretch.degraded_after if last else stretch.degraded_during
    opened = _verify(image, allowed, degraded, stretch.damaged, counts)
    if opened.steps and chance.random() < _AGAIN:  # and the power fails again, while that is being repaired
        again = PowerCuts(image, opened.start, chance)
        for step in opened.steps:
            again.follow(step)
            for state in again.states():
                _verify(state, allowed, degraded, stretch.damaged, counts)
    if copies and degraded == SOUND and not stretch.one_left:
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
    elif any(recovery.rev == 0 for recovery in store.recoveries):
        counts.lost.append("the marker cannot be read")
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


def fsyncs(history: History) -> list[list[int]]:
    """The numbers of the steps that bring something to the disk; several of one folder in a row are one."""
    groups: list[list[int]] = []
    for number, step in enumerate(history.disk.steps):
        if step.kind == "sync folder" and groups and groups[-1][-1] == number - 1:
            groups[-1].append(number)
        elif step.kind in {"sync", "sync folder"}:
            groups.append([number])
    return groups


def unchanged(membership: Membership) -> Decision[None]:
    """A decision that changes nothing: an answer that rests on what is there."""
    return Decision(membership, None)
