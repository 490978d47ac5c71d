"""Why streams end, in one word each."""

from __future__ import annotations

import pytest

from enigma_fed.rpc.streamend import StreamEnd, of_close_code


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (1000, StreamEnd.TIME_OVER),
        (1001, StreamEnd.GOING_AWAY),
        (1008, StreamEnd.REJECTED),
        (4001, StreamEnd.REPLACED),
        (4002, StreamEnd.TRUST_CHANGED),
        (4003, StreamEnd.TOO_SLOW),
        (4004, StreamEnd.UNHEARD),
        (0, StreamEnd.CLOSED),
        (4999, StreamEnd.CLOSED),
    ],
)
def test_each_close_code_of_the_protocol_has_a_reason(code: int, reason: StreamEnd) -> None:
    assert of_close_code(code) is reason
