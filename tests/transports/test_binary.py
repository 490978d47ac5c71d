"""Which tor is used, and what is said when there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from enigma_fed.base.errors import TorMissing
from enigma_fed.transports.tor import binary
from enigma_fed.transports.tor.binary import Abilities, TorBinary, ask_abilities, default_cache, find_tor


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def _no_system_tor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(binary, "_SYSTEM_FOLDERS", (tmp_path / "system",))


def test_the_configured_one_comes_first(tmp_path: Path) -> None:
    mine, other = program(tmp_path / "mine" / "tor"), program(tmp_path / "path" / "tor")
    assert find_tor(str(mine), {"PATH": str(other.parent)}, tmp_path).path == mine


def test_a_configured_one_that_does_not_work_is_not_replaced(tmp_path: Path) -> None:
    other = program(tmp_path / "path" / "tor")
    with pytest.raises(TorMissing, match=r"names .*nothing"):
        find_tor(str(tmp_path / "nothing"), {"PATH": str(other.parent)}, tmp_path)


def test_then_path_then_the_system_then_the_cache(tmp_path: Path) -> None:
    cached = program(tmp_path / "cache" / "usr/bin/tor")
    libraries = tmp_path / "cache" / "usr/lib/x86_64-linux-gnu"
    libraries.mkdir(parents=True)
    environ = {"PATH": str(tmp_path / "path")}
    assert find_tor(None, environ, tmp_path / "cache") == TorBinary(cached, libraries)
    system = program(tmp_path / "system" / "tor")
    assert find_tor("", environ, tmp_path / "cache") == TorBinary(system)
    in_path = program(tmp_path / "path" / "tor")
    assert find_tor(None, environ, tmp_path / "cache") == TorBinary(in_path)


def test_none_at_all_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(TorMissing) as caught:
        find_tor(None, {"PATH": str(tmp_path)}, tmp_path)
    assert "apt install tor" in caught.value.hint


def test_the_cache_follows_the_users_settings() -> None:
    assert default_cache({"HOME": "/home/u"}) == Path("/home/u/.cache/enigma-fed/tor")
    assert default_cache({"HOME": "/home/u", "XDG_CACHE_HOME": "/c"}) == Path("/c/enigma-fed/tor")


def test_invariant_8_the_agents_environment_is_not_handed_down() -> None:
    assert set(TorBinary(Path("/usr/bin/tor")).environment) == {"PATH", "LC_ALL"}
    assert TorBinary(Path("/t"), Path("/l")).environment["LD_LIBRARY_PATH"] == "/l"


def test_gencert_lies_beside_tor_or_in_bin(tmp_path: Path) -> None:
    gencert = program(tmp_path / "bin" / "tor-gencert")
    assert TorBinary(tmp_path / "bin" / "tor").gencert == gencert
    assert TorBinary(tmp_path / "sbin" / "tor").gencert == gencert


def speaking(folder: Path, script: str) -> TorBinary:
    path = program(folder / "tor")
    path.write_text(f"#!/bin/sh\n{script}\n")
    return TorBinary(path)


def test_a_program_tells_its_version_and_whether_it_knows_proof_of_work(tmp_path: Path) -> None:
    tor = """case "$1" in
    --version) printf 'Tor version 0.4.9.11.\nbuilt somewhere\n';;
    --list-modules) printf 'relay: yes\npow: %s\n' POW;;
    esac"""
    assert ask_abilities(speaking(tmp_path, tor.replace("POW", "yes"))) == Abilities("0.4.9.11", True)
    assert ask_abilities(speaking(tmp_path, tor.replace("POW", "no"))) == Abilities("0.4.9.11", False)


def test_a_program_too_old_for_the_question_has_no_proof_of_work(tmp_path: Path) -> None:
    old = "[ $1 = --version ] && echo 'Tor version 0.4.5.10 (git-1234).' || exit 1"
    assert ask_abilities(speaking(tmp_path, old)) == Abilities("0.4.5.10", False)


def test_what_does_not_run_or_is_no_tor_has_no_version(tmp_path: Path) -> None:
    assert ask_abilities(speaking(tmp_path, "exit 127")).version == ""
    assert ask_abilities(speaking(tmp_path, "echo hello; echo pow: yes")) == Abilities("", False)
    assert ask_abilities(TorBinary(tmp_path / "nothing")).version == ""
