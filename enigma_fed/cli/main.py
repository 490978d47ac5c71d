"""The console script `enigma-fed`: the table of commands and the process's only catch-all.

A command's module is imported when the command runs, so `--help` costs what `import click` costs.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from enigma_fed import __version__
from enigma_fed.cli.groups import LazyGroup

PROGRAM: Final = "enigma-fed"
COMPLETE_VARIABLE: Final = "_ENIGMA_FED_COMPLETE"

COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "init": ("enigma_fed.cli.init:init", "Make a new node: its keys and its data folder."),
    "run": ("enigma_fed.cli.run:run", "Run the agent in the foreground."),
    "status": ("enigma_fed.cli.status:status", "Say how this node is and what to do next."),
    "doctor": ("enigma_fed.cli.doctor:doctor", "Check this node and say how to repair it."),
    "logs": ("enigma_fed.cli.logs:logs", "Show the agent's log."),
    "demo": ("enigma_fed.cli.demo:demo", "See homes federate on this machine, on a private Tor network."),
    "id": ("enigma_fed.cli.identity:identity", "Show who this node is."),
    "invite": ("enigma_fed.cli.invite:invite", "Invite another home, or accept an invite."),
    "peer": ("enigma_fed.cli.peer:peer", "See and manage the homes that this node knows."),
    "registry": ("enigma_fed.cli.registry:registry", "Run an identity registry, or ask one."),
    "config": ("enigma_fed.cli.config:config", "Show the configuration."),
    "service": ("enigma_fed.cli.service:service", "Run the agent as a service of systemd."),
    "completion": ("enigma_fed.cli.completion:completion", "Print a shell's completion script."),
}


@click.group(
    name=PROGRAM,
    cls=LazyGroup,
    table=COMMANDS,
    examples=("enigma-fed demo", "enigma-fed init --name attic", "enigma-fed invite create"),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name=PROGRAM, message="%(prog)s %(version)s")
def cli() -> None:
    """Federate home servers over Tor: invite other homes, and see how they are."""


def main(arguments: Sequence[str] | None = None, **extra: Any) -> int:
    """Run one command and return its exit code; `extra` goes to click's context (tests: `obj`)."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        outcome = cli.main(
            words, prog_name=PROGRAM, complete_var=COMPLETE_VARIABLE, standalone_mode=False, **extra
        )
        sys.stdout.flush()
    except (SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # noqa: BLE001  the process boundary: every failure becomes a sentence
        from enigma_fed.cli.failures import report

        return report(error, words)
    return outcome if isinstance(outcome, int) else 0
