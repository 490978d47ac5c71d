"""A tor process: started, watched, stopped; small scripts stand in for tor."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import socket
from pathlib import Path

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import TorFailed
from enigma_fed.transports.tor.binary import TorBinary
from enigma_fed.transports.tor.process import (
    TorProcess,
    last_words,
    wait_for_free_lock,
    wait_for_socket,
)

TORRC = Path("/nonexistent/torrc")


def script(folder: Path, text: str) -> TorBinary:
    path = folder / "tor"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return TorBinary(path)


async def test_its_last_error_says_why_it_ended(tmp_path: Path) -> None:
    tor = script(tmp_path, "echo 'Nov 20 [warn] not this'; echo 'Nov 20 [err] the disk is full.'; exit 1")
    process = await TorProcess.launch(tor, TORRC)
    assert await process.wait() == "it ended with status 1: the disk is full."
    await process.stop()


async def test_a_killed_one_is_not_explained_by_its_old_warnings(tmp_path: Path) -> None:
    process = await TorProcess.launch(script(tmp_path, "echo '[warn] old news'; exec sleep 60"), TORRC)
    os.kill(process.pid, signal.SIGKILL)
    assert await process.wait() == "it was killed (signal 9)"
    await process.stop()


async def test_output_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TOR_OUTPUT_BYTES", 64)
    noise = "head -c 1000000 /dev/zero; echo; echo '[err] at the end'; exit 1"
    process = await TorProcess.launch(script(tmp_path, noise), TORRC)
    assert (await process.wait()).endswith(": at the end")
    assert len(process._output) == 64
    await process.stop()


async def test_stop_ends_one_that_listens_to_no_signal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TOR_STOP_TIMEOUT", 0.1)
    deaf = script(tmp_path, "trap '' TERM; echo '[err] deaf'; while :; do sleep 0.05; done")
    process = await TorProcess.launch(deaf, TORRC)
    while b"deaf" not in process._output:  # noqa: ASYNC110 - the script has no other way to say it is up
        await asyncio.sleep(0)
    await process.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


async def test_a_program_that_cannot_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(TorFailed, match="cannot be started"):
        await TorProcess.launch(TorBinary(tmp_path / "nothing"), TORRC)


async def test_a_left_over_tor_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        monkeypatch.setattr(limits, "TOR_LOCK_WAIT", 0.05)
        with pytest.raises(TorFailed, match="another tor process still uses"):
            await wait_for_free_lock(tmp_path)
        monkeypatch.setattr(limits, "TOR_LOCK_WAIT", 30)
        waiting = asyncio.create_task(wait_for_free_lock(tmp_path))
    await waiting


async def test_the_control_socket_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "control"
    monkeypatch.setattr(limits, "TOR_START_TIMEOUT", 0.05)
    with pytest.raises(TorFailed, match="in time"):
        await wait_for_socket(path)
    monkeypatch.setattr(limits, "TOR_START_TIMEOUT", 30)
    waiting = asyncio.create_task(wait_for_socket(path))
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        await waiting


def test_without_an_error_the_last_warning_counts() -> None:
    assert last_words(b"x [notice] a\nx [warn] first\nx [warn] Failed to parse: y\n") == "Failed to parse: y"
    assert last_words(b"[warn] cause\n[err] Reading config failed--see warnings above.\n") == "cause"
    assert last_words(b"\xff\n") == ""
