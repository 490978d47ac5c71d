"""Where a code comes from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from enigma_fed.cli.codes import drain
from tests.cli.fakes import CODE, FakeNode, invoke


@pytest.mark.parametrize("way", ["argument", "standard input", "file"])
def test_accept_takes_the_code_from_anywhere(tmp_path: Path, way: str) -> None:
    node, path = FakeNode(), tmp_path / "code"
    path.write_text(f"  {CODE}\n\n")
    words = {"argument": [CODE], "standard input": ["-"], "file": ["--file", str(path)]}[way]
    shown = invoke("invite", "accept", *words, "--trust", "trusted", node=node, typed=f"{CODE}\n")
    assert shown.exit_code == 0
    assert ("invite_accept", CODE, "trusted", False) in node.calls
    assert ("shell's history" in shown.err) == (way == "argument")


@pytest.mark.parametrize("way", ["-", "--file"])
def test_white_space_that_mail_put_into_a_code_is_dropped(tmp_path: Path, way: str) -> None:
    wrapped = "\r\n".join(f"  {CODE[i : i + 70]}" for i in range(0, len(CODE), 70))
    node, path = FakeNode(), tmp_path / "code"
    path.write_text(wrapped)
    words = ["--file", str(path)] if way == "--file" else ["-"]
    assert invoke("invite", "accept", *words, node=node, typed=wrapped).exit_code == 0
    assert ("invite_accept", CODE, "observer", False) in node.calls


def test_the_rest_of_a_pasted_code_is_taken_from_the_terminal() -> None:
    ours, terminal = os.openpty()
    try:
        os.write(ours, b"second\nthird\nlast without an end")
        assert drain(terminal).split() == ["second", "third", "last", "without", "an", "end"]
        assert drain(terminal) == ""
    finally:
        os.close(ours)
        os.close(terminal)


def test_accept_without_a_code_and_without_a_terminal_is_2() -> None:
    node = FakeNode()
    shown = invoke("invite", "accept", node=node)
    assert shown.exit_code == 2
    assert "no code was given" in shown.err
    assert node.calls == []


def test_accept_takes_one_source_only(tmp_path: Path) -> None:
    assert invoke("invite", "accept", CODE, "--file", str(tmp_path), node=FakeNode()).exit_code == 2
    missing = invoke("invite", "accept", "--file", str(tmp_path / "none"), node=FakeNode())
    assert missing.exit_code == 2
    assert "--file" in missing.err


@pytest.mark.parametrize("way", ["-", "--file"])
def test_invariant_7_an_endless_code_is_not_read_to_its_end(way: str) -> None:
    node = FakeNode()
    words = [way, "/dev/zero"] if way == "--file" else [way]
    shown = invoke("invite", "accept", *words, node=node, typed="A" * 100_000)
    assert shown.exit_code == 2
    assert "too large" in shown.err
    assert node.calls == []
