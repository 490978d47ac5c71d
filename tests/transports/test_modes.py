"""Which tor is used, and why."""

from __future__ import annotations

import pytest

from enigma_fed.base.errors import TorMissing
from enigma_fed.transports.tor.modes import Choice, Found, TorMode, choose

CONTROL = Found(True, "the control port answers")
NO_CONTROL = Found(False, "no control port")
PROGRAM = Found(True, "tor is installed")
NO_PROGRAM = Found(False, "no program")
SOCKS = Found(True, "SOCKS answers")
NO_SOCKS = Found(False, "no SOCKS port")


@pytest.mark.parametrize("mode", ["managed", "system", "socks", "off"])
def test_a_named_mode_is_taken_whatever_there_is(mode: str) -> None:
    assert choose(mode, NO_CONTROL, NO_PROGRAM, NO_SOCKS) == Choice(TorMode(mode), "tor.mode says so")


@pytest.mark.parametrize(
    ("found", "mode"),
    [
        ((CONTROL, PROGRAM, SOCKS), TorMode.SYSTEM),
        ((NO_CONTROL, PROGRAM, SOCKS), TorMode.MANAGED),
        ((NO_CONTROL, NO_PROGRAM, SOCKS), TorMode.SOCKS),
    ],
)
def test_auto_takes_control_port_then_program_then_socks(
    found: tuple[Found, Found, Found], mode: TorMode
) -> None:
    assert choose("auto", *found).mode is mode


def test_auto_says_what_it_passed_by_and_why() -> None:
    assert choose("auto", NO_CONTROL, PROGRAM).why == "no control port; tor is installed"
    assert choose("auto", CONTROL).why == "the control port answers"


def test_with_nothing_at_all_it_says_what_to_install() -> None:
    with pytest.raises(TorMissing, match="no control port; no program; no SOCKS port") as caught:
        choose("auto", NO_CONTROL, NO_PROGRAM, NO_SOCKS)
    assert "apt install tor" in caught.value.hint
