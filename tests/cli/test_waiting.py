"""A command does not sit silent before an agent that does not answer."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import TypeVar

import click
import pytest

from enigma_fed.base import limits
from enigma_fed.cli import output
from enigma_fed.cli.waiting import Waiting
from enigma_fed.daemon.calls import Call, Params
from enigma_fed.daemon.operations import Operations, RemoteOperations
from enigma_fed.transports.unixsocket import bind_private
from tests.cli.homes import Home, make_home
from tests.support.views import NODE

R = TypeVar("R")


class Slow(Operations):
    """Answers once `until` is set; remembers what it was asked."""

    lasting = True

    def __init__(self, until: Event) -> None:
        self.until = until
        self.closed = False

    def call(self, call: Call[R], params: Params) -> R:
        assert self.until.wait(30)
        return NODE  # type: ignore[return-value]

    def hanging(self) -> str:
        return "process 7 takes commands and does not answer"

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path, "attic")


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(output, "PATIENCE", 0.0)
    monkeypatch.setattr(output, "REMIND", 0.0)
    return []


def listen(monkeypatch: pytest.MonkeyPatch, said: list[str], enough: Callable[[str], bool]) -> Event:
    heard = Event()

    def talk(text: str) -> None:
        said.append(text)
        if enough(text):
            heard.set()

    monkeypatch.setattr(output, "talk", talk)
    return heard


def test_first_the_wait_is_told_and_then_who_does_not_answer(
    said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    node = Slow(listen(monkeypatch, said, lambda text: "process 7" in text))
    with Waiting(node) as waiting:
        assert waiting.lasting
        assert waiting.identity() == NODE
    assert node.closed
    assert said[0].startswith("waiting for the agent (")
    assert "process 7" not in said[0]
    assert said[1].endswith("… process 7 takes commands and does not answer")


def test_a_screen_that_is_drawn_is_not_written_over(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    listen(monkeypatch, said, bool)
    done = Event()
    done.set()
    with click.Context(click.Command("status")), output.screen() as draw:
        draw(["drawn"])
        Waiting(Slow(done)).identity()
    assert said == []


def test_pauses_are_longer_where_nobody_reads_along(monkeypatch: pytest.MonkeyPatch) -> None:
    for terminal, third in ((True, output.REMIND), (False, 30.0)):
        monkeypatch.setattr("sys.stderr.isatty", lambda terminal=terminal: terminal)
        pauses = output._waits()
        assert next(pauses) + next(pauses) == pytest.approx(10.0)
        assert next(pauses) == third


def test_what_hangs_is_named_with_the_way_to_end_it(tmp_path: Path) -> None:
    path = Path(os.path.relpath(tmp_path)) / "agent.sock"
    with closing(bind_private(path)) as listening:
        listening.listen()
        said = RemoteOperations(path).hanging()
    pid = os.getpid()
    assert said.startswith(f"process {pid} takes commands and does not answer; wait, or end it: kill {pid};")
    assert RemoteOperations(path.with_name("nobody.sock")).hanging() == ""


def test_commands_that_read_end_with_75(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent that is stopped (SIGSTOP) takes connections, by its kernel, and does not answer."""
    told = ""
    with home.agent() as running:
        monkeypatch.setattr(limits, "CONTROL_READ_TIMEOUT", 0.5)
        monkeypatch.setattr(output, "PATIENCE", 0.0)
        running.send_signal(signal.SIGSTOP)
        try:
            for words in (["status"], ["status", "--watch"], ["peer", "list"], ["peer", "list", "--watch"]):
                shown = home(*words)
                assert (shown.exit_code, shown.out) == (75, "")
                assert f"process {running.pid} takes commands and does not answer" in shown.err
                assert f"kill {running.pid}" in shown.err
                told += shown.err
        finally:
            running.send_signal(signal.SIGCONT)
    assert "waiting for the agent (" in told
