"""When a state gets a number, and how gauges become numbers (PROTOCOL section 2)."""

from __future__ import annotations

import pytest

from enigma_fed.base import limits
from enigma_fed.state.rules import CpuTimes, Publisher, cpu_tenths, cpu_times, gap, sample_due
from enigma_fed.wire.snapshot import Snapshot
from enigma_fed.wire.state import DeltaAnswer, Have, state_signing_input
from enigma_fed.wire.statedelta import Patch, StateDelta

KEY = b"\x01" * 32
EPOCH = b"\x02" * 8


class Signer:
    """Counts what it signs."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []

    def __call__(self, message: bytes) -> bytes:
        self.messages.append(message)
        return bytes([len(self.messages)]) * 64


@pytest.fixture
def signer() -> Signer:
    return Signer()


@pytest.fixture
def publisher(signer: Signer) -> Publisher:
    return Publisher(KEY, EPOCH, 1000, signer)


def test_a_state_is_signed_once_per_number(publisher: Publisher, signer: Signer) -> None:
    assert publisher.advance(1005, Snapshot(cpu_tenths=1))
    assert publisher.current is not None
    assert (publisher.current.seq, publisher.current.ts) == (1, 5)
    assert signer.messages == [state_signing_input(KEY, publisher.current)]
    assert not publisher.advance(1006, Snapshot(cpu_tenths=1))
    assert len(signer.messages) == 1
    assert publisher.advance(1007, Snapshot(cpu_tenths=2))
    assert (publisher.current.seq, publisher.current.ts) == (2, 7)


def test_time_never_goes_back_within_an_epoch(publisher: Publisher) -> None:
    publisher.advance(1100, Snapshot(cpu_tenths=1))
    publisher.advance(500, Snapshot(cpu_tenths=2))
    assert publisher.current is not None
    assert publisher.current.ts == 100
    publisher.advance(2**40, Snapshot(cpu_tenths=3))
    assert publisher.current.ts == 2**32 - 1


def test_a_clock_behind_the_start_gives_no_negative_time(publisher: Publisher) -> None:
    publisher.advance(10, Snapshot())
    assert publisher.current is not None
    assert publisher.current.ts == 0


def test_a_base_is_a_state_of_this_epoch_that_is_still_known(publisher: Publisher) -> None:
    assert publisher.base(Have(EPOCH, 1)) is None
    for number in range(limits.STATES_REMEMBERED + 3):
        publisher.advance(1000, Snapshot(cpu_tenths=number))
    newest = limits.STATES_REMEMBERED + 3
    assert publisher.base(Have(EPOCH, newest)) is publisher.current
    oldest = publisher.base(Have(EPOCH, 4))
    assert oldest is not None
    assert (oldest.seq, oldest.snapshot) == (4, Snapshot(cpu_tenths=3))
    for have in (None, Have(EPOCH, 3), Have(EPOCH, newest + 1), Have(EPOCH, 0), Have(b"\x03" * 8, newest)):
        assert publisher.base(have) is None


def test_a_delta_has_the_signature_of_the_newest_state(publisher: Publisher, signer: Signer) -> None:
    for number in (1, 2, 3):
        publisher.advance(1000 + number, Snapshot(cpu_tenths=number, tor_active=True))
    base, current = publisher.base(Have(EPOCH, 1)), publisher.current
    assert base is not None
    assert current is not None
    answer = publisher.delta_from(base)
    assert answer == DeltaAnswer(StateDelta(1, 3, 3, Patch(cpu_tenths=3)), current.signature)
    assert len(signer.messages) == 3


@pytest.mark.parametrize(
    ("age", "due"), [(limits.STATE_SAMPLE_INTERVAL, True), (limits.STATE_SAMPLE_INTERVAL - 0.1, False)]
)
def test_gauges_are_due_after_their_interval(age: float, due: bool) -> None:
    assert sample_due(100 + age, 100) == due
    assert sample_due(0, None)


def test_two_numbers_are_a_second_apart() -> None:
    """limits.STATE_GAP."""
    assert gap(100, None) == 0
    assert gap(100, 100) == limits.STATE_GAP
    assert gap(100 + limits.STATE_GAP - 0.25, 100) == 0.25
    assert gap(100 + limits.STATE_GAP, 100) == 0
    assert gap(200, 100) == 0


def test_cpu_is_the_busy_share_between_two_readings() -> None:
    before = cpu_times({"user": 10.0, "system": 5.0, "idle": 80.0, "iowait": 5.0, "guest": 9.0})
    after = cpu_times({"user": 12.0, "system": 6.0, "idle": 85.0, "iowait": 7.0, "guest": 11.0})
    assert before == CpuTimes(total=100.0, idle=85.0)
    assert cpu_tenths(before, after) == 300


@pytest.mark.parametrize(
    ("before", "after", "tenths"),
    [
        (CpuTimes(10, 5), CpuTimes(10, 5), None),
        (CpuTimes(10, 5), CpuTimes(9, 5), None),
        (CpuTimes(10, 5), CpuTimes(10.4, 5), None),
        (CpuTimes(10, 5), CpuTimes(11, 7), 0),
        (CpuTimes(10, 5), CpuTimes(11, 4), 1000),
        (CpuTimes(0, 0), CpuTimes(3, 1), 667),
    ],
)
def test_odd_counters_stay_within_0_and_100_percent(
    before: CpuTimes, after: CpuTimes, tenths: int | None
) -> None:
    assert cpu_tenths(before, after) == tenths
