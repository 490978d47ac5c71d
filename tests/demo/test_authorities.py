"""The authorities of a private network: ports, keys, torrc lines."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from enigma_fed.base.errors import TorFailed, TorMissing
from enigma_fed.demo import authorities
from enigma_fed.demo.authorities import (
    Authority,
    HeldPorts,
    authority_lines,
    common_lines,
    make_authority,
)
from enigma_fed.transports.tor.binary import TorBinary
from tests.support.tornet import require_tor

AUTHORITY = Authority("auth0", Path("/net/authority0"), 20001, 20002, "A" * 40, "B" * 40)


def test_held_ports_are_nobody_elses_until_released() -> None:
    first, second = HeldPorts.take(10), HeldPorts.take(10)
    assert len({*first.numbers, *second.numbers}) == 20
    assert all(20000 <= number < 32000 for number in first.numbers)
    with socket.socket() as candidate, pytest.raises(OSError, match="in use"):
        candidate.bind(("127.0.0.1", first.numbers[0]))
    first.release()
    second.release()
    with socket.socket() as candidate:
        candidate.bind(("127.0.0.1", first.numbers[0]))


def test_too_few_free_ports_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authorities, "_PORTS", range(31990, 31992))
    with pytest.raises(TorFailed, match="fewer than 3 ports"):
        HeldPorts.take(3)


def test_nothing_listens_or_goes_anywhere_but_to_loopback() -> None:
    lines = [*common_lines([AUTHORITY]), *authority_lines(AUTHORITY)]
    assert "OutboundBindAddress 127.0.0.1" in lines
    assert "ExitPolicy reject *:*" in lines
    assert "SocksPort 0" in lines
    assert f"DirAuthority auth0 orport=20001 v3ident={'A' * 40} 127.0.0.1:20002 {'B' * 40}" in lines


@pytest.mark.tor
async def test_keys_are_made_by_tors_own_programs(tmp_path: Path) -> None:
    made = await make_authority(require_tor(), tmp_path / "a", "auth0", 20001, 20002)
    assert len(made.v3ident) == len(made.fingerprint) == 40
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700


async def test_a_missing_program_is_named(tmp_path: Path) -> None:
    with pytest.raises((TorMissing, ExceptionGroup), match="tor-gencert"):
        await make_authority(TorBinary(tmp_path / "bin" / "tor"), tmp_path / "a", "auth0", 20001, 20002)
