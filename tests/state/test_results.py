"""Answers of get-state are encoded once per form."""

from __future__ import annotations

import pytest

from enigma_fed.state.results import PlainResult, StateResult
from enigma_fed.wire import away, cbor, strictjson
from enigma_fed.wire.snapshot import App, Snapshot
from enigma_fed.wire.state import DeltaAnswer, FullState, StateAnswer, Unchanged, answer_from_object
from enigma_fed.wire.statedelta import Patch, StateDelta
from enigma_fed.wire.windows import Window

STATE = FullState(
    epoch=bytes(8),
    started=1_800_000_000,
    seq=7,
    ts=60,
    snapshot=Snapshot(node_name="attic", apps=(App(id="a", status="running"),), cpu_tenths=1),
    signature=bytes(64),
)
DELTA = DeltaAnswer(StateDelta(6, 7, 60, Patch(cpu_tenths=1)), bytes(64))


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize(
    ("answer", "kind", "seq"), [(STATE, "full", 7), (DELTA, "delta", 7), (Unchanged(), "unchanged", None)]
)
def test_a_result_is_encoded_once_and_can_be_read(
    answer: StateAnswer, kind: str, seq: int | None, binary: bool
) -> None:
    result = StateResult(answer)
    assert (result.kind, result.seq) == (kind, seq)
    encoded = result.encoded(binary=binary)
    assert result.encoded(binary=binary) is encoded
    read = (cbor if binary else strictjson).decode(encoded, limit=10_000)
    assert answer_from_object(read, binary=binary) == answer


def test_the_plain_form_is_the_snapshot_with_the_time_of_the_state() -> None:
    result = PlainResult(STATE)
    assert result.encoded(binary=False) is result.encoded(binary=False)
    assert strictjson.decode(result.encoded(binary=False), limit=10_000) == {
        "timestamp": "2027-01-15T08:01:00Z",
        "node_name": "attic",
        "apps": [{"id": "a", "status": "running", "version": None}],
        "cpu_usage_percent": 0.1,
    }


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("answer", [STATE, DELTA, Unchanged()])
def test_windows_stand_beside_any_answer_and_are_encoded_once(answer: StateAnswer, binary: bool) -> None:
    result = StateResult(answer)
    assert result.announcing(()) is result
    told = result.announcing((Window(1380, 420),))
    assert result.announcing((Window(1380, 420),)) is told
    assert result.announcing((Window(1, 2),)) is not told
    read = (cbor if binary else strictjson).decode(told.encoded(binary=binary), limit=10_000)
    assert answer_from_object(read, binary=binary) == answer
    assert away.beside(read) == (Window(1380, 420),)
    assert "away" not in result.to_object(binary=binary), "frames of a stream do not have it"
