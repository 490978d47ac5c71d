"""When a state gets a number, and how gauges become numbers (PROTOCOL section 2)."""

from __future__ import annotations

import pytest

from enigma_fed.base import limits
from enigma_fed.state.rules import CpuTimes, Publisher, cpu_tenths, cpu_times, sample_due
from enigma_fed.wire.snapshot import Snapshot
from enigma_fed.wire.state import Have, state_signing_input

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


def test_only_the_very_same_epoch_and_number_count_as_had(publisher: Publisher) -> None:
    assert not publisher.has(None)
    publisher.advance(1000, Snapshot())
    assert publisher.has(Have(EPOCH, 1))
    assert not publisher.has(Have(EPOCH, 2))
    assert not publisher.has(Have(b"\x03" * 8, 1))
    assert not publisher.has(None)


@pytest.mark.parametrize(
    ("age", "tor_changed", "due"),
    [
        (limits.STATE_SAMPLE_INTERVAL, False, True),
        (limits.STATE_SAMPLE_INTERVAL - 0.1, False, False),
        (1.0, True, True),
        (0.9, True, False),
    ],
)
def test_gauges_are_read_every_ten_seconds_and_at_a_change_of_tor(
    age: float, tor_changed: bool, due: bool
) -> None:
    assert sample_due(100.0, 100.0 - age, tor_changed) is due


def test_the_first_question_is_always_due() -> None:
    assert sample_due(0.0, None, False)


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
