"""Telling systemd, over real sockets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from enigma_fed.daemon.notify import Notifier
from enigma_fed.wire import sdnotify
from tests.support.notifysocket import NotifySocket


@pytest.mark.parametrize("abstract", [False, True])
def test_messages_arrive_at_a_path_and_at_an_abstract_address(runtime_dir: Path, abstract: bool) -> None:
    address = f"@{runtime_dir}" if abstract else str(runtime_dir / "notify")
    with NotifySocket(address) as systemd:
        notifier = Notifier.take({"NOTIFY_SOCKET": address})
        assert notifier.listening
        notifier.send(sdnotify.ready("up"))
        assert systemd.next() == {"READY": "1", "STATUS": "up"}
        notifier.status("Tor is at 45 %")
        assert systemd.next() == {"STATUS": "Tor is at 45 %"}
        notifier.close()


def test_the_variables_are_taken_so_that_no_child_speaks_for_the_agent(runtime_dir: Path) -> None:
    with NotifySocket(runtime_dir / "notify") as systemd:
        environ = {
            "NOTIFY_SOCKET": systemd.name,
            "WATCHDOG_USEC": "30000000",
            "WATCHDOG_PID": str(os.getpid()),
            "PATH": "/bin",
        }
        notifier = Notifier.take(environ)
        assert environ == {"PATH": "/bin"}
        assert notifier.watchdog == 15.0
        notifier.close()


def test_without_a_listener_nothing_is_sent_and_no_sign_of_life_is_owed(runtime_dir: Path) -> None:
    nobody = str(runtime_dir / "nobody")
    for environ in ({}, {"NOTIFY_SOCKET": "vsock:2:1234"}, {"NOTIFY_SOCKET": nobody}):
        notifier = Notifier.take({**environ, "WATCHDOG_USEC": "30000000"})
        assert not notifier.listening
        assert notifier.watchdog is None
        notifier.send(sdnotify.WATCHDOG)
        notifier.close()


def test_a_manager_that_went_away_or_does_not_read_stops_nobody(
    runtime_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with NotifySocket(runtime_dir / "notify") as systemd:
        notifier = Notifier.take({"NOTIFY_SOCKET": systemd.name})
        while "could not be told" not in caplog.text:
            notifier.send(sdnotify.WATCHDOG)
    caplog.clear()
    notifier.send(sdnotify.WATCHDOG)
    assert "could not be told" in caplog.text
    notifier.close()
