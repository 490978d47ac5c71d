"""A million power cuts: random histories of a membership, cut after every step (invariant 5).

CRASH_STATES sets the number of states, CRASH_SEED the histories. Goal: 0 lost.
"""

from __future__ import annotations

import errno
import os
import random
import time

import pytest

from enigma_fed.base.errors import EnigmaError
from enigma_fed.federation import accepting, inviting, rules
from enigma_fed.federation.decision import Decide
from enigma_fed.wire.records import Stage, TrustLevel
from tests.support import stories
from tests.support.histories import FILES, Counts, History, in_a_hurry, replay, unchanged
from tests.support.members import NOW, outgoing
from tests.support.memberships import accept, invite_of
from tests.support.memorydisk import Killed

STATES = int(os.environ.get("CRASH_STATES", "1000000"))
SEED = os.environ.get("CRASH_SEED", "2026-11-20")
_LONGEST = 14
"""Events of one history."""
_EVERY_CUT = 0.05
"""Share of the histories of which unsynced bytes may end anywhere."""


def _change(history: History, chance: random.Random) -> Decide[object]:
    """A rule that fits what is there."""
    known = history.store.membership
    token = bytes([chance.randrange(1, 250)]) * 32
    rules_at_hand: list[Decide[object]] = [
        unchanged,
        lambda m: accept(m, invite_of(chance.randrange(1, 6), token=token[:16])),
    ]
    if all(entry.token_hash != token for entry in known.invites.outgoing):
        rules_at_hand.append(lambda m: inviting.create(m, outgoing(1, token_hash=token), NOW))
    opened = [entry.token_hash.hex() for entry in known.invites.outgoing if entry.stage is Stage.CREATED]
    rules_at_hand.extend(lambda m, i=name: inviting.revoke(m, i, NOW) for name in opened)  # type: ignore[misc]
    for entry in known.invites.incoming:
        hashed = entry.token_hash
        rules_at_hand.append(lambda m, h=hashed: accepting.tried(m, h, "no answer", NOW))  # type: ignore[misc]
        rules_at_hand.append(
            lambda m, h=hashed: accepting.announced(m, h, TrustLevel.OBSERVER, NOW)  # type: ignore[misc]
        )
    for node in known.nodes.nodes:
        level = chance.choice(list(TrustLevel))
        rules_at_hand.append(stories.trusting(node.did, level))
        rules_at_hand.append(lambda m, d=node.did: rules.confirm(m, d, NOW))  # type: ignore[misc]
        rules_at_hand.append(lambda m, d=node.did: rules.remove(m, d, NOW))  # type: ignore[misc]
    return chance.choice(rules_at_hand)


async def _happen(history: History, chance: random.Random) -> None:
    """One event: a change, a kill, a write that fails, a restart, or damage and its acceptance."""
    kind = chance.choices(
        ["change", "kill", "fail", "restart", "damage", "lose a copy"], [12, 2, 2, 2, 1, 1]
    )[0]
    disk = history.disk
    if kind in {"kill", "fail"}:
        disk.refuse_at = chance.randrange(25)
        disk.fault = Killed() if kind == "kill" else OSError(errno.EIO, "Input/output error")
    if kind in {"change", "kill", "fail"}:
        try:
            await history.apply(_change(history, chance))
        except EnigmaError:  # the rule refused
            return
        finally:
            disk.refuse_at = None
        if kind == "kill":
            history.start()
            await history.apply(unchanged)
    elif history.settled:
        if kind == "damage":
            path = chance.choice(FILES)
            data = disk.image.files[str(path)]
            history.damage(path, chance.choice([None, b"", data[: len(data) // 2], bytes(len(data))]))
        elif kind == "lose a copy":
            path = chance.choice(FILES)
            history.damage(path.with_name(f"{path.name}.bak"), chance.choice([None, b"{"]))
        history.start()
        await history.apply(unchanged)
        if kind == "damage":
            await history.accept()


async def _random_history(chance: random.Random) -> History:
    history = History(chunk=chance.choice([None, None, 50, 400]))
    for _ in range(chance.randrange(3, _LONGEST)):
        await _happen(history, chance)
    return history


@pytest.mark.timeout(3600)
async def test_invariant_5_no_power_cut_of_a_million_loses_anything() -> None:
    total, histories, begun = Counts(), 0, time.monotonic()
    with in_a_hurry():
        while total.states < STATES:
            chance = random.Random(f"{SEED}/{histories}")
            history = await _random_history(chance)
            counts = replay(
                history, chance, every_cut=chance.random() < _EVERY_CUT, copies=histories % 4 == 0
            )
            assert not counts.lost[:3], f"history {histories} of seed {SEED}"
            total.add(counts)
            histories += 1
            if histories % 50 == 0:
                print(
                    f"{histories} histories, {total.states} states, {time.monotonic() - begun:.0f} s",
                    flush=True,
                )
    print(
        f"crash replay: {histories} histories, {total.points} points, {total.states} states, "
        f"{len(total.lost)} lost, {time.monotonic() - begun:.0f} s (seed {SEED})"
    )
