"""What to try while the homes of a demo are kept, in another terminal."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from enigma_fed.demo.agentprocess import AgentProcess

_WITHOUT_CONFIG: Final = (
    "Without --config a command takes default settings, and `run` the public Tor network."
)


def commands(program: Path, agents: Sequence[AgentProcess], admin: str | None) -> Iterator[str]:
    """Lines to print: each command names the settings of its home, without which it would take others.

    `admin` is where the first home serves health and metrics, None when it does not.
    """
    first, last = agents[0], agents[-1]
    yield "Everything stays up until Ctrl-C. In another terminal, for example:"
    for agent in agents:
        yield f"  {_typed(program, agent)} peer list"
    yield f"  {_typed(program, first)} status"
    yield f"  {_typed(program, first)} peer ping {agents[1].name}"
    if admin is not None:
        yield f"  curl http://{admin}/metrics"
    if last.pid is not None:
        yield f"Stop {last.name}, see how the others take it, and start it again on the same private network:"
        yield f"  kill {last.pid}"
        yield f"  {_typed(program, last)} run"
        yield _WITHOUT_CONFIG


def _typed(program: Path, agent: AgentProcess) -> str:
    return shlex.join([str(program), "--config", str(agent.config_file), "--data-dir", str(agent.data_dir)])
