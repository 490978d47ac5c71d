"""`enigma-fed run`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.homes import Forger, Home, make_home, taken_port


def test_a_second_agent_on_the_same_folder_is_6(home: Home) -> None:
    with home.agent():
        before = home.content()
        second = home("run")
        assert second.exit_code == 6
        assert "agent" in second.err
        assert home.content() == before


def test_a_port_in_use_is_1(home: Home) -> None:
    with taken_port() as listener:
        port = listener.getsockname()[1]
        home.configure(f'[tor]\nmode = "off"\n[rpc]\nlisten = "127.0.0.1:{port}"\n')
        given_up = home("run")
    assert given_up.exit_code == 1
    assert f"127.0.0.1:{port}" in given_up.err
    assert "Traceback" not in given_up.err


def test_without_tor_it_says_that_peers_cannot_be_reached(home: Home) -> None:
    with home.agent() as running:
        running.terminate()
        assert "peers cannot be reached" in running.communicate(timeout=30)[1]


def test_no_tor_program_is_1_and_says_how_to_get_it(home: Home) -> None:
    home.configure('[tor]\nbinary = "/nowhere/tor"\n[rpc]\nlisten = "127.0.0.1:0"\n')
    given_up = home("run")
    assert given_up.exit_code == 1
    assert "/nowhere/tor" in given_up.err
    assert "enigma-fed: No tor program was found" in given_up.err
    assert "Traceback" not in given_up.err


def test_commands_through_the_agent_and_on_the_files_see_the_same_node(tmp_path: Path) -> None:
    home = make_home(tmp_path, "attic")
    alone = home("id", "--json").json
    with home.agent():
        assert home("id", "--json").json == alone
        status = home("status", "--json").json
        assert (status["running"], status["tor"]["mode"]) == (True, "off")
        assert "Next: Peers cannot be reached (tor.mode = off)" in home("status").out
        made = home("invite", "create", "--json").json
        accepted = home("invite", "accept", "-", "--json", typed=Forger().signed()).json
        assert accepted["direction"] == "incoming"
        other = Forger(b"\x09" * 32).signed()
        assert "Start the agent" not in home("invite", "accept", "-", typed=other).err
        assert home("invite", "revoke", "00000000").exit_code == 5
    found = {entry["id"]: entry["direction"] for entry in home("invite", "list", "--json").json}
    assert found.items() >= {made["id"]: "outgoing", accepted["id"]: "incoming"}.items()
    assert home("status", "--json").json["running"] is False


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path, "attic")
