"""Tor's status as a value."""

from __future__ import annotations

from enigma_fed.transports.tor.status import TorPhase, TorStatus


def test_only_the_last_phase_is_ready() -> None:
    assert [phase for phase in TorPhase if TorStatus(phase).ready] == [TorPhase.READY]
