"""Global flags anywhere, examples in the help, suggestions."""

from __future__ import annotations

import shlex

import click
import pytest

from enigma_fed.cli.context import Flags
from enigma_fed.cli.groups import Command, Group
from tests.cli.fakes import DID, FakeNode, all_commands, invoke


def test_every_example_can_be_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, command in all_commands():
        assert isinstance(command, (Command, Group))
        for line in command.examples:
            words = shlex.split(line, comments=True)
            words = words[words.index("enigma-fed") + 1 :]
            words = words[: words.index(">")] if ">" in words else words
            with monkeypatch.context() as patch:
                for _, other in all_commands():
                    if not isinstance(other, click.Group):
                        patch.setattr(other, "callback", lambda **values: None)
                assert invoke(*words).exit_code == 0, (name, line)


@pytest.mark.parametrize(
    "words",
    [
        ["--json", "--data-dir", "/d", "--config", "/c", "peer", "list"],
        ["peer", "--json", "--data-dir", "/d", "--config", "/c", "list"],
        ["peer", "list", "--json", "--data-dir", "/d", "--config", "/c"],
        ["--data-dir", "/other", "peer", "list", "--json", "--data-dir", "/d", "--config", "/c"],
    ],
)
def test_global_flags_go_anywhere_and_the_last_one_wins(words: list[str]) -> None:
    node = FakeNode()
    shown = invoke(*words, node=node)
    assert node.calls[0] == ("open", Flags(config="/c", data_dir="/d", json=True), False)
    assert shown.json[0]["did"] == DID


def test_a_mistyped_command_gets_a_suggestion() -> None:
    assert "did you mean 'status'? See `enigma-fed --help`." in invoke("statsu").err
    assert "did you mean 'remove'? See `enigma-fed peer --help`." in invoke("peer", "remov", "x").err
    assert "did you mean 'accept'?" in invoke("invite", "acept").err


@pytest.mark.parametrize("words", [[], ["peer"]])
def test_no_command_shows_the_help_and_is_2(words: list[str]) -> None:
    shown = invoke(*words)
    assert (shown.exit_code, shown.out) == (2, "")
    assert "Commands:" in shown.err


def test_every_command_has_a_help_with_an_example() -> None:
    for name, command in all_commands():
        assert isinstance(command, (Command, Group)), name
        assert command.help, name
        assert command.examples, name
        assert all("enigma-fed " in line for line in command.examples), name
        shown = invoke(*name.split(), "--help")
        assert shown.exit_code == 0, name
        assert command.examples[0] in shown.out, name
