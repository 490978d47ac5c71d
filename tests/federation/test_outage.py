"""An outage of our own is not held against anybody: peers meet again soon, dead ones stay left alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import NoWayOut
from enigma_fed.wire.records import Observation, TrustLevel
from tests.federation.test_three_nodes import federate
from tests.support.fakenetwork import Home, Network, pass_time, until

HOUR = 3600
INTERVAL = limits.POLL_INTERVAL


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[Network]:
    network = Network(tmp_path)
    yield network
    await network.close()


@pytest.fixture
async def homes(network: Network) -> list[Home]:
    """One that will lose its network, a peer of it, and one that is dead already."""
    homes = [network.home(1, "attic"), network.home(2, "barn"), network.home(3, "cellar")]
    for peer in homes[1:]:
        await federate(network, homes[0], peer)
    network.offline.add(homes[2].did)
    await pass_time(network, 6 * INTERVAL, 5)
    assert seen(homes[0], homes[2]).failures > 2
    return homes


def seen(home: Home, of: Home) -> Observation:
    return home.store.observations[of.did]


async def out_for_two_hours(network: Network, home: Home) -> None:
    """Its machine has no network; its tor notices that after a while."""
    network.offline.add(home.did)
    await pass_time(network, limits.SELF_PROBE_INTERVAL, 5)
    home.federation.lose()
    await pass_time(network, 2 * HOUR, 60)
    network.offline.discard(home.did)


async def test_a_pair_that_backed_off_on_both_sides_meets_again_within_half_an_interval(
    network: Network, homes: list[Home]
) -> None:
    attic, barn, cellar = homes
    dead_before = seen(attic, cellar).failures
    await out_for_two_hours(network, attic)
    assert min(seen(attic, barn).failures, seen(barn, attic).failures) > 5
    attic.federation.wake()
    assert seen(attic, barn).failures == 0
    await pass_time(network, INTERVAL / 2 + limits.POLL_BACKOFF_FIRST)
    for one, other in ((attic, barn), (barn, attic)):
        assert seen(one, other).failures == 0
        assert one.federation.peer(str(other.did)).liveness == "up"
    counted = seen(attic, cellar).failures
    assert dead_before <= counted <= dead_before + 2, "tried once more, and then left alone as before"
    calls = attic.calls
    await pass_time(network, INTERVAL / 2)
    assert attic.calls - calls <= 2


async def test_a_return_without_a_loss_before_holds_silent_peers_silent(
    network: Network, homes: list[Home]
) -> None:
    attic, barn, cellar = homes
    await attic.federation.sync(str(barn.did))  # the proof that our way out works
    before, due = seen(attic, cellar), attic.federation.peer(str(cellar.did)).liveness_reason
    attic.federation.wake()
    assert seen(attic, cellar) == before
    assert attic.federation.peer(str(cellar.did)).liveness_reason == due


async def test_who_answers_first_after_an_outage_does_not_make_the_others_silent(
    network: Network, homes: list[Home]
) -> None:
    attic, barn, cellar = homes
    network.offline.discard(cellar.did)
    await attic.federation.sync(None)
    await out_for_two_hours(network, attic)
    await attic.federation.sync(str(barn.did))
    assert seen(attic, cellar).failures > 5
    attic.federation.wake()
    await pass_time(network, INTERVAL / 2)
    assert seen(attic, cellar).failures == 0


async def test_a_restart_after_an_outage_keeps_to_no_pause_of_it(network: Network, homes: list[Home]) -> None:
    attic, barn, _ = homes
    await out_for_two_hours(network, attic)
    await attic.stop()
    attic.start()
    await pass_time(network, INTERVAL / 2 + 1)
    assert seen(attic, barn).failures == 0


async def test_a_join_that_failed_in_an_outage_is_tried_when_it_is_over(network: Network) -> None:
    attic, barn = network.home(1, "attic"), network.home(2, "barn")
    network.offline.add(barn.did)
    invite = await attic.federation.create_invite(TrustLevel.OBSERVER, 24 * HOUR)
    assert invite.code is not None
    await barn.federation.accept_invite(invite.code, TrustLevel.OBSERVER, False)
    barn.federation.lose()
    await pass_time(network, 2 * HOUR, 60)
    network.offline.clear()
    barn.federation.wake()
    await until(lambda: attic.store.node(barn.did) is not None)


class TestOurOwnTor:
    """Failures of our own tor are nobody else's."""

    @pytest.fixture
    async def broken(self, homes: list[Home], monkeypatch: pytest.MonkeyPatch) -> Home:
        async def no_tor(*_: object, **__: object) -> None:
            raise NoWayOut("this node's tor does not answer; it may be starting again")

        caller = homes[0].network.caller(homes[0])
        monkeypatch.setattr(type(caller), "get_state", no_tor)
        monkeypatch.setattr(type(caller), "join", no_tor)
        return homes[0]

    async def test_they_count_for_no_peer_and_are_given_as_the_reason(
        self, network: Network, homes: list[Home], broken: Home
    ) -> None:
        barn = homes[1]
        before = seen(broken, barn)
        await pass_time(network, 10 * INTERVAL, 5)
        with pytest.raises(NoWayOut, match="No peer can be reached: this node's tor does not answer"):
            await broken.federation.sync(str(barn.did))
        assert seen(broken, barn) == before
        view = broken.federation.peer(str(barn.did))
        assert (view.liveness, view.liveness_reason) == ("unknown", "this node's own Tor is not ready")
        assert {glance.liveness for glance in broken.federation.glances()} == {"unknown"}

    async def test_the_peer_is_polled_as_before_once_it_works(
        self, network: Network, homes: list[Home], broken: Home, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await pass_time(network, 10 * INTERVAL, 5)
        monkeypatch.undo()
        await pass_time(network, 1.2 * INTERVAL)
        assert broken.federation.peer(str(homes[1].did)).liveness == "up"

    async def test_a_join_is_not_counted_as_tried(
        self, network: Network, homes: list[Home], broken: Home
    ) -> None:
        inviter = network.home(4, "den")
        invite = await inviter.federation.create_invite(TrustLevel.OBSERVER, 24 * HOUR)
        assert invite.code is not None
        await broken.federation.accept_invite(invite.code, TrustLevel.OBSERVER, False)
        await pass_time(network, INTERVAL)
        assert (broken.incoming().attempts, broken.incoming().last_error) == (0, None)
