"""Asking tor about a torrc, with a script in tor's place and with the real one."""

from __future__ import annotations

from pathlib import Path

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import ConfigError, TorFailed
from enigma_fed.transports.tor.binary import TorBinary
from enigma_fed.transports.tor.verify import verify_torrc
from tests.support.tornet import NOBODYS_NETWORK, require_tor


def script(folder: Path, text: str) -> TorBinary:
    program = folder / "fake-tor"
    program.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    program.chmod(0o700)
    return TorBinary(program)


async def test_a_refusal_is_told_in_tors_words(tmp_path: Path) -> None:
    await verify_torrc(script(tmp_path, "exit 0"), tmp_path / "torrc")
    with pytest.raises(ConfigError, match="no such thing"):
        await verify_torrc(script(tmp_path, "echo '[warn] no such thing'; exit 1"), tmp_path / "torrc")
    with pytest.raises(ConfigError, match="status 3"):
        await verify_torrc(script(tmp_path, "exit 3"), tmp_path / "torrc")


async def test_a_tor_that_says_nothing_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TOR_START_TIMEOUT", 0.1)
    with pytest.raises(TorFailed, match="does not say"):
        await verify_torrc(script(tmp_path, "exec sleep 60"), tmp_path / "torrc")
    with pytest.raises(TorFailed, match="cannot be started"):
        await verify_torrc(TorBinary(tmp_path / "gone"), tmp_path / "torrc")


@pytest.mark.tor
async def test_the_real_one_refuses_an_unknown_line_and_starts_nothing(tmp_path: Path) -> None:
    torrc = tmp_path / "torrc"
    sound = f"DataDirectory {tmp_path}/state\nSocksPort 127.0.0.1:auto\n{NOBODYS_NETWORK}"
    torrc.write_text(sound, encoding="utf-8")
    await verify_torrc(require_tor(), torrc)
    torrc.write_text(f"{sound}Nonsense 1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="Nonsense"):
        await verify_torrc(require_tor(), torrc)
