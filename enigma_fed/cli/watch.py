"""`--watch`: one question per interval; a terminal is drawn in place, elsewhere each change is a line."""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import click
from click.core import ParameterSource

from enigma_fed.base import limits
from enigma_fed.base.errors import AgentNotRunning, EnigmaError, OperationFailed, TryLater
from enigma_fed.cli.types import parse_ago

if TYPE_CHECKING:
    from enigma_fed.cli.context import CliContext
    from enigma_fed.daemon.operations import Operations

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., object])
_PASSING: Final = (OperationFailed, TryLater)
"""What an agent that stops, starts or is busy makes of a question."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of what is watched; it is told when `what` is another than before."""

    what: object
    line: str


@dataclass(frozen=True, slots=True)
class Subject(Generic[T]):
    """What is watched."""

    ask: Callable[[Operations], T]
    """One call to the node."""
    screen: Callable[[T], Sequence[str]]
    """The lines on a terminal."""
    facts: Callable[[T], Mapping[str, Fact]]
    """What is told elsewhere, by key."""
    steady: Callable[[T], object]
    """The answer without what changes with time alone: a JSON object is printed when this has changed."""


def pause(seconds: float) -> None:
    """Wait; tests end a watch here."""
    time.sleep(seconds)


def watch(here: CliContext, subject: Subject[T], every: float) -> None:
    """Ask every so many seconds until Ctrl-C, which is no error; of failures the first is raised."""
    try:
        if here.json:
            _as_json(_answers(here, subject, every), subject)
        else:
            from enigma_fed.cli import output

            show = _on_screen if output.at_a_terminal() else _as_lines
            show(_answers(here, subject, every), subject, every)
    except KeyboardInterrupt:
        return


class _Source(enum.Enum):
    """Where an answer came from, and what is told when it is another than before."""

    AGENT = "The agent answers again."
    FILES = "No agent runs; this comes from the files."
    NOBODY = "The agent does not answer ({why}); asking again."


@dataclass(frozen=True, slots=True)
class _Answer(Generic[T]):
    """What the node said, or why it said nothing."""

    said: T | None
    source: _Source
    why: str = ""
    gone: bool = False
    """Whether it is told already that no agent runs, or `why` tells it."""

    @property
    def sentence(self) -> str:
        """Where it came from, or why there is none."""
        if self.gone:
            return f"{self.why}; asking again." if self.why else "This comes from the files."
        return self.source.value.format(why=self.why)


def _answers(here: CliContext, subject: Subject[T], every: float) -> Iterator[_Answer[T]]:
    """An answer per interval: one call each, on the way to the agent that was found at first.

    Without an agent the files are opened each time, which notices one that starts.
    """
    answered = gone = False
    with ExitStack() as way:
        node: Operations | None = None
        answer: _Answer[T]
        while True:
            try:
                if node is None:
                    node = way.enter_context(here.opened(mutating=False))
                said = subject.ask(node)
            except _PASSING as error:
                if not answered:
                    raise
                gone = isinstance(error, AgentNotRunning)
                answer = _Answer(None, _Source.NOBODY, _why(error), gone)
            else:
                gone = gone and not node.lasting
                answer = _Answer(said, _Source.AGENT if node.lasting else _Source.FILES, gone=gone)
            answered = True
            if answer.source is not _Source.AGENT:
                node = None
                way.close()
            yield answer
            pause(every)


def _why(error: EnigmaError) -> str:
    return f"{error.what}: {error.detail}" if error.detail else error.what


def _as_json(answers: Iterator[_Answer[T]], subject: Subject[T]) -> None:
    from enigma_fed.cli import output

    before: object = None
    source: _Source | None = None
    for answer in answers:
        source = _tell_source(answer, source)
        if answer.said is None:
            continue
        now = subject.steady(answer.said)
        if now != before:
            output.data_json(answer.said)
        before = now


def _as_lines(answers: Iterator[_Answer[T]], subject: Subject[T], every: float) -> None:
    from enigma_fed.cli import output
    from enigma_fed.cli.humane import printable

    before: Mapping[str, Fact] = {}
    source: _Source | None = None
    for answer in answers:
        source = _tell_source(answer, source, stamped=True)
        if answer.said is None:
            continue
        now = subject.facts(answer.said)
        for line in changes(before, now):
            output.data(printable(_stamped(line)))
        before = now


def changes(before: Mapping[str, Fact], now: Mapping[str, Fact]) -> Iterator[str]:
    """A line for everything that is new or another than before, and for everything that is over."""
    for key, fact in now.items():
        if key not in before or before[key].what != fact.what:
            yield fact.line
    for key, fact in before.items():
        if key not in now:
            yield f"No longer: {fact.line}"


def _stamped(line: str) -> str:
    return f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}"


def _tell_source(answer: _Answer[T], before: _Source | None, *, stamped: bool = False) -> _Source:
    from enigma_fed.cli import output
    from enigma_fed.cli.humane import printable

    if before is not None and answer.source is not before:
        line = answer.sentence
        output.talk(printable(_stamped(line) if stamped else line))
    return answer.source


def _on_screen(answers: Iterator[_Answer[T]], subject: Subject[T], every: float) -> None:
    from enigma_fed.cli import output

    last: list[str] = []
    with output.screen() as draw:
        for answer in answers:
            state = f"Every {every:g} s; Ctrl-C ends it."
            if answer.said is not None:
                last = list(subject.screen(answer.said))
            if answer.source is not _Source.AGENT:
                where = answer.source.value if answer.said is not None else answer.sentence
                state = f"{where} {state}"
            draw([*last, "", state])


def options(command: F) -> F:
    """The flags of a command that can watch."""
    interval = click.option(
        "--interval",
        metavar="TIME",
        default=f"{limits.WATCH_INTERVAL}s",
        show_default=True,
        callback=_read_interval,
        help=f"With --watch: how often to ask, at least {limits.WATCH_INTERVAL_MIN}s.",
    )
    flag = click.option(
        "--watch", "watching", is_flag=True, is_eager=True, help="Go on, and show what changes."
    )
    return flag(interval(command))


def _read_interval(ctx: click.Context, param: click.Parameter, value: str) -> int:
    given = ctx.get_parameter_source("interval") is not ParameterSource.DEFAULT
    if given and not ctx.params.get("watching"):
        raise click.UsageError("--interval goes with --watch", ctx)
    try:
        seconds = parse_ago(value)
    except ValueError:
        seconds = 0
    if seconds < limits.WATCH_INTERVAL_MIN:
        least = f"it must be a time of at least {limits.WATCH_INTERVAL_MIN}s, like 2s or 1m"
        raise click.BadParameter(f"{value!r}: {least}", ctx, param)
    return seconds
