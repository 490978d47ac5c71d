"""Three homes with the real client, gate and endpoint between them; one clock that is turned by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import RefusedByPeer
from enigma_fed.federation.rules import REMOVED_US
from enigma_fed.wire.records import InvitesFile, Membership, Stage, TrustLevel
from enigma_fed.wire.state import Have
from tests.support.fakenetwork import Home, pass_time, until
from tests.support.httpnetwork import Heard, HttpNetwork, http_network, poll_body
from tests.support.memberships import commit

OBSERVER = TrustLevel.OBSERVER


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[HttpNetwork]:
    async with http_network(tmp_path) as network:
        yield network


async def invited(home: Home) -> str:
    view = await home.federation.create_invite(OBSERVER, 24 * 3600)
    assert view.code is not None
    return view.code


def both_confirmed(inviter: Home, joiner: Home) -> bool:
    known = inviter.store.node(joiner.did)
    return known is not None and known.confirmed and joiner.node(inviter).confirmed


async def federate(network: HttpNetwork, inviter: Home, joiner: Home) -> None:
    await joiner.federation.accept_invite(await invited(inviter), OBSERVER, False)
    await until(lambda: inviter.store.node(joiner.did) is not None, "the join arrives")
    await pass_time(network, 5)
    await until(lambda: both_confirmed(inviter, joiner), "both sides confirm")


async def three(network: HttpNetwork) -> list[Home]:
    homes = [network.home(1, "attic"), network.home(2, "barn"), network.home(3, "cellar")]
    for index, inviter in enumerate(homes):
        for joiner in homes[index + 1 :]:
            await federate(network, inviter, joiner)
    return homes


async def test_three_homes_federate_and_see_each_others_state(network: HttpNetwork) -> None:
    homes = await three(network)
    await pass_time(network, 70)
    for home in homes:
        views = await home.federation.sync(None)
        assert len(views) == 2
        for view in views:
            assert (view.liveness, view.last_error) == ("up", None)
            assert view.last_state is not None
            assert view.last_state.node_name == view.name


async def captured(network: HttpNetwork, caller: Home, target: Home) -> tuple[Heard, bytes]:
    """A poll as it came in, with its body, past the first minutes in which everybody is challenged."""
    await pass_time(network, limits.CHALLENGE_AFTER_START + 5)
    seen = caller.store.observations[target.did].state
    assert seen is not None
    network.heard.clear()
    await caller.federation.sync(target.name)
    heard = next(heard for heard in network.heard if heard.target == target.did)
    return heard, poll_body(Have(seen.epoch, seen.seq))


async def test_invariant_1_a_captured_poll_opens_nothing_anywhere_and_never_again(
    network: HttpNetwork,
) -> None:
    attic, barn, cellar = await three(network)
    poll, body = await captured(network, attic, barn)
    install = poll_body(None, "package.install")
    assert await network.play(cellar, poll, body) == "wrong-audience"
    assert await network.play(cellar, poll, install) == "wrong-audience"
    assert await network.play(barn, poll, body) == "replayed"
    assert await network.play(barn, poll, install) == "bad-digest"
    await barn.federation.remove("attic")
    assert barn.cuts == [attic.did]
    assert await network.play(barn, poll, body) == "removed"


async def test_invariant_6_a_removed_peer_is_told_so_and_comes_back_by_a_new_invite_only(
    network: HttpNetwork,
) -> None:
    attic, barn, _ = await three(network)
    old = await invited(attic)
    await attic.federation.remove("barn")
    with pytest.raises(RefusedByPeer, match="removed"):
        await barn.federation.sync("attic")
    assert barn.node(attic).last_error == REMOVED_US
    await barn.federation.accept_invite(old, OBSERVER, False)
    await until(lambda: barn.incoming().stage is Stage.REFUSED)
    assert attic.store.node(barn.did) is None
    await federate(network, attic, barn)
    assert not attic.store.is_removed(barn.did)


async def test_invariant_3_a_code_opens_one_membership_also_after_a_lost_reply(network: HttpNetwork) -> None:
    attic, barn, thief = network.home(1, "attic"), network.home(2, "barn"), network.home(3, "thief")
    code = await invited(attic)
    await pass_time(network, limits.CHALLENGE_AFTER_START)
    network.lose_replies = 1
    await barn.federation.accept_invite(code, OBSERVER, False)
    await until(lambda: barn.incoming().attempts == 1)
    assert attic.node(barn).stage is Stage.USED
    await pass_time(network, 5)
    await until(lambda: both_confirmed(attic, barn))
    await thief.federation.accept_invite(code, OBSERVER, False)
    await until(lambda: thief.incoming().stage is Stage.REFUSED)
    assert [node.did for node in attic.store.membership.nodes.nodes] == [barn.did]


async def test_a_token_that_is_not_known_proves_nothing_and_is_tried_again(network: HttpNetwork) -> None:
    attic, barn = network.home(1, "attic"), network.home(2, "barn")
    code = await invited(attic)
    kept = attic.store.membership
    await commit(attic.store, Membership(kept.nodes, InvitesFile()))
    await barn.federation.accept_invite(code, OBSERVER, False)
    await until(lambda: barn.incoming().attempts == 1)
    assert "does not know this code" in (barn.incoming().last_error or "")
    await commit(attic.store, kept)
    await pass_time(network, 10)
    await until(lambda: both_confirmed(attic, barn))


async def test_who_is_challenged_at_a_start_gets_through(network: HttpNetwork) -> None:
    attic, barn = network.home(1, "attic"), network.home(2, "barn")
    await federate(network, attic, barn)
    await attic.stop()
    attic.start()
    network.heard.clear()
    await barn.federation.sync("attic")
    polls = [heard for heard in network.heard if heard.target == attic.did]
    assert ["Federation-Challenge" in heard.headers for heard in polls] == [False, True]
