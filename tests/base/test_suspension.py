"""What the owner is told while joins and installs are suspended."""

from __future__ import annotations

from enigma_fed.base.errors import AnotherCopy, StoreRecovered
from enigma_fed.base.suspension import Suspended, refusal


def test_each_reason_has_its_error_with_the_next_step() -> None:
    assert refusal(()) is None
    recovered = refusal((Suspended.ANOTHER_COPY, Suspended.RECOVERED))
    assert isinstance(recovered, StoreRecovered)
    assert (recovered.exit_code, "doctor --accept-recovered" in recovered.hint) == (7, True)
    copied = refusal((Suspended.ANOTHER_COPY,))
    assert isinstance(copied, AnotherCopy)
    assert (copied.exit_code, "Stop the other copy" in copied.hint) == (6, True)
