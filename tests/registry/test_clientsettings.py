"""registries.toml and the pepper's file."""

from __future__ import annotations

from pathlib import Path

import pytest

from enigma_fed.base import registry_limits
from enigma_fed.base.errors import ConfigError, LooseModes
from enigma_fed.registry import clientsettings
from enigma_fed.registry.clientsettings import read_pepper
from enigma_fed.registry.clienttls import TlsFiles


def load(folder: Path, text: str) -> object:
    path = folder / "registries.toml"
    path.write_text(text)
    return clientsettings.load(path)


def test_registries_under_names(tmp_path: Path) -> None:
    path = tmp_path / "registries.toml"
    path.write_text(
        '[home]\nurl = "https://a.example"\npepper_file = "pepper"\nca = "ca.pem"\n'
        '[other]\nurl = "http://10.0.0.1"\nallow_http = true\nsocks = "127.0.0.1:9050"\n'
        'cert = "/c.pem"\nkey = "k.pem"\n'
    )
    found = clientsettings.load(path)
    assert list(found) == ["home", "other"]
    assert found["home"].tls(tmp_path) == TlsFiles(ca=tmp_path / "ca.pem")
    assert found["other"].tls(tmp_path) == TlsFiles(None, Path("/c.pem"), tmp_path / "k.pem")


def test_there_need_be_no_file(tmp_path: Path) -> None:
    assert clientsettings.load(tmp_path / "registries.toml") == {}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[", "TOML"),
        ('[a]\nurl = "x"\npeper_file = "y"', "peper_file"),
        ("[a]\n", "url"),
        ('[a]\nurl = ""', "url"),
        ('[a]\nurl = "x"\nallow_http = 1', "bool"),
        ('url = "x"', "object|Expected"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        load(tmp_path, text)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="directory"):
        clientsettings.load(tmp_path)


def test_invariant_7_the_file_is_bounded(tmp_path: Path) -> None:
    tables = [
        f'[r{number}]\nurl = "https://a.example"\n' for number in range(registry_limits.OWN_REGISTRIES + 1)
    ]
    load(tmp_path, "".join(tables[1:]))
    with pytest.raises(ConfigError, match="more than"):
        load(tmp_path, "".join(tables))
    with pytest.raises(ConfigError, match="larger"):
        load(tmp_path, "#" * (256 * 1024 + 1))


def pepper(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "pepper"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_the_pepper(tmp_path: Path) -> None:
    assert read_pepper(pepper(tmp_path, "0a" * 32 + "\n")) == b"\x0a" * 32
    assert read_pepper(pepper(tmp_path, "0A" * 32)) == b"\x0a" * 32
    configuration = f'# ä\n[envelope]\n  pepper_hex = "{"0a" * 32}" # of this registry\nkeys = []\n'
    assert read_pepper(pepper(tmp_path, configuration)) == b"\x0a" * 32


@pytest.mark.parametrize(
    "text",
    ["", "0a" * 31, "0a" * 33, "zz" * 32, "0a" * 32 + " x", "ä" * 32, f'# pepper_hex = "{"0a" * 32}"'],
)
def test_invariant_8_a_file_without_a_pepper_is_not_repeated(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="does not hold") as caught:
        read_pepper(pepper(tmp_path, text))
    assert not text or text not in str(caught.value)


def test_invariant_8_a_pepper_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    with pytest.raises(LooseModes):
        read_pepper(pepper(tmp_path, "0a" * 32, mode=0o644))
    with pytest.raises(ConfigError, match="no such file"):
        read_pepper(tmp_path / "none")
