"""How long an onion may be silent before which repair."""

from __future__ import annotations

from enigma_fed.base import limits
from enigma_fed.transports.tor.repair import Ladder, Repair


def test_nothing_is_due_before_the_patience_is_over() -> None:
    assert Ladder().due(limits.ONION_REPAIR_FIRST - 0.01) is None
    assert Ladder().due(limits.ONION_REPAIR_FIRST) is Repair.RELOAD


def test_gentle_first_then_anew_and_round_again() -> None:
    ladder, kinds = Ladder(), []
    for _ in range(4):
        kinds.append(ladder.due(ladder.patience))
        ladder = ladder.climbed()
    assert kinds == [Repair.RELOAD, Repair.RENEW, Repair.RESTART, Repair.RELOAD]


def test_each_waits_twice_as_long_up_to_an_hour() -> None:
    assert Ladder(1).patience == 2 * Ladder(0).patience
    assert Ladder(100).patience == limits.ONION_REPAIR_MAX
    assert Ladder(10**9).patience == limits.ONION_REPAIR_MAX
