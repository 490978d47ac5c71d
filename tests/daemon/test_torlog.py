"""How Tor gets on, as the log tells it."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from enigma_fed.daemon.torlog import TorLog
from enigma_fed.transports.tor.status import PublicPhase, PublicStatus, TorPhase, TorStatus


def test_each_onion_is_told_once_per_change(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    log, status = TorLog(), TorStatus(TorPhase.PROBING)
    ready = replace(status, phase=TorPhase.READY)
    silent = PublicStatus(PublicPhase.SILENT, "nobody reaches it")
    for each in (
        status,
        ready,
        replace(ready, public=PublicStatus(PublicPhase.PUBLISHING)),
        replace(ready, public=silent),
        replace(ready, public=replace(silent, repairs=1)),
        replace(ready, public=PublicStatus(PublicPhase.READY)),
        replace(ready, reason="no network", percent=100, public=PublicStatus(PublicPhase.READY)),
    ):
        log(each)
        log(each)
    assert caplog.messages == [
        "Tor is probing",
        "Tor is ready",
        "the onion for strangers is publishing",
        "the onion for strangers is silent: nobody reaches it",
        "the onion for strangers is ready",
        "Tor is ready at 100 %: no network",
    ]
