"""When the federation hears that our own way out is lost, and that it works again."""

from __future__ import annotations

from enigma_fed.daemon.wayout import WayOut
from enigma_fed.transports.tor.status import TorPhase, TorStatus


def heard(*statuses: tuple[TorPhase, str]) -> list[str]:
    told: list[str] = []
    way_out = WayOut(lambda: told.append("lost"), lambda: told.append("back"))
    for phase, reason in statuses:
        way_out(TorStatus(phase=phase, reason=reason))
    return told


def test_a_start_tells_once_of_a_way_out_and_once_of_a_whole_one() -> None:
    phases = ("starting", "bootstrapping", "publishing", "probing", "ready", "ready")
    assert heard(*((TorPhase(phase), "") for phase in phases)) == ["back", "lost", "back"]


def test_what_tor_says_of_a_network_that_is_gone_is_a_loss_and_no_return() -> None:
    ready, trouble = TorPhase.READY, "Tor has lost its network"
    assert heard((ready, ""), (ready, trouble), (ready, "this machine has no network"), (ready, "")) == [
        "back",
        "lost",
        "back",
    ]


def test_a_tor_that_ended_is_a_loss() -> None:
    assert heard((TorPhase.READY, ""), (TorPhase.FAILED, "it ended"), (TorPhase.STARTING, "")) == [
        "back",
        "lost",
    ]


def test_a_tor_that_never_worked_was_not_lost() -> None:
    assert heard((TorPhase.STARTING, ""), (TorPhase.FAILED, "it ended"), (TorPhase.OFF, "")) == []
