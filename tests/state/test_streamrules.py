"""When a stream may send and when it ends, on a clock that is a number."""

from __future__ import annotations

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import WireError
from enigma_fed.state.streamrules import Window
from enigma_fed.wire.state import Have
from enigma_fed.wire.stream import CloseCode

EPOCH = bytes(8)


def window(*sent: float) -> Window:
    """Opened at 0, with frames 1, 2, … sent at these times."""
    made = Window(0.0, None)
    for seq, when in enumerate(sent, 1):
        made.sent(Have(EPOCH, seq), when)
    return made


def test_invariant_7_a_window_closes_at_its_last_frame() -> None:
    made = window(*[0.0] * (limits.STREAM_WINDOW - 1))
    assert made.is_open
    made.sent(Have(EPOCH, limits.STREAM_WINDOW), 0.0)
    assert not made.is_open
    made.acknowledged(1)
    assert made.is_open


def test_what_was_sent_is_what_the_subscriber_will_have() -> None:
    made = Window(0.0, Have(EPOCH, 7))
    assert made.have == Have(EPOCH, 7)
    made.sent(Have(EPOCH, 9), 1.0)
    assert made.have == Have(EPOCH, 9)


def test_an_acknowledgement_covers_all_before_it() -> None:
    made = window(1.0, 2.0, 3.0)
    made.acknowledged(2)
    made.took(40.0)
    assert made.ending(3.0 + limits.STREAM_SLOW - 0.1) is None, "only 3 is left, sent at 3"
    assert made.ending(3.0 + limits.STREAM_SLOW) is CloseCode.SLOW


@pytest.mark.parametrize("seq", [0, 2, 4])
def test_what_was_not_sent_or_is_acknowledged_cannot_be_acknowledged(seq: int) -> None:
    made = window(1.0)
    made.sent(Have(EPOCH, 3), 1.0)
    with pytest.raises(WireError):
        made.acknowledged(seq)
    made.acknowledged(3)
    with pytest.raises(WireError):
        made.acknowledged(3)


def test_a_frame_that_is_not_acknowledged_ends_it() -> None:
    made = window(10.0, 20.0)
    made.took(35.0)
    assert made.ending(10.0 + limits.STREAM_SLOW - 0.1) is None
    assert made.ending(10.0 + limits.STREAM_SLOW) is CloseCode.SLOW


def test_silence_ends_it() -> None:
    made = window()
    assert made.ending(limits.STREAM_SILENCE - 0.1) is None
    assert made.ending(limits.STREAM_SILENCE) is CloseCode.SILENT
    made.took(50.0)
    assert made.ending(50.0 + limits.STREAM_SILENCE - 0.1) is None
    assert made.ending(50.0 + limits.STREAM_SILENCE) is CloseCode.SILENT


def test_it_ends_after_an_hour_however_healthy() -> None:
    made = window()
    made.took(limits.STREAM_LIFE - 1.0)
    assert made.ending(limits.STREAM_LIFE - 0.1) is None
    assert made.ending(limits.STREAM_LIFE) is CloseCode.DONE


def test_invariant_7_a_subscriber_says_so_much_at_once_and_so_much_per_second() -> None:
    made = window()
    for _ in range(limits.STREAM_MESSAGES_BURST):
        made.took(0.0)
    with pytest.raises(WireError, match="too many"):
        made.took(0.0)
    for second in range(1, 100):
        for _ in range(limits.STREAM_MESSAGES):
            made.took(float(second))
    with pytest.raises(WireError, match="too many"):
        made.took(99.0)
