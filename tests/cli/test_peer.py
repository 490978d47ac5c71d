"""`enigma-fed peer …` against a node that answers from memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from enigma_fed.base.errors import PeerNotFound, PeerUnreachable
from enigma_fed.cli import output
from enigma_fed.wire.views import PeerView, PingView
from tests.cli.fakes import DID, PEER, FakeNode, invoke
from tests.cli.homes import Forger, make_home


@pytest.mark.parametrize(
    ("words", "call"),
    [
        (["show", "cellar"], ("peer_show", "cellar")),
        (["approve", "cellar"], ("peer_approve", "cellar")),
        (["trust", "cellar", "trusted"], ("peer_trust", "cellar", "trusted")),
        (["trust", "cellar", "observer", "--legacy"], ("peer_trust", "cellar", "observer", True)),
        (["trust", "cellar", "observer", "--no-legacy"], ("peer_trust", "cellar", "observer", False)),
        (["rename", "cellar", "Grandma"], ("peer_rename", "cellar", "Grandma")),
        (["rename", "cellar", ""], ("peer_rename", "cellar", None)),
        (["remove", "cellar"], ("peer_remove", "cellar")),
        (["pause", "cellar"], ("peer_pause", "cellar", True)),
        (["pause", "cellar", "--resume"], ("peer_pause", "cellar", False)),
        (["offline", "cellar", "23:00-07:00"], ("peer_offline", "cellar", "23:00-07:00")),
        (["offline", "cellar", "--none"], ("peer_offline", "cellar")),
        (["sync"], ("peer_sync", None)),
        (["sync", "cellar"], ("peer_sync", "cellar")),
        (["ping", "cellar"], ("peer_ping", "cellar")),
    ],
)
def test_each_command_is_one_operation(words: list[str], call: tuple[Any, ...]) -> None:
    node = FakeNode()
    assert invoke("peer", *words, node=node).exit_code == 0
    assert call in node.calls
    assert node.calls[-1] == ("closed",)
    assert invoke("peer", *words, "--json", node=node).json


def test_list_is_a_table_or_an_array() -> None:
    shown = invoke("peer", "list", node=FakeNode())
    head, row = shown.out.splitlines()
    assert head.split()[:3] == ["NAME", "DID", "TRUST"]
    assert row.split()[0] == "cellar"
    assert "340 ms" in row
    assert invoke("peer", "list", "--json", node=FakeNode()).json == [msgspec.to_builtins(PEER)]


@pytest.mark.parametrize(
    ("skew", "shown", "problem"),
    [
        (None, None, False),
        (0, "as ours", False),
        (3, "3 s ahead of ours", False),
        (-95, "95 s behind ours", True),
    ],
)
def test_a_clock_that_differs_is_shown(skew: int | None, shown: str | None, problem: bool) -> None:
    node = FakeNode(peers=[msgspec.structs.replace(PEER, skew_s=skew)])
    details = invoke("peer", "show", "cellar", node=node).out
    assert ("Clock" in details) is (shown is not None)
    assert shown is None or shown in details
    assert ("its clock is 95 s behind ours" in invoke("peer", "list", node=node).out) is problem


def test_windows_in_which_a_peer_is_off_are_said_and_shown() -> None:
    said = invoke("peer", "offline", "cellar", "23:00-07:00", "12:00-13:00", node=FakeNode()).err
    assert "cellar is expected to be off each day: 23:00-07:00, 12:00-13:00." in said
    assert "at every time" in invoke("peer", "offline", "cellar", "--none", node=FakeNode()).err
    away = msgspec.structs.replace(PEER, liveness="offline-expected", offline_windows=["23:00-07:00"])
    away = msgspec.structs.replace(away, announced_windows=["12:00-13:00"])
    node = FakeNode(peers=[away])
    assert "offline-expected" in invoke("peer", "list", node=node).out
    shown = invoke("peer", "show", "cellar", node=node).out
    assert "offline-expected" in shown
    assert "Expected to be off" in shown
    assert "Announced to be off: 12:00-13:00" in shown


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([], "name at least one WINDOW"),
        ([" , "], "name at least one WINDOW"),
        (["23:00-07:00", "--none"], "a WINDOW and --none exclude each other"),
    ],
)
def test_either_windows_or_none_are_named(words: list[str], why: str) -> None:
    node = FakeNode()
    refused = invoke("peer", "offline", "cellar", *words, node=node)
    assert (refused.exit_code, node.calls) == (2, [])
    assert "enigma-fed peer offline cellar 23:00-07:00" in refused.err
    assert why in refused.err


@pytest.mark.parametrize("words", [["23:00-07:00, 12:00-13:00"], ["23:00-07:00,", "12:00-13:00"]])
def test_windows_may_have_commas_in_between_as_in_the_configuration(words: list[str]) -> None:
    node = FakeNode()
    assert invoke("peer", "offline", "cellar", *words, node=node).exit_code == 0
    assert ("peer_offline", "cellar", "23:00-07:00", "12:00-13:00") in node.calls


def test_windows_that_leave_little_of_a_day_are_warned_of() -> None:
    said = invoke("peer", "offline", "cellar", "00:00-23:59", node=FakeNode())
    assert (said.exit_code, "Warning: less than four hours" in said.err) == (0, True)
    assert "Warning" not in invoke("peer", "offline", "cellar", "00:00-20:00", node=FakeNode()).err
    assert invoke("peer", "offline", "cellar", "00:00-23:59", "--json", node=FakeNode()).err == ""


def test_the_next_step_names_the_peer() -> None:
    node = FakeNode(error=PeerUnreachable("it is off", hint="See: enigma-fed peer show PEER"))
    said = invoke("peer", "ping", "my attic", node=node).err
    assert "See: enigma-fed peer show 'my attic'" in said


def test_what_one_may_take_for_a_command_says_which_it_is() -> None:
    said = invoke("peer", "resume", "bob", "--data-dir", "/d")
    assert said.exit_code == 2
    assert "there is no command 'resume'. Like: enigma-fed --data-dir /d peer pause bob --resume." in said.err
    assert "peer pause PEER --resume" in invoke("peer", "resume").err


def test_no_command_is_described_by_half_a_sentence() -> None:
    _, _, commands = invoke("peer", "--help").out.partition("Commands:")
    assert "approve" in commands
    assert "..." not in commands
    told = " ".join(invoke("peer", "sync", "--help").out.split())
    assert "a paused one that is named is asked" in told


def test_a_paused_peer_is_told_to_be_so_once() -> None:
    for reason in ("paused here; heard 0 s ago", "no agent runs here"):
        paused = msgspec.structs.replace(PEER, paused=True, liveness="up", liveness_reason=reason)
        shown = invoke("peer", "show", "cellar", node=FakeNode(peers=[paused])).out
        assert shown.count("paused") == 1


def test_the_next_poll_of_a_peer_with_a_stream_says_why_it_is_so_late() -> None:
    due = msgspec.structs.replace(PEER, next_poll_at="2999-01-01T00:00:00Z")
    assert "stream stands" not in invoke("peer", "show", "cellar", node=FakeNode(peers=[due])).out
    streams = msgspec.structs.replace(due, stream_since="2026-11-20T08:00:00Z")
    [line] = [
        line
        for line in invoke("peer", "show", "cellar", node=FakeNode(peers=[streams])).out.splitlines()
        if line.startswith("Next poll")
    ]
    assert line.endswith("; its stream stands)")


def test_legacy_says_what_it_means_and_is_shown() -> None:
    said = invoke("peer", "trust", "cellar", "observer", "--legacy", node=FakeNode()).err
    assert "whoever receives a legacy request of cellar can play it here" in said
    assert "--no-legacy" in said
    assert "Warning" not in invoke("peer", "trust", "cellar", "observer", node=FakeNode()).err
    marked = FakeNode(peers=[msgspec.structs.replace(PEER, legacy=True)])
    assert "Warning: whoever receives" in invoke("peer", "approve", "cellar", node=marked).err
    assert "Warning" not in invoke("peer", "approve", "cellar", node=FakeNode()).err
    shown = invoke(
        "peer", "show", "cellar", node=FakeNode(peers=[msgspec.structs.replace(PEER, legacy=True)])
    )
    assert "Legacy requests" in shown.out
    assert "Legacy" not in invoke("peer", "show", "cellar", node=FakeNode()).out


def test_an_empty_list_says_what_to_do() -> None:
    shown = invoke("peer", "list", node=FakeNode(peers=[]))
    assert (shown.exit_code, shown.out) == (0, "")
    assert "enigma-fed invite create" in shown.err


def test_show_has_the_state_in_words() -> None:
    shown = invoke("peer", "show", "cellar", node=FakeNode())
    for part in ("cellar", DID, "12.5 %", "1.0 GiB of 4.0 GiB", "1 d 1 h", "confirmed"):
        assert part in shown.out


def test_a_peers_words_cannot_steer_the_terminal() -> None:
    evil = msgspec.structs.replace(PEER, last_error="\x1b[2Joops\u202e", name="cellar")
    for words in (["peer", "list"], ["peer", "show", "cellar"]):
        shown = invoke(*words, node=FakeNode(peers=[evil]))
        assert "?[2Joops?" in shown.out
        assert "\x1b" not in shown.out


def test_an_entry_that_is_not_valid_is_shown_as_invalid() -> None:
    bad = msgspec.structs.replace(PEER, did="", onion="127.0.0.1:80/x?.onion", invalid='{"onion": 1}')
    shown = invoke("peer", "list", node=FakeNode(peers=[bad]))
    assert shown.exit_code == 0
    assert "invalid" in shown.out


def test_a_peer_that_is_not_there_is_5() -> None:
    shown = invoke("peer", "show", "nobody", node=FakeNode())
    assert (shown.exit_code, shown.out) == (5, "")
    assert "'nobody'" in shown.err


def test_remove_asks_at_a_terminal_and_removes_the_one_it_showed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "interactive", lambda: True)
    node = FakeNode()
    shown = invoke("peer", "remove", "cellar", node=node, typed="y\n")
    assert shown.exit_code == 0
    assert "Remove cellar" in shown.err
    assert ("peer_remove", DID) in node.calls


def test_remove_changes_nothing_after_a_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "interactive", lambda: True)
    node = FakeNode()
    shown = invoke("peer", "remove", "cellar", node=node, typed="n\n")
    assert shown.exit_code == 1
    assert not any(call[0] == "peer_remove" for call in node.calls)


def test_no_lock_is_held_over_a_question(monkeypatch: pytest.MonkeyPatch) -> None:
    node = FakeNode()

    def confirm(question: str) -> bool:
        assert node.calls[-1] == ("closed",)
        return True

    monkeypatch.setattr(output, "interactive", lambda: True)
    monkeypatch.setattr(output, "confirm", confirm)
    assert invoke("peer", "remove", "cellar", node=node).exit_code == 0


def test_remove_yes_does_not_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "interactive", lambda: True)
    assert invoke("peer", "remove", "cellar", "--yes", node=FakeNode()).exit_code == 0


def test_ping_says_the_round_trip() -> None:
    assert invoke("peer", "ping", "cellar", node=FakeNode()).out == (
        "cellar answered in 42 ms, its clock is 3 s ahead of ours\n"
    )


def test_sync_and_ping_without_an_agent_say_how_to_start_it(tmp_path: Path) -> None:
    home = make_home(tmp_path, "attic")
    assert home("invite", "accept", "-", typed=Forger().signed()).exit_code == 0
    for words in (["sync"], ["ping", "cellar"]):
        shown = home("peer", *words)
        assert (shown.exit_code, shown.out) == (1, "")
        assert f"{home.hinted} run" in shown.err


WAITING = msgspec.structs.replace(
    PEER, did=f"{DID[:-4]}Late", name="bob", stage="awaiting-approval", joined_as="inviter"
)


class WithoutMember(FakeNode):
    """A node on which nobody can be polled or approved; everybody is known."""

    def peer_approve(self, ref: str) -> PeerView:
        raise PeerNotFound(ref)

    def peer_sync(self, ref: str | None) -> list[PeerView]:
        if ref is None:
            return []
        raise PeerNotFound(ref)

    def peer_ping(self, ref: str) -> PingView:
        raise PeerNotFound(ref)


def test_approving_a_member_is_a_conflict() -> None:
    shown = invoke("peer", "approve", "cellar", node=WithoutMember())
    assert shown.exit_code == 6
    assert "cellar does not wait for approval" in shown.err
    assert invoke("peer", "approve", "nobody", node=WithoutMember()).exit_code == 5


@pytest.mark.parametrize("verb", ["sync", "ping"])
def test_reaching_one_that_waits_for_approval_says_so(verb: str) -> None:
    shown = invoke("peer", verb, "bob", node=WithoutMember(peers=[WAITING]))
    assert shown.exit_code == 6
    assert "bob waits for your approval" in shown.err
    assert f"enigma-fed peer approve {WAITING.did}" in shown.err


def test_sync_says_what_is_pending() -> None:
    shown = invoke("peer", "sync", node=WithoutMember(peers=[WAITING]))
    assert f"bob waits for your approval: enigma-fed peer approve {WAITING.did}" in shown.err
    undelivered = msgspec.structs.replace(PEER, stage="accepted-here")
    assert (
        "cellar: the join is recorded here" in invoke("peer", "sync", node=FakeNode(peers=[undelivered])).err
    )
    assert invoke("peer", "sync", node=FakeNode()).err == ""


def test_list_is_in_the_order_of_the_names() -> None:
    peers = [msgspec.structs.replace(PEER, name=name) for name in ("zoo", "Barn", "attic")]
    shown = invoke("peer", "list", node=FakeNode(peers=peers))
    assert [line.split()[0] for line in shown.out.splitlines()] == ["NAME", "attic", "Barn", "zoo"]


def test_a_piece_of_a_did_that_is_too_short_is_told_so() -> None:
    for ref in ("z6Mk", "did:key:z6Mkh"):
        shown = invoke("peer", "show", ref, node=FakeNode())
        assert shown.exit_code == 5
        assert "at least 6 characters" in shown.err
    assert "characters" not in invoke("peer", "show", "z6Mkhxx", node=FakeNode()).err


def test_a_peer_that_refused_is_not_shown_as_up() -> None:
    refused = msgspec.structs.replace(PEER, stage="refused", last_error="That node removed this one.")
    row = invoke("peer", "list", node=FakeNode(peers=[refused])).out.splitlines()[1].split()
    assert "refused" in row
    assert "up" not in row


def test_words_about_a_peer() -> None:
    assert invoke("peer", "trust", "cellar", "observer", node=FakeNode()).err == (
        "cellar is an observer here now.\n"
    )
    assert invoke("peer", "remove", "cellar", node=FakeNode()).err.startswith("Removed cellar. ")


def test_the_list_has_the_first_sentence_of_a_problem_and_show_has_all() -> None:
    long = msgspec.structs.replace(PEER, last_error="It did not answer. The agent goes on trying.")
    shown = invoke("peer", "list", node=FakeNode(peers=[long])).out
    assert "It did not answer." in shown
    assert "goes on trying" not in shown
    assert "goes on trying" in invoke("peer", "show", "cellar", node=FakeNode(peers=[long])).out
