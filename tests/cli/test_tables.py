"""Tables on narrow terminals."""

from __future__ import annotations

import msgspec
import pytest
from rich.cells import cell_len

from enigma_fed.cli.tables import Shape, fitted
from tests.cli.fakes import DID, INVITE, PEER, FakeNode, invoke

NAMES = ("Grandma's attic in the old town", "greenhouse-monitor", "cellar", "家のサーバー")
PROBLEM = (
    "The onion service of that node did not answer within a minute and a half, so it may be off. See there."
)
PEERS = [
    msgspec.structs.replace(PEER, name=name, stage=stage, last_error=PROBLEM if name == "cellar" else None)
    for name, stage in zip(NAMES, ("confirmed", "confirmed-both", "awaiting-approval", "used"), strict=True)
]
INVITES = [
    INVITE,
    msgspec.structs.replace(INVITE, stage="used", used_by=DID),
    msgspec.structs.replace(INVITE, stage="used", used_by=f"{DID}x"),
    msgspec.structs.replace(
        INVITE, direction="incoming", stage="refused", name=NAMES[0], did=f"{DID}y", last_error=PROBLEM
    ),
]


def assert_fits(text: str, width: int, names: tuple[str, ...]) -> None:
    assert all(cell_len(line) <= width for line in text.splitlines()), text
    words = text.split()
    for name in names:
        assert set(name.split()) <= set(words), (name, text)
    assert "See there." not in text
    assert DID not in text


def at_a_terminal(monkeypatch: pytest.MonkeyPatch, *words: str, node: FakeNode) -> str:
    monkeypatch.setattr("enigma_fed.cli.output.at_a_terminal", lambda: True)
    shown = invoke(*words, node=node)
    assert shown.exit_code == 0, shown.err
    return shown.out


@pytest.mark.parametrize("width", [80, 60])
def test_peer_list_on_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    text = at_a_terminal(monkeypatch, "peer", "list", node=FakeNode(peers=PEERS))
    assert_fits(text, width, NAMES)
    assert text.split()[0] == "NAME"
    assert "\n  The onion service of that node" in text


@pytest.mark.parametrize("width", [80, 60])
def test_invite_list_on_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    text = at_a_terminal(monkeypatch, "invite", "list", node=FakeNode(invites=INVITES))
    assert_fits(text, width, (NAMES[0], "cellar", "z6MkhaXgBZDv…"))


def test_columns_are_left_out_before_a_word_is_cut() -> None:
    columns, rows = ("NAME", "A", "B"), [("greenhouse", "1", "long-value")]
    shape = Shape(flow="NAME", spare=("B", "A"))
    assert fitted(columns, rows, shape, 30) == ["NAME        A  B", "greenhouse  1  long-value"]
    assert fitted(columns, rows, shape, 15) == ["NAME        A", "greenhouse  1"]
    assert fitted(columns, rows, shape, 10) == ["NAME", "greenhouse"]
    assert fitted(columns, rows, shape, 8) == ["NAME", "greenho…"]


def test_a_note_stands_below_its_row() -> None:
    rows = [("a", "one two three"), ("b", "")]
    assert fitted(("N", "NOTE"), rows, Shape(note="NOTE"), 10) == ["N", "a", "  one two", "  three", "b"]
