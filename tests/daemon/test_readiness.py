"""Why a node is not ready, and what to do: a function of typed values."""

from __future__ import annotations

from dataclasses import replace

import pytest

from enigma_fed.base import limits
from enigma_fed.base.suspension import Suspended
from enigma_fed.daemon.readiness import Facts, Room, examine, to_text
from enigma_fed.transports.tor.modes import TorMode
from enigma_fed.transports.tor.status import TorPhase, TorStatus

READY = TorStatus(phase=TorPhase.READY, percent=100, mode=TorMode.MANAGED)
WELL = Facts(tor=READY, room=Room(limits.DISK_LOW))


def codes(facts: Facts) -> list[str]:
    return [reason.code for reason in examine(facts).reasons]


def test_a_node_that_lacks_nothing_is_ready() -> None:
    view = examine(WELL)
    assert (view.ready, view.reasons) == (True, [])
    assert to_text(view) == "ready\n"


STATES = {
    "tor-off": replace(WELL, tor=TorStatus(phase=TorPhase.OFF)),
    "tor-failed": replace(WELL, tor=replace(READY, phase=TorPhase.FAILED, reason="it ended")),
    "onion-not-reached": replace(WELL, tor=replace(READY, phase=TorPhase.PROBING)),
    "tor-not-ready": replace(WELL, tor=replace(READY, phase=TorPhase.BOOTSTRAPPING, percent=45)),
    "tor-trouble": replace(WELL, tor=replace(READY, reason="Tor has lost its network")),
    "disk-silent": replace(WELL, room=None),
    "disk-full": replace(WELL, room=Room(limits.DISK_LOW - 1)),
    "store-read-only": replace(WELL, room=Room(2**40, read_only=True)),
    "store-unwritable": replace(WELL, unwritable=True),
    "store-recovered": replace(WELL, suspended=(Suspended.RECOVERED,)),
    "another-copy": replace(WELL, suspended=(Suspended.ANOTHER_COPY,)),
    "clock-behind": replace(WELL, clock_behind=True),
}


@pytest.mark.parametrize("code", STATES)
def test_every_reason_has_words_and_a_next_step(code: str) -> None:
    view = examine(STATES[code])
    assert not view.ready
    assert [reason.code for reason in view.reasons] == [code]
    text = to_text(view)
    assert text.startswith(f"not ready\n{code}: ")
    assert view.reasons[0].next in text
    assert len(view.reasons[0].next) > 10


def test_tor_says_how_far_it_is_and_why_it_does_not_get_on() -> None:
    stuck = replace(READY, phase=TorPhase.BOOTSTRAPPING, percent=10, reason="this machine has no network")
    [reason] = examine(replace(WELL, tor=stuck)).reasons
    assert reason.why == "Tor is bootstrapping (10 %): this machine has no network"


def test_an_owner_of_a_tor_of_his_own_is_led_to_its_lines() -> None:
    probing = replace(READY, phase=TorPhase.PROBING, mode=TorMode.SOCKS)
    [reason] = examine(replace(WELL, tor=probing)).reasons
    assert "enigma-fed doctor" in reason.next


def test_every_reason_is_told_what_endangers_the_store_first() -> None:
    bad = Facts(TorStatus(TorPhase.STARTING), tuple(Suspended), unwritable=True, clock_behind=True)
    assert codes(bad) == [
        "disk-silent",
        "store-unwritable",
        "store-recovered",
        "another-copy",
        "tor-not-ready",
        "clock-behind",
    ]
