"""One line after the other: whoever asks gets an outcome, and no error ends a line for good."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from enigma_fed.base.errors import EnigmaError, OperationFailed, PeerUnreachable, WriteFailed
from enigma_fed.base.tasks import Tasks
from enigma_fed.federation.lines import Lines, Traffic, Work
from tests.support.fakenetwork import until
from tests.support.manualclock import ManualClock

PAUSE = 10.0
AFTER_ERROR = 900.0


class Exchanges:
    """Lines whose exchanges fail as told; each ends when it is let go."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.tasks = Tasks()
        self.made: list[str] = []
        self.pauses: list[int] = []
        self.failure: Exception | None = None
        self.path = True
        self.gate = asyncio.Event()
        self.gate.set()
        traffic = Traffic(self.clock, lambda: 0.5, self.tasks, lambda: self.path)
        work = Work(lambda key: f"poll {key}", "it is over", self.once, self.pause, AFTER_ERROR)
        self.lines: Lines[str] = Lines(traffic, work)

    async def once(self, key: str) -> EnigmaError | None:
        self.made.append(key)
        await self.gate.wait()
        failure, self.failure = self.failure, None
        if failure is not None:
            raise failure
        return None

    def pause(self, key: str, failures: int) -> float | None:
        self.pauses.append(failures)
        return PAUSE * (failures + 1)

    def follow(self, *wanted: str) -> None:
        self.lines.follow(set(wanted), lambda _: (1.0, 0))

    async def ask(self, key: str) -> EnigmaError | None:
        line = self.lines.get(key)
        assert line is not None
        async with asyncio.timeout(10):
            return await line.ask()


@pytest.fixture
async def exchanges() -> AsyncIterator[Exchanges]:
    exchanges = Exchanges()
    yield exchanges
    await exchanges.lines.close()
    await exchanges.tasks.close()


async def test_what_cannot_be_stored_is_told_and_backed_off(
    exchanges: Exchanges, caplog: pytest.LogCaptureFixture
) -> None:
    exchanges.follow("a")
    exchanges.failure = WriteFailed("No space left on device")
    assert isinstance(await exchanges.ask("a"), WriteFailed)
    assert "poll a: what came of it could not be stored" in caplog.text
    assert (exchanges.pauses, exchanges.tasks.failures.total()) == ([1], 0)
    await until(lambda: exchanges.clock.sleepers)
    exchanges.clock.advance(2 * PAUSE)
    await until(lambda: exchanges.made == ["a", "a"])
    assert await exchanges.ask("a") is None


async def test_an_unexpected_error_tells_who_waits_and_the_line_begins_anew(
    exchanges: Exchanges, caplog: pytest.LogCaptureFixture
) -> None:
    exchanges.follow("a", "b")
    exchanges.failure = RuntimeError("broken on purpose")
    assert isinstance(await exchanges.ask("a"), OperationFailed)
    assert "task poll a failed" in caplog.text
    assert exchanges.lines.get("a") is None
    exchanges.follow("a", "b")
    await until(lambda: exchanges.clock.sleepers == 1)
    exchanges.clock.advance(AFTER_ERROR - 1)  # later than at a start: the error must not fill the log
    await until(lambda: exchanges.made == ["a", "b"])
    exchanges.clock.advance(1)
    await until(lambda: exchanges.made.count("a") == 2)
    assert await exchanges.ask("a") is None


async def test_a_line_that_begins_anew_is_there_for_who_asks(exchanges: Exchanges) -> None:
    exchanges.follow("a")
    exchanges.failure = RuntimeError("broken on purpose")
    await exchanges.ask("a")
    exchanges.follow("a")
    line = exchanges.lines.get("a")
    assert line is not None
    assert line.failures == 1  # so that a contact brings the exchange forward
    assert await exchanges.ask("a") is None


@pytest.mark.parametrize("steps", [0, 1, 5])
async def test_who_waits_is_told_when_the_line_is_stopped(exchanges: Exchanges, steps: int) -> None:
    """Also when its task is cancelled before its first step."""
    exchanges.gate.clear()
    exchanges.follow("a")
    line = exchanges.lines.get("a")
    assert line is not None
    asked = asyncio.ensure_future(line.ask())
    for _ in range(steps):
        await asyncio.sleep(0)
    exchanges.follow()
    async with asyncio.timeout(10):
        outcome = await asked
    assert isinstance(outcome, PeerUnreachable)
    assert outcome.detail == "it is over"


async def test_who_asks_takes_the_exchange_under_way_even_without_a_path(exchanges: Exchanges) -> None:
    exchanges.gate.clear()
    exchanges.path = False
    exchanges.follow("a")
    first = asyncio.ensure_future(exchanges.ask("a"))
    await until(lambda: exchanges.made == ["a"])
    second = asyncio.ensure_future(exchanges.ask("a"))
    await asyncio.sleep(0)
    exchanges.gate.set()
    assert [await first, await second] == [None, None]
    await until(lambda: exchanges.clock.sleepers)
    exchanges.clock.advance(PAUSE)  # nobody asks any more: without a path nothing is tried
    await until(lambda: exchanges.clock.sleepers == 1)
    assert exchanges.made == ["a"]


async def test_who_waits_has_no_task_and_who_is_asked_has_one(exchanges: Exchanges) -> None:
    exchanges.gate.clear()
    exchanges.follow(*(f"{number}" for number in range(1000)))
    await asyncio.sleep(0)
    assert len(exchanges.tasks._running) == 1, "one for the queue of all lines"
    asked = [asyncio.ensure_future(exchanges.ask("7")) for _ in range(3)]
    await until(lambda: exchanges.made == ["7"])
    assert len(exchanges.tasks._running) == 2
    exchanges.gate.set()
    assert await asyncio.gather(*asked) == [None, None, None]


async def test_invariant_7_hastening_again_and_again_fills_no_memory(exchanges: Exchanges) -> None:
    exchanges.follow("a", "b")
    line = exchanges.lines.get("a")
    assert line is not None
    for sooner in range(1, 10_000):
        line.hasten(exchanges.clock.boot() + 1 - sooner / 10_000)
    assert len(exchanges.lines._queue) < 100
    exchanges.clock.advance(1)
    await until(lambda: sorted(exchanges.made) == ["a", "b"])


async def test_a_line_that_is_over_tells_who_asks(exchanges: Exchanges) -> None:
    exchanges.follow("a")
    line = exchanges.lines.get("a")
    assert line is not None
    exchanges.follow()
    assert isinstance(await line.ask(), PeerUnreachable)
    line.hasten(0.0)
    assert line.due == 0.0
    await asyncio.sleep(0)
    assert exchanges.made == []


async def test_an_exchange_that_ends_its_own_line_comes_to_its_end(
    exchanges: Exchanges, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a poll does whose answer says that it is over: it brings the lines into line itself."""
    once = exchanges.once

    async def ending(key: str) -> EnigmaError | None:
        exchanges.follow()
        return await once(key)

    exchanges.lines._work = Work(lambda key: key, "it is over", ending, exchanges.pause, AFTER_ERROR)
    exchanges.follow("a")
    assert await exchanges.ask("a") is None
    assert exchanges.made == ["a"]
    assert exchanges.lines.get("a") is None


async def test_a_line_without_a_next_exchange_is_gone(exchanges: Exchanges) -> None:
    exchanges.lines._work = Work(lambda key: key, "it is over", exchanges.once, lambda *_: None, AFTER_ERROR)
    exchanges.follow("a")
    assert await exchanges.ask("a") is None
    await until(lambda: exchanges.lines.get("a") is None)
    exchanges.follow("a")
    exchanges.clock.advance(1)
    await until(lambda: exchanges.made == ["a", "a"])


async def test_when_all_are_due_at_once_the_loop_gets_its_turns(exchanges: Exchanges) -> None:
    exchanges.gate.clear()
    exchanges.follow(*(f"{number}" for number in range(200)))
    await until(lambda: exchanges.clock.sleepers)
    exchanges.clock.advance(1)
    most = 0
    while len(exchanges.made) < 200:
        before = len(exchanges.tasks._running)
        await asyncio.sleep(0)
        most = max(most, len(exchanges.tasks._running) - before)
    assert most <= 32
    exchanges.gate.set()
    await until(lambda: len(exchanges.tasks._running) == 1)


async def test_what_became_due_while_the_machine_slept_begins_soon_after(exchanges: Exchanges) -> None:
    exchanges.lines.start("a", 3600.0, 1)
    await until(lambda: exchanges.clock.sleepers)
    exchanges.clock.suspend(8 * 3600)
    for _ in range(60):
        exchanges.clock.advance(1)
        await asyncio.sleep(0)
    await until(lambda: exchanges.made == ["a"])
