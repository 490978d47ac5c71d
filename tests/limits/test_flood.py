"""20 000 strangers at once: memory stays, the loop runs, members are served. Figures are printed (`-s`).

tests/soak/test_flood.py does the same with a million, from other processes.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path
from typing import Final

import pytest

from enigma_fed.base import limits
from enigma_fed.identity import signing
from tests.support import flood
from tests.support.flood import Make
from tests.support.manualclock import ManualClock
from tests.support.rawhttp import Caller, signed
from tests.support.signedcalls import key
from tests.support.target import Target, target

STRANGERS: Final = int(os.environ.get("ENIGMA_TEST_STRANGERS", "20000"))
GROWTH_MIB: Final = 16.0
"""How much more memory the process may have after a flood than before."""
WARM_UP: Final = 500


@pytest.fixture
async def victim(tmp_path: Path) -> AsyncIterator[Target]:
    async with target(tmp_path / "home", ManualClock()) as made:
        yield made


def requests(victim: Target, make: Make, count: int, start: int = 0) -> list[bytes]:
    return [make(victim.did, number, victim.clock.wall) for number in range(start, start + count)]


async def watched(victim: Target, what: str, flooding: Awaitable[Counter[str]]) -> Counter[str]:
    """Let the flood come while a member polls, and look at memory, loop and member; what was answered."""
    before = flood.memory()
    now = victim.clock.wall
    async with flood.watching() as watch, flood.member_calls(victim.port, victim.did, now) as calls:
        words = await flooding
    after = flood.memory()
    print(f"{what}: {dict(words)}; {calls}; {watch}; memory {before:.1f} MiB before, {after:.1f} MiB after")
    assert watch.blocked == 0
    assert set(calls.words) == {"ok"}
    assert after - before < GROWTH_MIB
    return words


async def attack(victim: Target, what: str, wanted: Iterable[bytes]) -> Counter[str]:
    """Flood the victim with these requests."""
    return await watched(victim, what, flood.flood(victim.port, wanted))


@pytest.mark.slow
async def test_invariant_7_twenty_thousand_unknown_dids_cost_no_memory_and_nobody_a_turn(
    victim: Target,
) -> None:
    """Each signs with a key of its own: nothing is kept of any of them."""
    await flood.flood(victim.port, requests(victim, flood.unknown, WARM_UP))
    prepared = requests(victim, flood.unknown, STRANGERS, WARM_UP)
    words = await attack(victim, f"{STRANGERS} unknown DIDs", prepared)
    assert words == {"unknown-peer": STRANGERS}
    gate = victim.endpoint._gate
    assert len(gate._nonces) < 500, "the member's own"
    assert gate._parse_keyid.cache_info().currsize <= limits.DIDS_CACHED


MANY: Final = 1500


async def test_invariant_7_joins_with_made_up_tokens_are_counted_and_no_signature_is_checked(
    victim: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = requests(victim, flood.join(), MANY)
    checked: list[bytes] = []
    monkeypatch.setattr("enigma_fed.rpc.gate.verify", counting(checked))
    words = await attack(victim, "joins with unknown tokens", made)
    assert words == {"unknown-token": limits.JOIN_TRIES_UNKNOWN, "busy": MANY - limits.JOIN_TRIES_UNKNOWN}
    assert set(checked) == {key(1).did.public_key}, "the member's alone"
    assert len(victim.store.membership.nodes.nodes) == 1


def counting(checked: list[bytes]) -> Callable[[bytes, bytes, bytes], bool]:
    def noting(public_key: bytes, message: bytes, signature: bytes) -> bool:
        checked.append(public_key)
        return signing.verify(public_key, message, signature)

    return noting


async def test_invariant_7_one_token_lets_one_in_and_the_crowd_behind_it_waits_outside(
    victim: Target,
) -> None:
    token = await victim.token()
    words = await attack(victim, "one token, many DIDs", requests(victim, flood.join(token), MANY))
    assert words["ok"] == 1
    assert words["token-used"] == limits.NONCES_PER_TOKEN - 1
    assert words["busy"] == MANY - limits.NONCES_PER_TOKEN
    assert len(victim.store.membership.nodes.nodes) == 2


async def test_invariant_7_late_joins_wait_up_to_a_number(victim: Target) -> None:
    token = await victim.token(limits.INVITE_TTL_MIN)
    victim.clock.advance(limits.INVITE_TTL_MIN)  # type: ignore[attr-defined]
    words = await attack(victim, "late joins", requests(victim, flood.join(token), MANY))
    assert words == {"awaiting-approval": limits.PENDING_JOINS, "busy": MANY - limits.PENDING_JOINS}
    assert len(victim.store.membership.invites.pending) == limits.PENDING_JOINS


async def test_invariant_7_forgeries_with_a_members_name_leave_nothing(victim: Target) -> None:
    words = await attack(victim, "a member's name", requests(victim, flood.forged(key(1)), MANY))
    assert words == {"bad-signature": MANY}
    assert len(victim.endpoint._gate._nonces) < 500


async def test_invariant_7_replays_leave_nothing(victim: Target) -> None:
    captured = signed(key(1), victim.did, victim.clock.wall())
    caller = await Caller.tcp(victim.port)
    assert (await caller.ask(captured)).word == "ok"
    caller.close()
    words = await attack(victim, "replays", requests(victim, flood.replay(captured), MANY))
    assert words == {"replayed": MANY}
    assert len(victim.endpoint._gate._nonces) < 500


async def test_invariant_7_the_header_set_of_old_lets_nobody_in(victim: Target) -> None:
    words = await attack(victim, "old headers", requests(victim, flood.legacy, MANY))
    assert words.total() == MANY
    assert "ok" not in words


async def test_invariant_7_connections_that_come_and_go_leave_nothing(victim: Target) -> None:
    words = await watched(victim, "connections", flood.churn(victim.port, MANY))
    assert words == {"opened": MANY}
