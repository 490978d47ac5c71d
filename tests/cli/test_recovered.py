"""`enigma-fed doctor --accept-recovered`, and what commands say until then."""

from __future__ import annotations

from pathlib import Path

import pytest

from enigma_fed.base.rpc_errors import MethodNotFound
from enigma_fed.cli import output
from enigma_fed.wire.views import RecoveryView
from tests.cli.fakes import FakeNode, invoke
from tests.cli.homes import Home, make_home

RECOVERY = RecoveryView(
    file="nodes.json",
    why="its content does not match its sum",
    rev=7,
    newest="2026-11-20T08:49:00Z",
    kept_as="nodes.json.damaged-20261120T084900Z",
    recovered_at="2026-11-20T08:49:00Z",
    peers=3,
    removed=1,
    invites_open=2,
    joins_open=1,
)


@pytest.fixture
def damaged(tmp_path: Path) -> Home:
    home = make_home(tmp_path, "attic")
    assert home("invite", "create").exit_code == 0
    (home.data_dir / "federation" / "nodes.json").write_bytes(b"{")
    return home


def test_invariant_5_reading_commands_print_what_there_is_warn_and_end_with_7(damaged: Home) -> None:
    before = damaged.content()
    for words in (["peer", "list"], ["invite", "list"], ["status"], ["id"]):
        shown = damaged(*words, "--json")
        assert (shown.exit_code, bool(shown.out)) == (7, True), shown.err
        assert "nodes.json was damaged" in shown.err
        assert f"{damaged.hinted} doctor --accept-recovered" in shown.err
    assert damaged.content() == before


def test_what_makes_joins_is_7_and_says_why_what_ends_them_works(damaged: Home) -> None:
    shown = damaged("invite", "create", "--json")
    assert (shown.exit_code, shown.error["code"]) == (7, "store-recovered")
    (invite,) = damaged("invite", "list", "--json").json
    shown = damaged("invite", "revoke", invite["id"])
    assert shown.exit_code == 0, shown.err
    assert "doctor --accept-recovered" in shown.err


def test_the_owner_accepts_without_an_agent(damaged: Home) -> None:
    shown = damaged("doctor", "--accept-recovered")
    assert shown.exit_code == 0
    assert "nodes.json" in shown.out
    assert "1 open invite was revoked" in shown.err
    assert damaged("peer", "list").exit_code == 0
    shown = damaged("doctor", "--accept-recovered", "--json")
    assert (shown.exit_code, shown.json) == (0, [])
    assert "sound" in damaged("doctor", "--accept-recovered").err


def test_the_owner_accepts_through_the_agent(damaged: Home) -> None:
    with damaged.agent():
        (entry,) = damaged("doctor", "--accept-recovered", "--json").json
        assert entry["kept_as"].startswith("nodes.json.damaged-")
        assert damaged("invite", "create").exit_code == 0
    assert damaged("peer", "list").exit_code == 0


@pytest.mark.parametrize(("answer", "calls"), [(True, ["accept_recovered"]), (False, [])])
def test_on_a_terminal_it_asks(monkeypatch: pytest.MonkeyPatch, answer: bool, calls: list[str]) -> None:
    node = FakeNode(recovered=[RECOVERY])
    monkeypatch.setattr(output, "interactive", lambda: True)
    monkeypatch.setattr(output, "confirm", lambda question: answer)
    shown = invoke("doctor", "--accept-recovered", node=node)
    assert shown.exit_code == (0 if answer else 1)
    for word in ("rev 7", "its content does not match its sum", "damaged-20261120T084900Z", "Peers", "3"):
        assert word in shown.out
    assert "2 (revoked when you accept)" in shown.out
    assert [call[0] for call in node.calls if call[0] == "accept_recovered"] == calls


def test_an_agent_that_is_older_than_the_command_says_nothing_of_it() -> None:
    class Older(FakeNode):
        def recoveries(self) -> list[RecoveryView]:
            raise MethodNotFound

    shown = invoke("peer", "list", "--json", node=Older())
    assert (shown.exit_code, shown.err) == (0, "")
    assert len(shown.json) == 1
