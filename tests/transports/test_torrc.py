"""What the torrc of our own tor says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import ConfigError
from enigma_fed.transports.tor.torrc import OnionLines, TorrcValues, quoted, render


def values(folder: Path = Path("/data/tor"), extra: str = "") -> TorrcValues:
    return TorrcValues(
        data_directory=folder / "state",
        control_socket=folder / "control",
        cookie_file=folder / "cookie",
        log_file=folder / "tor.log",
        owner_pid=4711,
        onions=(OnionLines(folder / "onions" / "peers", ((80, folder / "onion sock"),)),),
        extra=extra,
    )


def test_it_is_a_client_with_one_onion_and_a_socks_port_for_onions_only() -> None:
    lines = render(values()).splitlines()
    assert "ClientOnly 1" in lines
    assert "SocksPort 127.0.0.1:auto ExtendedErrors IsolateSOCKSAuth OnionTrafficOnly" in lines
    assert 'HiddenServicePort 80 unix:"/data/tor/onion sock"' in lines
    assert "HiddenServiceExportCircuitID haproxy" in lines
    assert "CookieAuthentication 1" in lines
    assert "__OwningControllerProcess 4711" in lines
    assert not [
        line for line in lines if line.split()[0] in {"ORPort", "DirPort", "ControlPort", "SafeLogging"}
    ]


def test_the_owners_lines_come_last() -> None:
    assert render(values(extra="Bridge 192.0.2.1:443\n\n")).endswith("\nBridge 192.0.2.1:443\n")


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nORPort 9001", "a\0"])
def test_a_path_cannot_add_a_line(name: str) -> None:
    with pytest.raises(ConfigError, match="cannot use the path"):
        render(values(Path("/data") / name))


def test_spaces_hashes_and_umlauts_are_fine() -> None:
    assert quoted(Path("/data/my höme #1")) == '"/data/my höme #1"'


def test_proof_of_work_only_where_tor_knows_it() -> None:
    plain = values()
    assert "PoW" not in render(plain)
    defended = replace(plain, onions=tuple(replace(onion, pow_defence=True) for onion in plain.onions))
    assert render(defended).splitlines()[-3:] == [
        "HiddenServicePoWDefensesEnabled 1",
        f"HiddenServicePoWQueueRate {limits.TOR_POW_QUEUE_RATE}",
        f"HiddenServicePoWQueueBurst {limits.TOR_POW_QUEUE_BURST}",
    ]
