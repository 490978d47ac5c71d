"""Data on standard output, talk on standard error, progress for what takes long."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event
from typing import Any

import click
import pytest

from enigma_fed.cli import output
from tests.cli.fakes import FakeNode, invoke


@pytest.mark.parametrize("words", [["sync"], ["ping", "cellar"]])
def test_what_takes_longer_shows_progress_on_standard_error(
    monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setattr(output, "PATIENCE", 0.0)
    waited: list[bool] = []

    class SlowNode(FakeNode):
        def _call(self, *call: Any) -> None:
            waited.append(output_seen.wait(5))

    output_seen = Event()
    talk = output.talk

    def seen(text: str) -> None:
        talk(text)
        if "over Tor" in text:
            output_seen.set()

    monkeypatch.setattr(output, "talk", seen)
    shown = invoke("peer", *words, node=SlowNode())
    assert waited[0] is True
    assert "asking over Tor" in shown.err


def test_a_table_for_a_reader_that_is_no_terminal_is_aligned_plain_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output.table(("A", "LONGER"), [("one", "1"), ("three\x1b", "2")], empty="")
    assert capsys.readouterr().out == "A       LONGER\none     1\nthree?  2\n"


def test_a_table_at_a_terminal_has_the_same_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    output.table(("A", "LONGER"), [("[red]one", "1"), (":smile:", "2")], empty="")
    assert capsys.readouterr().out.split() == ["A", "LONGER", "[red]one", "1", ":smile:", "2"]


def test_details_leave_out_what_has_no_value(capsys: pytest.CaptureFixture[str]) -> None:
    output.details([("Name", "attic"), ("Longer", ""), ("Trust", "x\n")])
    assert capsys.readouterr().out == "Name:   attic\nTrust:  x?\n"


def test_no_progress_is_shown_for_what_is_quick(capsys: pytest.CaptureFixture[str]) -> None:
    with output.progress("waiting"):
        pass
    assert capsys.readouterr().err == ""


def test_progress_keeps_silent_while_something_is_drawn(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its lines would stand in the middle of the drawing."""
    draws, silent = Event(), Event()

    def waits() -> Iterator[float]:
        assert draws.wait(20)
        yield from (0.0, 0.0)
        silent.set()

    monkeypatch.setattr(output, "_waits", waits)
    with click.Context(click.Command("any")), output.progress("waiting"), output.drawn():
        draws.set()
        assert silent.wait(20)
    assert capsys.readouterr().err == ""
