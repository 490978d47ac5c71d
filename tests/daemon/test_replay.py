"""Invariants 1 and 2 on a whole agent over real HTTP, its clock turned by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from enigma_fed.base import limits
from enigma_fed.base.ids import Did
from enigma_fed.config import Settings
from enigma_fed.daemon.app import Agent
from enigma_fed.daemon.paths import Paths
from enigma_fed.wire.records import TrustLevel
from tests.support.captor import Captor
from tests.support.manualclock import ManualClock
from tests.support.signedcalls import key

DAY = 24 * 3600


class Home:
    """An agent that can be started again on its folder, and a member that captures what it sends."""

    def __init__(self, settings: Settings, paths: Paths, session: aiohttp.ClientSession) -> None:
        self.clock = ManualClock()
        self._settings, self._paths, self._session = settings, paths, session
        self.agent: Agent
        self.captor: Captor

    async def start(self) -> None:
        self.agent = Agent(self._settings, self._paths, clock=self.clock, keep_log=False)
        await self.agent.start()
        address = self.agent.node._listeners.address
        assert address is not None
        if hasattr(self, "captor"):
            self.captor.address = address
        else:
            own = Did.parse(self.agent.node._view.did)
            self.captor = Captor(self._session, key(1), own, address)

    async def settle(self) -> None:
        """A member, confirmed, after the three minutes in which everyone is challenged."""
        made = await self.agent.node.federation.create_invite(TrustLevel.TRUSTED, 3600)
        assert made.code is not None
        assert await self.captor.join(made.code, self.clock.wall()) == "ok"
        self.clock.advance(limits.CHALLENGE_AFTER_START)
        assert await self.captor.call(self.clock.wall()) == "ok"


@pytest.fixture
async def home(settings: Settings, paths: Paths) -> AsyncIterator[Home]:
    async with aiohttp.ClientSession() as session:
        made = Home(settings, paths, session)
        await made.start()
        await made.settle()
        yield made
        await made.agent.close()


async def test_invariant_1_a_captured_request_is_served_once_whatever_the_clock_does(home: Home) -> None:
    captured = home.captor.sent[-1]
    assert "Federation-Challenge" not in captured.fields, "it passed by its own times"
    assert await home.captor.play(captured) == "replayed"
    home.clock.advance(limits.NONCE_MEMORY)
    assert await home.captor.play(captured) == "stale"
    home.clock.step_wall(-limits.NONCE_MEMORY)
    assert await home.captor.play(captured) == "stale", "fresh again by a clock set back: challenged"
    for _ in range(10):
        home.clock.advance(30)
        assert await home.captor.play(captured) == "stale"
    home.clock.advance(DAY)
    assert await home.captor.play(captured) == "stale"
    assert await home.captor.call(home.clock.wall()) == "ok"
    assert "Federation-Challenge" not in home.captor.sent[-1].fields, "the doubt is over"


async def test_invariant_1_a_clock_set_back_by_a_day_makes_nothing_of_that_day_good_again(home: Home) -> None:
    captured = home.captor.sent[-1]
    home.clock.advance(DAY)
    assert await home.captor.call(home.clock.wall()) == "ok"
    home.clock.step_wall(-DAY)
    assert await home.captor.play(captured) == "stale"
    home.clock.advance(limits.CHALLENGE_AFTER_STEP)
    home.clock.step_wall(-limits.CHALLENGE_AFTER_STEP)
    assert await home.captor.play(captured) == "stale"
    home.clock.advance(DAY - limits.CHALLENGE_AFTER_STEP)
    assert await home.captor.play(captured) == "stale"


async def test_invariant_1_a_restart_makes_no_captured_request_good_again(home: Home) -> None:
    plain = home.captor.sent[-1]
    await home.agent.close()
    home.clock.step_wall(-limits.CHALLENGE_AFTER_START)
    await home.start()
    answer = await home.captor.post(plain)
    assert answer.error == "stale"
    assert answer.challenge is not None
    assert await home.captor.play(plain, Federation_Challenge=answer.challenge) == "malformed"
    for _ in range(20):
        home.clock.advance(20)
        assert await home.captor.play(plain) == "stale"


async def test_invariant_2_what_a_poll_proved_never_opens_an_install(home: Home) -> None:
    now = home.clock.wall()
    assert await home.captor.call(now, "package.install", {"id": "evil"}) == "refused"
    install = home.captor.sent[-1]
    assert "Federation-Challenge" in install.fields
    assert await home.captor.play(install) == "replayed"
    poll = next(sent for sent in home.captor.sent if b"get-state" in sent.body)
    assert await home.captor.play(poll._replace(body=install.body)) == "bad-digest"
    first = home.captor.sent[-2]
    assert await home.captor.play(first) == "stale", "fresh, signed, a member's: challenged all the same"
