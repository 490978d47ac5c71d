"""`enigma-fed doctor --drop-invalid`, and where entries that cannot be used are shown until then."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from enigma_fed.cli import output
from enigma_fed.storage.seal import seal, unseal
from enigma_fed.wire.views import InvalidView
from tests.cli.fakes import CODE, FakeNode, invoke
from tests.cli.homes import Home, make_home

BAD_NODE = '{"did":"nobody","name":"barn"}'
BAD_INVITE = json.dumps({"code": CODE, "stage": "never"})
DROP = ("doctor", "--drop-invalid")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = make_home(tmp_path, "attic")
    assert made("invite", "create").exit_code == 0
    for name, entry in (("nodes.json", BAD_NODE), ("invites.json", BAD_INVITE)):
        path = made.data_dir / "federation" / name
        body, rev = unseal(path.read_bytes())
        path.write_bytes(seal({**body, "invalid": [entry]}, rev + 1))
    return made


def test_they_are_listed_and_nagged_about_until_they_are_dropped(home: Home) -> None:
    assert [entry["invalid"] for entry in home("peer", "list", "--json").json] == [BAD_NODE]
    assert [entry["invalid"] for entry in home("invite", "list", "--json").json] == [None, BAD_INVITE]
    assert "not valid" in home("invite", "list").out
    assert f"{home.hinted} doctor --drop-invalid" in home("status").out
    assert "2 entries unusable" in home("doctor").out
    before = home.content()
    assert home("status").exit_code == 0
    assert home.content() == before
    assert home(*DROP).exit_code == 0
    assert "--drop-invalid" not in home("status").out
    assert "unusable" not in home("doctor").out
    assert home("peer", "list", "--json").json == []
    assert [entry["stage"] for entry in home("invite", "list", "--json").json] == ["created"]


def test_invariant_8_they_are_shown_without_their_codes_and_with_json_whole(home: Home) -> None:
    shown = invoke(*DROP, node=FakeNode(unusable=[InvalidView(file="invites.json", text=BAD_INVITE)]))
    assert "fed1:[code]" in shown.out
    assert CODE not in shown.out
    assert [(entry["file"], entry["text"]) for entry in home(*DROP, "--json").json] == [
        ("nodes.json", BAD_NODE),
        ("invites.json", BAD_INVITE),
    ]
    assert home(*DROP, "--json").json == []
    assert "nothing to drop" in home(*DROP).err


def test_beside_a_damaged_file_they_can_be_dropped_like_all_that_takes_away(home: Home) -> None:
    (home.data_dir / "federation" / "nodes.json").write_bytes(b"{")
    shown = home(*DROP)
    assert shown.exit_code == 0, shown.err
    assert "Dropped: 1" in shown.err
    assert "doctor --accept-recovered" in shown.err


def test_a_long_one_is_cut() -> None:
    shown = invoke(*DROP, node=FakeNode(unusable=[InvalidView(file="nodes.json", text="[" + "x, " * 999)]))
    assert len(shown.out) < 600
    assert "…" in shown.out


def test_the_agent_drops_them_and_its_log_says_so(home: Home) -> None:
    with home.agent():
        assert len(home(*DROP, "--json").json) == 2
        assert home("peer", "list", "--json").json == []
    assert "not valid here were dropped from the files: 2" in home("logs").out


@pytest.mark.parametrize(("answer", "calls"), [(True, ["drop_invalid"]), (False, [])])
def test_on_a_terminal_it_asks(monkeypatch: pytest.MonkeyPatch, answer: bool, calls: list[str]) -> None:
    node = FakeNode(unusable=[InvalidView(file="nodes.json", text=BAD_NODE)])
    monkeypatch.setattr(output, "interactive", lambda: True)
    monkeypatch.setattr(output, "confirm", lambda question: answer)
    shown = invoke(*DROP, node=node)
    assert shown.exit_code == (0 if answer else 1)
    assert BAD_NODE in shown.out
    assert [call[0] for call in node.calls if call[0] == "drop_invalid"] == calls


def test_two_decisions_are_taken_one_by_one() -> None:
    node = FakeNode()
    shown = invoke(*DROP, "--accept-recovered", node=node)
    assert (shown.exit_code, node.calls) == (2, [])
