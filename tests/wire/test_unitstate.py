"""What `systemctl show` prints, read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enigma_fed.base.errors import WireError
from enigma_fed.wire.unitstate import decode

SHOWN = """\
LoadState=loaded
ActiveState=active
SubState=running
Result=success
UnitFileState=enabled
FragmentPath=/etc/systemd/system/enigma-fed.service
NeedDaemonReload=no
StatusText=Tor is bootstrapping at 45 %: a = b
MainPID=321
NRestarts=2
ExecMainStatus=0
ActiveEnterTimestamp=@1795000000
WatchdogUSec=30s
"""


def test_a_running_service() -> None:
    state = decode(SHOWN, "enigma-fed.service", "system")
    assert state.is_up
    assert state.installed
    assert state.enabled
    assert not state.stale
    assert (state.pid, state.restarts, state.watchdog) == (321, 2, "30s")
    assert state.since == "2026-11-18T11:06:40Z"
    assert state.says == "Tor is bootstrapping at 45 %: a = b"


def test_a_service_that_is_not_there() -> None:
    state = decode("LoadState=not-found\nActiveState=inactive\n", "enigma-fed.service", "user")
    assert not state.installed
    assert not state.is_up
    assert (state.pid, state.since) == (None, None)


def test_one_that_ended_has_no_beginning() -> None:
    state = decode(SHOWN.replace("ActiveState=active", "ActiveState=failed"), "u", "system")
    assert state.since is None


def test_numbers_beyond_their_meaning_are_none() -> None:
    said = "LoadState=loaded\nActiveState=active\nActiveEnterTimestamp=@999999999999999\n"
    state = decode(f"{said}MainPID={'9' * 5000}\nNRestarts=\u0663\n", "u", "system")
    assert (state.since, state.pid, state.restarts) == (None, None, 0)


def test_silence_is_an_error() -> None:
    with pytest.raises(WireError):
        decode("", "u", "system")


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        decode(f"LoadState=loaded\nActiveState=active\n{text}", "u", "system")
        decode(text, "u", "system")
    except WireError:
        pass
