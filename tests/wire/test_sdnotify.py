"""The bytes of systemd's notification protocol."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enigma_fed.wire import sdnotify


def test_messages_are_lines_of_variables() -> None:
    assert sdnotify.ready("up") == b"READY=1\nSTATUS=up"
    assert sdnotify.stopping("over") == b"STOPPING=1\nSTATUS=over"
    assert sdnotify.reloading(12.5) == b"RELOADING=1\nMONOTONIC_USEC=12500000"
    assert sdnotify.status("Tor is at 45 %") == b"STATUS=Tor is at 45 %"


@given(st.text())
def test_a_status_never_becomes_another_variable(text: str) -> None:
    encoded = sdnotify.status(text.replace("\ud800", ""))
    assert encoded.startswith(b"STATUS=")
    assert b"\n" not in encoded
    assert len(encoded.decode()) <= len("STATUS=") + 200


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("/run/systemd/notify", "/run/systemd/notify"),
        ("@notify/7", "\0notify/7"),
        ("vsock:2:1234", None),
        ("", None),
    ],
)
def test_an_address_is_a_path_or_abstract(text: str, address: str | None) -> None:
    assert sdnotify.address(text) == address


@pytest.mark.parametrize(
    ("environ", "interval"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "²"}, None),
        ({}, None),
    ],
)
def test_signs_of_life_come_twice_as_often_as_they_must(
    environ: dict[str, str], interval: float | None
) -> None:
    assert sdnotify.watchdog_interval(environ, 7) == interval
