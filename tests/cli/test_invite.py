"""`enigma-fed invite …` against a node that answers from memory."""

from __future__ import annotations

import msgspec
import pytest

from enigma_fed.cli import codes, output
from enigma_fed.wire.views import InvitePreview, InviteView
from tests.cli.fakes import CODE, DID, INVITE, INVITER, ONION, PEER, PUBKEY, FakeNode, invoke

PREVIEW = InvitePreview(
    did=DID,
    fingerprint="0000 1111",
    pubkey=PUBKEY,
    onion=ONION,
    id="5f1c02ab",
    signed=True,
    expired=False,
    scope="observer",
    name="cel\x1b[2Jlar",
    expires_at="2126-11-21T08:49:00Z",
)


@pytest.fixture
def at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "interactive", lambda: True)
    monkeypatch.setattr(codes, "preview", lambda code: PREVIEW)


def test_create_prints_the_code_alone_on_standard_output() -> None:
    node = FakeNode()
    shown = invoke("invite", "create", "--scope", "trusted", "--ttl", "2h", node=node)
    assert (shown.exit_code, shown.out) == (0, f"{CODE}\n")
    assert ("invite_create", "trusted", 7200) in node.calls
    assert "enigma-fed invite revoke 5f1c02ab" in shown.err
    assert "makes them trusted here" in shown.err
    assert "makes them an observer here" in invoke("invite", "create", node=FakeNode()).err


def test_create_for_one_home() -> None:
    class Binding(FakeNode):
        def invite_create(
            self, scope: str, ttl_s: int, *, for_did: str | None = None, legacy: bool = False
        ) -> InviteView:
            made = super().invite_create(scope, ttl_s, for_did=for_did)
            return msgspec.structs.replace(made, for_did=for_did)

    node = Binding()
    shown = invoke("invite", "create", "--for", DID, node=node)
    assert ("invite_create", "observer", 86400, DID) in node.calls
    assert "Give this code to the home z6MkhaXgBZDv…" in shown.err
    assert "No other home can join with it." in shown.err
    assert invoke("invite", "create", "--for", DID, "--json", node=Binding()).json["for"] == DID


def test_create_json_is_the_invite_with_its_code() -> None:
    shown = invoke("invite", "create", "--json", node=FakeNode())
    assert shown.json["code"] == CODE
    assert shown.err == ""


def test_accept_that_is_not_answered_yet_is_0_and_says_what_happens_next() -> None:
    shown = invoke("invite", "accept", "-", node=FakeNode(), typed=CODE)
    assert (shown.exit_code, shown.out) == (0, "5f1c02ab  accepted-here\n")
    assert "has not answered yet" in shown.err
    assert "enigma-fed invite list" in shown.err


def test_accept_json_is_the_invite() -> None:
    shown = invoke("invite", "accept", "-", "--json", node=FakeNode(), typed=CODE)
    assert shown.json["stage"] == "accepted-here"


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_accept_away_from_a_terminal_says_who_it_is_before_it_goes_on(words: list[str]) -> None:
    shown = invoke("invite", "accept", "-", *words, node=FakeNode(), typed=CODE)
    assert shown.exit_code == 0
    for part in ("barn", INVITER.did.fingerprint, "to be an observer here", "It ends:     2126-"):
        assert part in shown.err


MEMBER = msgspec.structs.replace(PEER, did=str(INVITER.did), trust_level="trusted")


def test_accept_of_a_members_code_says_the_trust_that_it_keeps() -> None:
    class Keeping(FakeNode):
        def invite_accept(self, code: str, trust: str, allow_unsigned: bool) -> InviteView:
            return msgspec.structs.replace(
                super().invite_accept(code, trust, allow_unsigned), trust_level="trusted"
            )

    shown = invoke("invite", "accept", "-", "--data-dir", "/d", node=Keeping(peers=[MEMBER]), typed=CODE)
    piece = str(INVITER.did).removeprefix("did:key:")[:12]
    change = f"enigma-fed --data-dir /d peer trust {piece} LEVEL"
    assert f"They keep:   trusted here (change it: {change})" in shown.err
    assert "They get:" not in shown.err
    assert "stays trusted, not an observer" in shown.err


def test_a_joiner_that_waits_for_approval_keeps_nothing() -> None:
    waiting = msgspec.structs.replace(MEMBER, stage="awaiting-approval", joined_as="inviter")
    shown = invoke("invite", "accept", "-", node=FakeNode(peers=[waiting]), typed=CODE)
    assert "They get:    to be an observer here" in shown.err
    assert "stays" not in shown.err


@pytest.mark.usefixtures("at_a_terminal")
def test_accept_at_a_terminal_shows_who_it_is_and_asks() -> None:
    node = FakeNode()
    shown = invoke("invite", "accept", node=node, typed=f"{CODE}\ny\n")
    assert shown.exit_code == 0
    assert ("invite_accept", CODE, "observer", False) in node.calls
    for part in ("cel?[2Jlar", "0000 1111", ONION, "observer here", "observer there", "(in ", "Join them?"):
        assert part in shown.err
    assert "\x1b" not in shown.err


@pytest.mark.usefixtures("at_a_terminal")
@pytest.mark.parametrize("answer", ["n", ""])
def test_accept_at_a_terminal_changes_nothing_after_a_no(answer: str) -> None:
    node = FakeNode()
    shown = invoke("invite", "accept", node=node, typed=f"{CODE}\n{answer}\n")
    assert shown.exit_code == 1
    assert shown.err.endswith("enigma-fed: Nothing was changed: you said no.\n")
    assert not any(call[0] == "invite_accept" for call in node.calls)


@pytest.mark.usefixtures("at_a_terminal")
def test_accept_yes_does_not_ask() -> None:
    shown = invoke("invite", "accept", CODE, "--yes", node=FakeNode())
    assert shown.exit_code == 0
    assert "Join them?" not in shown.err


def test_list_shows_no_code_in_the_table() -> None:
    shown = invoke("invite", "list", node=FakeNode())
    assert "5f1c02ab" in shown.out
    assert "fed1:" not in shown.out
    assert invoke("invite", "list", "--json", node=FakeNode()).json[0]["id"] == "5f1c02ab"


def test_list_names_the_home_that_used_an_invite() -> None:
    used = msgspec.structs.replace(INVITE, stage="used", used_by=DID)
    assert "cellar" in invoke("invite", "list", node=FakeNode(invites=[used])).out
    shown = invoke("invite", "list", node=FakeNode(invites=[used], peers=[]))
    assert "z6MkhaXgBZDv…" in shown.out
    assert DID not in shown.out


def test_list_names_the_home_that_an_invite_is_for() -> None:
    bound = msgspec.structs.replace(INVITE, for_did=DID)
    assert "cellar" in invoke("invite", "list", node=FakeNode(invites=[bound])).out


@pytest.mark.parametrize(
    ("ending", "word"),
    [("refusal", "refused"), ("time", "too late"), ("newer-invite", "replaced"), ("removal", "removed here")],
)
def test_list_says_what_ended_an_accepted_invite(ending: str, word: str) -> None:
    over = msgspec.structs.replace(INVITE, direction="incoming", stage="refused", ended_by=ending)
    assert word in invoke("invite", "list", node=FakeNode(invites=[over])).out


def test_an_accepted_invite_that_is_over_says_why_and_not_that_it_was_refused() -> None:
    why = "A newer invite of this node was accepted."
    over = msgspec.structs.replace(
        INVITE, direction="incoming", stage="refused", trust_level="observer", last_error=why
    )
    shown = invoke("invite", "list", node=FakeNode(invites=[over]))
    assert "refused" not in shown.out
    assert why in shown.out


def test_inspect_shows_times_of_this_place_with_their_age() -> None:
    shown = invoke("invite", "inspect", "-", typed=CODE)
    assert "Ends:          2126-11-1" in shown.out
    assert "(in " in shown.out
    assert "Z" not in shown.out.split("Made:")[1].splitlines()[0]


def test_an_empty_list_is_an_empty_array_or_a_word_on_standard_error() -> None:
    assert invoke("invite", "list", "--json", node=FakeNode(invites=[])).out == "[]\n"
    shown = invoke("invite", "list", node=FakeNode(invites=[]))
    assert (shown.exit_code, shown.out) == (0, "")
    assert "no invites" in shown.err


def test_revoke() -> None:
    node = FakeNode()
    assert invoke("invite", "revoke", "5f1c02ab", node=node).exit_code == 0
    assert ("invite_revoke", "5f1c02ab") in node.calls
    assert invoke("invite", "revoke", "5f1c02ab", "--json", node=node).json["stage"] == "revoked"


def test_an_open_legacy_invite_is_told_from_the_others() -> None:
    for stage, shown in (("created", "created, legacy"), ("revoked", "revoked")):
        entry = msgspec.structs.replace(INVITE, legacy=True, stage=stage)
        assert f"  {shown}  " in invoke("invite", "list", node=FakeNode(invites=[entry])).out
    assert "legacy" not in invoke("invite", "list", node=FakeNode(invites=[INVITE])).out


def test_a_legacy_invite_says_what_to_compare_and_where_to_look() -> None:
    node = FakeNode()
    said = invoke("invite", "create", "--legacy", node=node)
    assert ("invite_create", "observer", 86400, "legacy") in node.calls
    assert "compare the DID" in said.err
    assert "They type" not in said.err
    assert "enigma-fed peer list" in said.err
    assert "compare the DID" not in invoke("invite", "create", node=FakeNode()).err
