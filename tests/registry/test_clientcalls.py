"""What a registry may ask of its callers, and how much of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

import pytest

from enigma_fed.base import registry_limits
from enigma_fed.base.registry_client_errors import (
    NotOffered,
    PowTooHard,
    RegistryAnswerBroken,
    RegistryBusy,
    RegistryNotTrusted,
    RegistryUnreachable,
)
from enigma_fed.base.registry_errors import InputRefused, PowRequired, RateLimited, Unavailable
from enigma_fed.registry.clientcalls import POW_FIELD, Calls, Patience
from enigma_fed.registry.clienthttp import Answer, RegistryHttp
from enigma_fed.registry.clientplace import Place
from tests.support.manualclock import ManualClock

ONION = "http://pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd.onion"
CHALLENGE = "0" * 32


class Clock(ManualClock):
    """Sleeps take no time, and are counted."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)


class Script:
    """A registry that answers as it is told to, the last answer for ever."""

    def __init__(self, *answers: Answer | Exception, url: str = "https://registry.example") -> None:
        self.place = Place.parse(url)
        self.answers = list(answers)
        self.challenge: Answer = said(200, challenge(8))
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.clock = Clock()
        self.solved: list[tuple[str, int, float]] = []

    async def ask(self, method: str, path: str, body: bytes | None, fields: Mapping[str, str]) -> Answer:
        self.asked.append((method, path, dict(fields)))
        if path.startswith("/pow/"):
            return self.challenge
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def solve(self, text: str, difficulty: int, seconds: float) -> str:
        self.solved.append((text, difficulty, seconds))
        assert len(self.solved) < 10, "there is no end to it"
        return f"solution{len(self.solved)}"

    def calls(self, patience: Patience | None = None) -> Calls:
        return Calls(cast(RegistryHttp, self), self.clock, self.solve, patience or Patience())

    @property
    def paths(self) -> list[str]:
        return [path for _, path, _ in self.asked]


def said(status: int, body: object = None, **more: Any) -> Answer:
    return Answer(status, json.dumps(body if body is not None else {}).encode(), **more)


def error(status: int, code: str, message: str = "no", **more: Any) -> Answer:
    return said(status, {"error": {"code": code, "message": message}}, **more)


def challenge(difficulty: int, text: str = CHALLENGE, expires_ms: int = 4_000_000_000_000) -> object:
    return {"challenge": text, "difficulty": difficulty, "expires_ms": expires_ms}


POW = error(400, "POW_REQUIRED", "pow required")


async def test_an_answer_is_handed_on() -> None:
    script = Script(said(200, {"ok": True}))
    assert (await script.calls().ask("GET", "/x")).body == b'{"ok": true}'
    assert script.asked == [("GET", "/x", {})]


@pytest.mark.parametrize("status", [404, 405])
async def test_a_route_that_is_not_there(status: int) -> None:
    script = Script(said(status))
    assert await script.calls().find("GET", "/x?a=b") is None
    with pytest.raises(NotOffered, match=r"it knows no GET /x$"):
        await script.calls().ask("GET", "/x?a=b")


async def test_a_refusal_is_final() -> None:
    script = Script(error(400, "INVALID_INPUT", "invalid input: handle"))
    with pytest.raises(InputRefused, match="invalid input: handle"):
        await script.calls().ask("GET", "/x")
    assert len(script.asked) == 1


async def test_retry_after_is_honoured() -> None:
    script = Script(error(429, "RATE_LIMITED", retry_after=7), said(503, retry_after=2), said(200))
    await script.calls().ask("GET", "/x")
    assert script.clock.slept == [7, 2]


async def test_without_retry_after_pauses_grow_and_the_tries_end() -> None:
    script = Script(error(503, "UNAVAILABLE"))
    with pytest.raises(Unavailable):
        await script.calls().ask("GET", "/x")
    assert len(script.asked) == registry_limits.CLIENT_TRIES
    assert script.clock.slept == [0.5, 1.0, 2.0]


@pytest.mark.parametrize("status", [408, 500, 502, 504])
async def test_a_proxys_page_is_tried_again_too(status: int) -> None:
    script = Script(Answer(status, b"<html>"), said(200))
    await script.calls().ask("GET", "/x")
    assert len(script.asked) == 2


async def test_invariant_7_all_pauses_of_a_command_together_are_bounded() -> None:
    script = Script(
        error(429, "RATE_LIMITED", "rate limited", retry_after=registry_limits.CLIENT_WAIT), said(200)
    )
    calls = script.calls()
    await calls.ask("GET", "/x")
    script.answers = [error(429, "RATE_LIMITED", "rate limited", retry_after=1)]
    with pytest.raises(RegistryBusy, match="it asks to wait 1 s"):
        await calls.ask("GET", "/x")


async def test_a_year_is_not_waited() -> None:
    script = Script(error(429, "RATE_LIMITED", "rate limited", retry_after=365 * 86_400))
    with pytest.raises(RegistryBusy, match="more than a day"):
        await script.calls().ask("GET", "/x")
    assert script.clock.slept == []


async def test_a_connection_that_breaks_is_tried_again_through_tor_once() -> None:
    for url, most in (("https://registry.example", registry_limits.CLIENT_TRIES), (ONION, 2)):
        script = Script(RegistryUnreachable("gone"), url=url)
        with pytest.raises(RegistryUnreachable):
            await script.calls().ask("GET", "/x")
        assert len(script.asked) == most
    script = Script(RegistryUnreachable("gone"), said(200))
    await script.calls().ask("GET", "/x")


async def test_a_registry_that_is_not_trusted_is_not_asked_again() -> None:
    script = Script(RegistryNotTrusted("its certificate does not hold"))
    with pytest.raises(RegistryNotTrusted):
        await script.calls().ask("GET", "/x")
    assert len(script.asked) == 1


async def test_a_broken_answer_is_not_asked_for_again() -> None:
    script = Script(RegistryAnswerBroken("too large"))
    with pytest.raises(RegistryAnswerBroken):
        await script.calls().ask("GET", "/x")
    assert len(script.asked) == 1


async def test_work_is_done_when_it_is_asked_for_and_its_header_sent_again_with_every_try() -> None:
    script = Script(POW, RegistryUnreachable("gone"), said(503), said(200))
    await script.calls().ask("POST", "/resolve", b"{}", pow_route="/resolve")
    header = {POW_FIELD: f"{CHALLENGE}:solution1"}
    assert script.asked == [
        ("POST", "/resolve", {}),
        ("GET", "/pow/challenge?route=/resolve", {}),
        ("POST", "/resolve", header),
        ("POST", "/resolve", header),
        ("POST", "/resolve", header),
    ]
    assert script.solved == [(CHALLENGE, 8, registry_limits.CLIENT_POW_SECONDS)]


async def test_invariant_7_a_registry_that_always_wants_more_work_gets_no_more() -> None:
    script = Script(POW)
    with pytest.raises(PowTooHard, match="asks for another"):
        await script.calls().ask("POST", "/resolve", b"{}", pow_route="/resolve")
    assert len(script.solved) == registry_limits.CLIENT_POW_ROUNDS


async def test_work_that_nobody_offers_a_challenge_for() -> None:
    script = Script(POW)
    script.challenge = said(404)
    with pytest.raises(NotOffered, match="no challenge"):
        await script.calls().ask("POST", "/resolve", b"{}", pow_route="/resolve")


async def test_work_for_a_route_without_a_name_of_its_own() -> None:
    script = Script(POW, said(200))
    await script.calls().ask("GET", "/nodes")
    assert script.paths == ["/nodes", "/pow/challenge", "/nodes"]


async def test_nobody_works_for_a_challenge() -> None:
    for url in ("https://registry.example", ONION):
        script = Script(POW, url=url)
        script.challenge = POW
        with pytest.raises(PowRequired):
            await script.calls().ask("POST", "/resolve", b"{}", pow_route="/resolve")
        assert script.solved == []


@pytest.mark.parametrize(
    ("left_ms", "seconds"), [(5_000, 5), (599_000, 60), (-5_000, 60), (3_600_000, 60), (86_400_000, 60)]
)
async def test_no_longer_than_the_challenge_lasts_unless_the_clocks_differ(
    left_ms: int, seconds: float
) -> None:
    script = Script(POW, said(200))
    expires = int(script.clock.wall() * 1000) + left_ms
    script.challenge = said(200, challenge(8, expires_ms=expires))
    await script.calls().ask("POST", "/resolve", b"{}", pow_route="/resolve")
    assert script.solved[0][2] == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "a b", "a:b", "a\nb", "ä", "a" * 65])
async def test_a_challenge_that_is_none(text: str) -> None:
    script = Script(POW)
    script.challenge = said(200, challenge(8, text))
    with pytest.raises(RegistryAnswerBroken):
        await script.calls().ask("POST", "/resolve", b"{}", pow_route="/resolve")
    assert script.solved == []


async def test_the_longest_challenge() -> None:
    script = Script(POW, said(200))
    script.challenge = said(200, challenge(8, "a" * 64))
    await script.calls().ask("POST", "/resolve", b"{}", pow_route="/resolve")


async def test_at_an_onion_work_goes_past_the_strangers_shared_account() -> None:
    script = Script(error(429, "RATE_LIMITED", retry_after=1), said(200), url=ONION)
    await script.calls().ask("POST", "/resolve", b"{}", pow_route="/resolve")
    assert len(script.solved) == 1
    assert script.clock.slept == []


async def test_at_an_onion_that_offers_no_work_the_pause_is_made() -> None:
    script = Script(error(429, "RATE_LIMITED", retry_after=1), said(200), url=ONION)
    script.challenge = said(404)
    await script.calls().ask("POST", "/resolve", b"{}", pow_route="/resolve")
    assert script.clock.slept == [1]


async def test_elsewhere_too_many_requests_are_no_reason_to_work() -> None:
    script = Script(error(429, "RATE_LIMITED"))
    with pytest.raises(RateLimited):
        await script.calls().ask("POST", "/resolve", b"{}", pow_route="/resolve")
    assert script.solved == []
