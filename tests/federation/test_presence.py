"""What is shown of a peer comes from its entry, from what polling learned, and from its line."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from enigma_fed.federation.presence import show
from enigma_fed.wire.records import Observation
from enigma_fed.wire.windows import Window, parse_windows
from tests.support.identities import did
from tests.support.manualclock import ManualClock
from tests.support.members import member

NIGHT = 1_800_050_400
"""2027-01-15T22:00:00Z, 23:00 in Paris."""


@pytest.fixture
def paris(monkeypatch: pytest.MonkeyPatch) -> Iterator[ManualClock]:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield ManualClock(wall=NIGHT, boot=10_000.0)
    monkeypatch.undo()
    time.tzset()


def test_the_next_poll_and_the_reason_are_shown(paris: ManualClock) -> None:
    seen = Observation(did=did(1), failures=2, last_error="no connection could be made")
    view = show(member(1), seen, paris, heard=None, interval=60, next_poll=10_030.0)
    assert (view.liveness, view.next_poll_at) == ("unknown", "2027-01-15T22:00:30Z")
    assert view.liveness_reason == "2 polls failed: no connection could be made; next try in 30 s"
    assert show(member(1), None, paris, heard=10_000.0, interval=60, running=False).next_poll_at is None


def test_announced_windows_are_shown_and_judged_in_local_time(paris: ManualClock) -> None:
    seen = Observation(did=did(1), away=(Window(22 * 60, 6 * 60),))
    view = show(member(1), seen, paris, heard=1.0, interval=60)
    assert (view.liveness, view.announced_windows) == ("offline-expected", ["23:00-07:00"])
    assert view.liveness_reason == "off by its own word until 07:00"
    paris.advance(8 * 3600)
    view = show(member(1), seen, paris, heard=1.0, interval=60)
    assert (view.liveness, view.liveness_reason) == ("offline", "heard 10 h ago")


def test_the_owners_window_goes_first(paris: ManualClock) -> None:
    seen = Observation(did=did(1), away=(Window(22 * 60, 6 * 60),))
    node = member(1, offline_windows=parse_windows(["12:00-13:00", "22:30-23:30"]))
    view = show(node, seen, paris, heard=1.0, interval=60)
    assert view.liveness_reason == "expected to be off until 23:30"
