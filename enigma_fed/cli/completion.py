"""`enigma-fed completion`: scripts for the shells."""

from __future__ import annotations

import click

from enigma_fed.cli.groups import Command


@click.command(
    "completion",
    cls=Command,
    examples=(
        "enigma-fed completion bash > ~/.local/share/bash-completion/completions/enigma-fed",
        "enigma-fed completion fish > ~/.config/fish/completions/enigma-fed.fish",
    ),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell, to be stored where that shell looks for it."""
    from enigma_fed.cli import output

    output.as_it_is(script(shell))


def script(shell: str) -> str:
    """The completion script of bash, zsh or fish."""
    from click.shell_completion import ShellComplete, get_completion_class

    from enigma_fed.cli.main import COMPLETE_VARIABLE, PROGRAM, cli

    kind = get_completion_class(shell)
    assert kind is not None
    # Not kind.source(): that of bash starts a bash to ask for its version.
    return ShellComplete.source(kind(cli, {}, PROGRAM, COMPLETE_VARIABLE))
