"""What the kept demo prints to be tried keeps to the private network."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from enigma_fed.config import load
from enigma_fed.demo.agentprocess import AgentProcess
from enigma_fed.demo.kept import commands


@pytest.fixture
def homes(tmp_path: Path) -> list[AgentProcess]:
    return [
        AgentProcess(name, tmp_path / f"its {name}", "TestingTorNetwork 1\n") for name in ("alice", "bob")
    ]


def test_every_command_names_the_settings_of_its_home(
    homes: list[AgentProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AgentProcess, "pid", 77)
    lines = list(commands(Path("/bin/enigma-fed"), homes, "127.0.0.1:4711"))
    typed = [shlex.split(line) for line in lines if line.startswith("  /bin/enigma-fed")]
    both = [["--config", str(home.config_file), "--data-dir", str(home.data_dir)] for home in homes]
    assert all(words[1:5] in both for words in typed)
    assert [" ".join(words[5:]) for words in typed] == [
        "peer list",
        "peer list",
        "status",
        "peer ping bob",
        "run",
    ]
    assert typed[-1][1:5] == both[1]
    assert "  curl http://127.0.0.1:4711/metrics" in lines
    assert "  kill 77" in lines


def test_a_home_that_ended_and_one_without_metrics_are_not_told_of(homes: list[AgentProcess]) -> None:
    text = "\n".join(commands(Path("/bin/enigma-fed"), homes, None))
    assert "curl" not in text
    assert "kill" not in text


def test_the_settings_of_a_home_lead_into_the_private_network(homes: list[AgentProcess]) -> None:
    home = homes[0]
    home.prepare()
    settings = load(home.config_file, {}).settings
    assert settings.admin.listen == "127.0.0.1:0"
    assert settings.tor.mode == "managed"
    assert Path(settings.tor.torrc_extra or "").read_text() == home.client_torrc
