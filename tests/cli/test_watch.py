"""`--watch`: a line, or an object, per change; nothing per look; an agent that goes away is waited for."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from enigma_fed.base import limits
from enigma_fed.base.errors import AgentNotRunning, EnigmaError, NotInitialised, OperationFailed, TryLater
from enigma_fed.cli import output, watch
from enigma_fed.cli.context import CliContext, Flags
from enigma_fed.cli.main import main
from enigma_fed.cli.watch import Fact, changes
from enigma_fed.daemon.operations import Operations
from enigma_fed.wire.views import PeerView, StatusView
from tests.cli.fakes import PEER, FakeNode, Outcome
from tests.cli.test_terminal import HOSTILE, assert_harmless, spoiled

Answer = StatusView | EnigmaError
STATUS = FakeNode().status()


class Agent(FakeNode):
    """Gives one answer after the other, then ends the watch as Ctrl-C does."""

    def __init__(self, *answers: Any, lasting: bool = True) -> None:
        super().__init__()
        self.lasting = lasting
        self.answers = list(answers)
        self.opened = 0
        self.waited: list[float] = []

    def _next(self) -> Any:
        answer = self.answers.pop(0)
        if isinstance(answer, EnigmaError):
            raise answer
        return answer

    def status(self) -> StatusView:
        return self._next()  # type: ignore[no-any-return]

    def peer_list(self) -> list[PeerView]:
        return self._next()  # type: ignore[no-any-return]

    def pause(self, seconds: float) -> None:
        self.waited.append(seconds)
        if not self.answers:
            raise KeyboardInterrupt


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    def run_it(agent: Agent, *words: str) -> Outcome:
        @contextmanager
        def opener(flags: Flags, *, mutating: bool) -> Iterator[Operations]:
            assert not mutating
            agent.opened += 1
            yield agent

        monkeypatch.setattr(watch, "pause", agent.pause)
        with CliRunner().isolation() as (out, err, _):
            code = main(words, obj=CliContext(open_operations=opener))
            return Outcome(code, out.getvalue().decode(), err.getvalue().decode())

    return run_it


Run = Callable[..., Outcome]


def told(shown: Outcome) -> list[str]:
    """The lines without the time before them."""
    return [line[20:] for line in shown.out.splitlines()]


def notes(shown: Outcome) -> list[str]:
    """What is told of the agent, without the time before it."""
    lines = shown.err.splitlines()
    assert all(re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} ", line) for line in lines)
    return [line[20:] for line in lines]


def test_what_does_not_change_is_told_once_and_ctrl_c_is_no_failure(run: Run) -> None:
    agent = Agent(STATUS, replace(STATUS, uptime_s=99), STATUS)
    shown = run(agent, "status", "--watch")
    assert (shown.exit_code, shown.err) == (0, "")
    assert told(shown).count("Peers: 1 up") == 1
    assert (agent.opened, agent.waited) == (1, [limits.WATCH_INTERVAL] * 3)


def test_each_change_is_a_line(run: Run) -> None:
    late = replace(STATUS, peers={"late": 1}, warnings=[], next_steps=["Wait."])
    lines = told(run(Agent(STATUS, late), "status", "--watch", "--interval", "30s"))
    assert lines[-4:] == [
        "Peers: 1 late",
        "Next: Wait.",
        "No longer: Warning: the clock is not synchronised",
        "No longer: Next: Make an invite: enigma-fed invite create",
    ]


def test_with_json_each_change_is_an_object(run: Run) -> None:
    changed = replace(STATUS, invites_open=1)
    shown = run(Agent(STATUS, replace(STATUS, uptime_s=99), changed), "status", "--watch", "--json")
    found = [json.loads(line) for line in shown.out.splitlines()]
    assert [(view["invites_open"], view["uptime_s"]) for view in found] == [(0, 61), (1, 61)]


GONE = (AgentNotRunning("x"), OperationFailed("the agent closed the connection"), TryLater("busy"))


@pytest.mark.parametrize("error", GONE, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_an_agent_that_goes_away_is_told_once_and_asked_anew(
    run: Run, error: EnigmaError, flags: tuple[str, ...]
) -> None:
    agent = Agent(STATUS, error, error, replace(STATUS, pid=8))
    shown = run(agent, "status", "--watch", *flags)
    assert shown.exit_code == 0
    lines = shown.err.splitlines() if flags else notes(shown)
    assert len(lines) == 2
    gone = isinstance(error, AgentNotRunning)
    assert lines[0].startswith("No agent is running" if gone else "The agent does not answer (")
    assert lines[1] == "The agent answers again."
    assert agent.opened == 3, "each question after a failure looks for the agent anew"
    assert len(shown.out.splitlines()) == 2 if flags else "process 8" in shown.out


def test_files_are_read_anew_each_time_without_an_agent(run: Run) -> None:
    agent = Agent(STATUS, STATUS, lasting=False)
    assert run(agent, "status", "--watch").exit_code == 0
    assert agent.opened == 2


def test_an_agent_that_starts_and_stops_is_told(run: Run) -> None:
    class Restarting(Agent):
        def status(self) -> StatusView:
            view = super().status()
            self.lasting = view.running
            return view

    stopped = replace(STATUS, running=False)
    shown = run(
        Restarting(stopped, STATUS, AgentNotRunning("x"), stopped, lasting=False), "status", "--watch"
    )
    assert notes(shown) == [
        "The agent answers again.",
        "No agent is running on this data folder: x; asking again.",
        "This comes from the files.",
    ]
    assert told(shown).count("Agent: not running") == 2


def test_what_fails_at_first_is_a_failure(run: Run) -> None:
    shown = run(Agent(NotInitialised("/d")), "status", "--watch")
    assert shown.exit_code == 1
    assert shown.out == ""


def test_another_fault_ends_it(run: Run) -> None:
    assert run(Agent(STATUS, EnigmaError("x")), "status", "--watch").exit_code == 1


def test_ctrl_c_while_it_asks_is_no_failure(run: Run) -> None:
    class Stuck(Agent):
        def status(self) -> StatusView:
            raise KeyboardInterrupt

    assert run(Stuck(), "status", "--watch").exit_code == 0


@pytest.mark.parametrize("value", ["0s", "0", "x", "-1", "0.5", "100ms"])
def test_an_interval_has_a_least_length(run: Run, value: str) -> None:
    refused = run(Agent(), "status", "--watch", "--interval", value)
    assert refused.exit_code == 2
    assert "at least 1s, like 2s" in refused.err
    assert (
        run(Agent(STATUS), "status", "--watch", "--interval", f"{limits.WATCH_INTERVAL_MIN}s").exit_code == 0
    )


def test_an_interval_goes_with_watch(run: Run) -> None:
    refused = run(Agent(), "status", "--interval", "5s")
    assert (refused.exit_code, "--interval goes with --watch" in refused.err) == (2, True)
    assert run(Agent(STATUS), "status", "--interval", "5s", "--watch").exit_code == 0


def test_peers_are_told_when_they_change_and_not_as_time_goes_by(run: Run) -> None:
    later = replace(
        PEER, age_s=9, last_seen="2026-11-20T09:00:00Z", bytes_in=7, liveness_reason="heard 9 s ago"
    )
    away = replace(PEER, liveness="offline", liveness_reason="2 polls failed: no answer; next try in 5 s")
    awaits = replace(away, liveness_reason="2 polls failed: no answer; next try in 3 s")
    lines = told(run(Agent([PEER], [later], [away], [awaits], []), "peer", "list", "--watch"))
    assert lines == [
        "cellar: up, confirmed",
        "cellar: offline, confirmed (2 polls failed: no answer; next try in 5 s)",
        "No longer: cellar: offline, confirmed (2 polls failed: no answer; next try in 3 s)",
    ]
    shown = run(Agent([PEER], [later], [away]), "peer", "list", "--watch", "--json")
    assert [json.loads(line)[0]["liveness"] for line in shown.out.splitlines()] == ["up", "offline"]


def test_a_terminal_is_drawn_in_place(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[list[str]] = []

    @contextmanager
    def screen() -> Iterator[Callable[[list[str]], None]]:
        yield drawn.append

    monkeypatch.setattr(output, "at_a_terminal", lambda: True)
    monkeypatch.setattr(output, "screen", screen)
    shown = run(Agent(STATUS, TryLater("busy"), STATUS), "status", "--watch")
    assert (shown.exit_code, shown.out, shown.err) == (0, "", "")
    first, second, third = drawn
    assert first[-1] == "Every 2 s; Ctrl-C ends it."
    assert "The agent does not answer" in second[-1]
    assert second[:-1] == first[:-1] == third[:-1], "what it said last stays"
    run(Agent([]), "peer", "list", "--watch")
    assert "enigma-fed invite create" in drawn[-1][0]


def test_the_screen_steers_nothing_by_what_it_shows() -> None:
    with CliRunner().isolation() as (out, _, _):
        with output.screen() as draw:
            draw(["a\x1b[2Jb", "c\rd"])
        shown = out.getvalue().decode()
    assert "a?[2Jb" in shown
    assert "c?d" in shown


@pytest.mark.parametrize("words", [("status",), ("peer", "list")], ids=" ".join)
@pytest.mark.parametrize("flags", [(), ("--json",)], ids=["text", "json"])
def test_nothing_that_is_watched_steers_the_terminal(
    run: Run, words: tuple[str, ...], flags: tuple[str, ...]
) -> None:
    said = spoiled(STATUS) if words == ("status",) else [spoiled(PEER)]
    shown = run(Agent(said, OperationFailed(HOSTILE), said), *words, "--watch", *flags)
    assert shown.exit_code == 0
    assert "curl evil" in shown.out
    assert "curl evil" in shown.err
    assert_harmless(shown)


def test_changes() -> None:
    before = {"a": Fact(1, "A"), "b": Fact(1, "B"), "c": Fact(1, "C 1")}
    now = {"b": Fact(1, "B again"), "c": Fact(2, "C 2"), "d": Fact(1, "D")}
    assert list(changes(before, now)) == ["C 2", "D", "No longer: A"]
    assert list(changes({}, now)) == ["B again", "C 2", "D"]
