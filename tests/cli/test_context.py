"""Flags, and the way to the operations."""

from __future__ import annotations

from threading import Event

import click
import pytest

from enigma_fed.cli import output
from enigma_fed.cli.context import CliContext, Flags
from enigma_fed.cli.main import cli
from tests.cli.fakes import FakeNode, invoke


def test_a_command_gets_the_flags_of_its_whole_line_and_the_opener_of_its_surroundings() -> None:
    node = FakeNode()
    assert (
        invoke("--data-dir", "/d", "peer", "--json", "trust", "cellar", "trusted", node=node).exit_code == 0
    )
    assert node.calls[0] == ("open", Flags(data_dir="/d", json=True), True)


def test_what_is_open_is_freed_after_an_error_too() -> None:
    node = FakeNode()
    assert invoke("peer", "show", "nobody", node=node).exit_code == 5
    assert node.calls[-1] == ("closed",)


def test_a_wait_for_the_node_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "PATIENCE", 0.0)
    told, talk = Event(), output.talk

    def seen(text: str) -> None:
        talk(text)
        told.set()

    monkeypatch.setattr(output, "talk", seen)

    class SlowOpener:
        def __call__(self, flags: Flags, *, mutating: bool) -> FakeNode:
            assert told.wait(5)
            return FakeNode()

    with click.Context(cli), CliContext(open_operations=SlowOpener()).operations(mutating=True) as node:
        assert node.identity().name == "attic"
    assert told.is_set()
