from __future__ import annotations

from typing import Any

import pytest

from enigma_fed.federation.liveness import Liveness, Off, Presence, is_old, judge, reason

OWN_WORD = Off(until="07:00", announced=True)
OURS = Off(until="13:00", announced=False)


def presence(age: float | None = 12.0, **changes: Any) -> Presence:
    values: dict[str, Any] = {"heard": None if age is None else 1000.0 - age, "now": 1000.0, "interval": 60}
    return Presence(**{**values, **changes})


@pytest.mark.parametrize(
    ("age", "expected"),
    [(0, "up"), (150, "up"), (150.1, "late"), (300, "late"), (300.1, "offline"), (10**6, "offline")],
)
def test_liveness(age: float, expected: str) -> None:
    assert judge(presence(age)) == expected


def test_a_state_is_old_when_its_peer_would_be_offline() -> None:
    assert [is_old(age, 60) for age in (0, 300, 300.1)] == [False, False, True]


def test_liveness_is_unknown_before_the_first_word_and_without_a_path_of_our_own() -> None:
    assert judge(presence(None)) == "unknown"
    assert judge(presence(0, path_ready=False)) == "unknown"
    assert judge(presence(None, off=OURS)) == "unknown"


@pytest.mark.parametrize("off", [OWN_WORD, OURS])
@pytest.mark.parametrize("age", [0, 150.1, 300.1])
def test_silence_within_a_window_is_expected_and_nothing_else_is(age: float, off: Off) -> None:
    silent = judge(presence(age)) in (Liveness.LATE, Liveness.OFFLINE)
    assert judge(presence(age, off=off)) == ("offline-expected" if silent else Liveness.UP)


@pytest.mark.parametrize(
    ("known", "text"),
    [
        (presence(), "heard 12 s ago"),
        (presence(next_poll=1050.0), "heard 12 s ago"),
        (presence(200, next_poll=1050.0), "heard 3 min ago; next try in 50 s"),
        (presence(None), "never heard since this node started"),
        (presence(None, next_poll=1002.0), "never heard since this node started; next try in 2 s"),
        (presence(None, next_poll=999.0), "never heard since this node started; next try in 1 s"),
        (
            presence(900, failures=3, problem="no connection could be made.", next_poll=1240.0),
            "3 polls failed: no connection could be made; next try in 4 min",
        ),
        (presence(failures=1, next_poll=1015.0), "1 poll failed; next try in 15 s"),
        (presence(7200, failures=2, paused=True), "paused here; heard 2 h ago"),
        (presence(None, path_ready=False), "this node's own Tor is not ready"),
        (presence(None, running=False), "no agent runs here"),
        (presence(900, off=OWN_WORD, failures=2), "off by its own word until 07:00"),
        (presence(900, off=OURS), "expected to be off until 13:00"),
        (presence(12, off=OURS), "heard 12 s ago"),
    ],
)
def test_every_word_has_its_reason(known: Presence, text: str) -> None:
    assert reason(known) == text
