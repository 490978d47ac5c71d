"""An invite code as a QR code."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from enigma_fed.cli import qr
from tests.cli.fakes import CODE, FakeNode, invoke


@pytest.mark.parametrize("name", ["invite.png", "invite.SVG"])
def test_qr_file_is_new_and_the_owners_alone(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    shown = invoke("invite", "create", "--qr-file", str(path), node=FakeNode())
    assert (shown.exit_code, shown.out) == (0, f"{CODE}\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes().startswith(b"\x89PNG" if name.endswith("png") else b"<?xml")


def test_qr_file_never_overwrites_and_then_no_invite_is_made(tmp_path: Path) -> None:
    node, path = FakeNode(), tmp_path / "invite.png"
    path.write_bytes(b"mine")
    shown = invoke("invite", "create", "--qr-file", str(path), node=node)
    assert (shown.exit_code, shown.out, node.calls) == (1, "", [])
    assert "exists already" in shown.err
    assert path.read_bytes() == b"mine"


def test_qr_file_follows_no_link(tmp_path: Path) -> None:
    link = tmp_path / "invite.png"
    link.symlink_to(tmp_path / "elsewhere.png")
    assert invoke("invite", "create", "--qr-file", str(link), node=FakeNode()).exit_code == 1
    assert not (tmp_path / "elsewhere.png").exists()


@pytest.mark.parametrize("name", ["invite.jpg", "invite", "nowhere/invite.png"])
def test_qr_file_names_that_cannot_be_used(tmp_path: Path, name: str) -> None:
    node = FakeNode()
    shown = invoke("invite", "create", "--qr-file", str(tmp_path / name), node=node)
    assert shown.exit_code in (1, 2)
    assert "--qr-file" in shown.err
    assert node.calls == []


def test_a_terminal_too_small_for_the_qr_code_is_said_before_an_invite_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    node = FakeNode()
    shown = invoke("invite", "create", "--qr", node=node)
    assert shown.exit_code == 1
    assert "at least" in shown.err
    assert "this one has 80" in shown.err
    assert "--qr-file" in shown.err
    assert not any(call[0] == "invite_create" for call in node.calls)


def test_the_qr_code_is_drawn_where_it_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    shown = invoke("invite", "create", "--qr", node=FakeNode())
    first, *drawing = shown.out.splitlines()
    assert first == CODE
    assert {len(line) for line in drawing} == {qr.width(CODE)}
    assert set("".join(drawing)) <= set(" █▀▄")


def test_a_drawn_qr_code_is_the_code_module_by_module() -> None:
    import segno

    text = "fed1:abc"
    wanted = [
        [bool(m) for m in row]
        for row in segno.make_qr(text, error="l", boost_error=False).matrix_iter(border=2)
    ]
    halves = {" ": (False, False), "▀": (True, False), "▄": (False, True), "█": (True, True)}
    for colour in (True, False):
        rows: list[list[bool]] = []
        for line in qr.draw(text, colour=colour).splitlines():
            cells = line.replace("\x1b[38;5;16;48;5;231m", "").replace("\x1b[0m", "")
            rows += [[halves[cell][i] == colour for cell in cells] for i in (0, 1)]
        assert rows[: len(wanted)] == wanted


def test_qr_does_not_go_with_json() -> None:
    assert invoke("invite", "create", "--qr", "--json", node=FakeNode()).exit_code == 2
