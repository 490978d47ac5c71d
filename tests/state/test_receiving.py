"""What of a peer's answers is believed (PROTOCOL section 2)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from enigma_fed.base.errors import StateRefused
from enigma_fed.identity.signing import verify
from enigma_fed.state import receiving
from enigma_fed.state.receiving import Distrust, Reason
from enigma_fed.wire import statedelta
from enigma_fed.wire.snapshot import App, Snapshot
from enigma_fed.wire.state import DeltaAnswer, FullState, Have, StateAnswer, Unchanged, state_signing_input
from enigma_fed.wire.statedelta import AppChange, Patch, StateDelta
from tests.support.identities import did, key

NOW = 1_800_000_000
APPS = (App(id="a", status="running"), App(id="b", status="running"))


def state(seq: int = 5, epoch: int = 1, number: int = 1, **changes: Any) -> FullState:
    """A state of home 1, signed by home `number`."""
    values: dict[str, Any] = {"started": NOW, "ts": seq, "snapshot": Snapshot(node_name="attic", apps=APPS)}
    made = FullState(epoch=bytes([epoch]) * 8, seq=seq, signature=b"", **{**values, **changes})
    return signed(made, number)


def signed(made: FullState, number: int = 1) -> FullState:
    message = state_signing_input(did(1).public_key, made)
    return msgspec.structs.replace(made, signature=key(number).sign(message))


def delta(before: FullState, after: FullState, **changes: Any) -> DeltaAnswer:
    patch = statedelta.diff(before.snapshot, after.snapshot)
    made = StateDelta(before.seq, after.seq, after.ts, patch)
    return DeltaAnswer(msgspec.structs.replace(made, **changes), after.signature)


HELD = state()
NEXT = state(9, snapshot=Snapshot(node_name="attic", apps=APPS[1:], cpu_tenths=7))


def test_states_that_are_taken() -> None:
    assert receiving.receive(None, state(), did(1), verify) == state()
    assert receiving.receive(HELD, state(6), did(1), verify) == state(6)
    assert receiving.receive(HELD, state(), did(1), verify) is HELD
    assert receiving.receive(HELD, Unchanged(), did(1), verify) is HELD
    assert receiving.receive(HELD, state(1, epoch=2), did(1), verify) == state(1, epoch=2)
    assert receiving.receive(HELD, state(6), did(1), verify, named=False) == state(6)


def test_a_delta_is_applied_and_is_then_the_whole_state_that_was_signed() -> None:
    assert receiving.receive(HELD, delta(HELD, NEXT), did(1), verify) == NEXT


def test_a_delta_may_lead_to_a_state_that_looks_the_same() -> None:
    assert receiving.receive(HELD, delta(HELD, state(9)), did(1), verify) == state(9)


REFUSED: list[tuple[Reason, StateAnswer]] = [
    (Reason.LOWER_SEQ, state(4)),
    (Reason.TWO_STATES, state(6, started=NOW + 1)),
    (Reason.TWO_STATES, state(5, snapshot=Snapshot(node_name="other"))),
    (Reason.TWO_STATES, state(5, ts=9)),
    (Reason.BAD_SIGNATURE, state(6, number=2)),
    (Reason.BAD_SIGNATURE, msgspec.structs.replace(state(6), seq=7)),
    (Reason.BAD_SIGNATURE, msgspec.structs.replace(state(6), snapshot=Snapshot())),
    (Reason.BAD_SIGNATURE, msgspec.structs.replace(state(6, epoch=2), epoch=bytes(8))),
    (Reason.WRONG_BASE, delta(HELD, NEXT, base=4)),
    (Reason.WRONG_BASE, delta(HELD, NEXT, base=6)),
    (Reason.BAD_PATCH, delta(HELD, NEXT, patch=Patch(changed=(AppChange(2),)))),
    (Reason.BAD_PATCH, delta(HELD, NEXT, patch=Patch(cpu_tenths=None))),
    (Reason.BAD_SIGNATURE, delta(HELD, NEXT, patch=Patch(cpu_tenths=7))),
    (Reason.BAD_SIGNATURE, delta(HELD, NEXT, patch=Patch())),
    (Reason.BAD_SIGNATURE, delta(HELD, NEXT, seq=10)),
    (Reason.BAD_SIGNATURE, delta(HELD, NEXT, ts=10)),
    (Reason.BAD_SIGNATURE, delta(HELD, state(9, number=2))),
    (Reason.BAD_SIGNATURE, delta(HELD, state(9, epoch=2))),
]


@pytest.mark.parametrize(("reason", "answer"), REFUSED)
def test_invariant_11_a_state_that_breaks_the_rules_is_not_taken(reason: Reason, answer: StateAnswer) -> None:
    with pytest.raises(StateRefused) as caught:
        receiving.receive(HELD, answer, did(1), verify)
    assert caught.value.reason == reason


@pytest.mark.parametrize("answer", [delta(HELD, NEXT), Unchanged()])
@pytest.mark.parametrize("held", [HELD, None])
def test_invariant_11_only_whole_states_answer_a_question_that_names_none(
    answer: StateAnswer, held: FullState | None
) -> None:
    with pytest.raises(StateRefused) as caught:
        receiving.receive(held, answer, did(1), verify, named=False)
    assert caught.value.reason == Reason.NOT_ASKED


@pytest.mark.parametrize(
    "answer", [state(1, epoch=2), delta(HELD, NEXT), Unchanged()], ids=["whole", "delta", "unchanged"]
)
def test_invariant_11_what_is_bound_to_one_epoch_brings_no_other(answer: StateAnswer) -> None:
    with pytest.raises(StateRefused) as caught:
        receiving.receive(HELD, answer, did(1), verify, epoch=bytes(8))
    assert caught.value.reason == Reason.OLD_EPOCH
    assert receiving.receive(HELD, state(1, epoch=2), did(1), verify, epoch=bytes([2]) * 8).seq == 1
    assert receiving.receive(HELD, delta(HELD, NEXT), did(1), verify, epoch=HELD.epoch) == NEXT


def test_what_came_late_takes_nothing_back() -> None:
    """`held` was asked about, `stored` came in by another way meanwhile, `received` is the answer."""
    six, seven, newer, newest = state(6), state(7), state(1, epoch=2), state(1, epoch=3)
    for stored, held, received, kept in (
        (None, None, six, six),
        (HELD, HELD, six, six),
        (seven, HELD, six, seven),
        (six, HELD, seven, seven),
        (newer, HELD, six, newer),
        (six, HELD, newer, newer),
        (newer, HELD, newest, newer),
        (six, None, newer, six),
        (None, HELD, six, six),
    ):
        assert receiving.newest(stored, held, received) is kept


def test_after_one_mismatch_a_whole_state_is_asked_for_and_after_two_no_delta_any_more() -> None:
    assert receiving.have_of(HELD, None) == Have(HELD.epoch, 5)
    assert receiving.have_of(None, None) is None
    once = receiving.mistrust(None, HELD)
    assert (once.takes_deltas, receiving.have_of(HELD, once)) == (True, None)
    settled = receiving.believe(once, state(6))
    assert receiving.have_of(state(6), settled) == Have(HELD.epoch, 6)
    twice = receiving.mistrust(settled, state(6))
    assert not twice.takes_deltas
    still = receiving.believe(twice, state(7))
    assert still is not None
    assert (still.takes_deltas, receiving.have_of(state(7), still)) == (False, None)


def test_a_new_epoch_is_a_new_beginning() -> None:
    twice = Distrust(HELD.epoch, 2)
    assert receiving.believe(twice, state(1, epoch=2)) is None
    assert receiving.believe(None, HELD) is None
    assert receiving.mistrust(twice, state(1, epoch=2)) == Distrust(bytes([2]) * 8, 1)
    assert receiving.mistrust(twice, HELD) == Distrust(HELD.epoch, 3)


def test_mismatches_without_any_state_count_for_the_epoch_that_comes_first() -> None:
    twice = receiving.mistrust(receiving.mistrust(None, None), None)
    assert receiving.believe(twice, HELD) == Distrust(HELD.epoch, 2, forgotten=False)
