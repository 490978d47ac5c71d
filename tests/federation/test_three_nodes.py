from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from enigma_fed.base import limits
from enigma_fed.base.clock import minute_of_day
from enigma_fed.base.errors import (
    AlreadyAccepted,
    AlreadyFederated,
    InviteForOther,
    PeerNotFound,
    PeerUnreachable,
    RefusedByPeer,
)
from enigma_fed.base.rpc_errors import NotAllowed, Removed, TokenUsed, UnknownPeer, WrongJoiner
from enigma_fed.federation.rules import FORGOTTEN, REMOVED_US
from enigma_fed.wire import invite
from enigma_fed.wire.join import JoinParams, joining_message
from enigma_fed.wire.records import Stage, TrustLevel
from enigma_fed.wire.windows import Window, parse_windows
from tests.support.fakenetwork import Home, Network, pass_time, until
from tests.support.memberships import commit

HOUR = 3600
OBSERVER = TrustLevel.OBSERVER


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[Network]:
    network = Network(tmp_path)
    yield network
    await network.close()


async def invited(home: Home, scope: TrustLevel = OBSERVER, ttl: int = 24 * HOUR) -> str:
    view = await home.federation.create_invite(scope, ttl)
    assert view.code is not None
    return view.code


async def federate(network: Network, inviter: Home, joiner: Home) -> None:
    await joiner.federation.accept_invite(await invited(inviter), OBSERVER, False)
    await until(lambda: inviter.store.node(joiner.did) is not None, "the join arrives")
    await pass_time(network, 5)
    await until(lambda: both_confirmed(inviter, joiner), "both sides confirm")


def both_confirmed(inviter: Home, joiner: Home) -> bool:
    return (
        inviter.node(joiner).stage is Stage.CONFIRMED and joiner.node(inviter).stage is Stage.CONFIRMED_BOTH
    )


def join_of(joiner: Home, code: str) -> JoinParams:
    token = invite.decode(code).token
    signature = joiner.key.sign(joining_message(joiner.did, joiner.onion))
    return JoinParams(did=joiner.did, onion=joiner.onion, token=token, signature=signature)


async def test_three_homes_invite_each_other_confirm_and_see_each_others_state(network: Network) -> None:
    homes = [network.home(1, "attic"), network.home(2, "barn"), network.home(3, "cellar")]
    for index, inviter in enumerate(homes):
        for joiner in homes[index + 1 :]:
            await federate(network, inviter, joiner)
    await pass_time(network, 70)
    for home in homes:
        for view in await home.federation.sync(None):
            assert view.liveness == "up"
            assert view.last_state is not None
            assert view.last_state.node_name == view.name
            assert view.latency_ms == 250.0
            assert (view.last_error, view.trust_level) == (None, "observer")
    assert all(invite.code is None for home in homes for invite in home.federation.invites())


async def test_an_inviter_that_is_away_gets_the_join_later(network: Network) -> None:
    inviter, joiner = network.home(1, "attic"), network.home(2, "barn")
    code = await invited(inviter)
    network.offline.add(inviter.did)
    accepted = await joiner.federation.accept_invite(code, OBSERVER, False)
    assert accepted.stage == "accepted-here"
    await until(lambda: joiner.incoming().attempts == 1)
    await pass_time(network, 60)
    assert joiner.incoming().last_error == "nobody answers at its onion address"
    network.offline.clear()
    await pass_time(network, limits.JOIN_BACKOFF_MAX * 1.3, step=10)
    await until(lambda: both_confirmed(inviter, joiner))


async def test_the_join_goes_on_after_a_restart_of_the_joiner(network: Network) -> None:
    inviter, joiner = network.home(1, "attic"), network.home(2, "barn")
    network.offline.add(inviter.did)
    await joiner.federation.accept_invite(await invited(inviter), OBSERVER, False)
    await until(lambda: joiner.incoming().attempts == 1)
    await joiner.die()
    network.offline.clear()
    joiner.start()
    await pass_time(network, 5)
    await until(lambda: both_confirmed(inviter, joiner))


async def test_invariant_3_a_retry_after_a_lost_reply_gets_the_same_answer(network: Network) -> None:
    inviter, joiner = network.home(1, "attic"), network.home(2, "barn")
    network.lose_replies = 1
    await joiner.federation.accept_invite(await invited(inviter), OBSERVER, False)
    await until(lambda: joiner.incoming().attempts == 1)
    assert inviter.node(joiner).stage is Stage.USED
    before = (inviter.folder / "federation" / "nodes.json").read_bytes()
    await inviter.federation.joined(joiner.did, join_of(joiner, joiner.incoming().code or ""))
    assert (inviter.folder / "federation" / "nodes.json").read_bytes() == before
    await pass_time(network, 5)
    await until(lambda: both_confirmed(inviter, joiner))
    assert len(inviter.store.membership.nodes.nodes) == 1


async def test_invariant_3_a_code_opens_one_membership(network: Network) -> None:
    inviter, joiner, thief = network.home(1, "attic"), network.home(2, "barn"), network.home(3, "thief")
    code = await invited(inviter)
    await joiner.federation.accept_invite(code, OBSERVER, False)
    await until(lambda: inviter.store.node(joiner.did) is not None)
    with pytest.raises(TokenUsed):
        await inviter.federation.joined(thief.did, join_of(thief, code))
    await thief.federation.accept_invite(code, OBSERVER, False)
    await until(lambda: thief.incoming().stage is Stage.REFUSED)
    assert "another node" in (thief.node(inviter).last_error or "")
    assert inviter.store.node(thief.did) is None
    assert "Another node" in (inviter.store.membership.invites.outgoing[0].last_error or "")


async def test_before_confirmation_no_rights_but_the_first_request_is_served(network: Network) -> None:
    inviter, joiner = network.home(1, "attic"), network.home(2, "barn")
    await inviter.federation.joined(joiner.did, join_of(joiner, await invited(inviter)))
    await inviter.federation.admit(joiner.did, "federation.peer-joined", None)
    assert inviter.node(joiner).stage is Stage.USED
    await inviter.federation.admit(joiner.did, "federation.get-state", OBSERVER)
    assert inviter.node(joiner).stage is Stage.CONFIRMED
    with pytest.raises(NotAllowed):
        await inviter.federation.admit(joiner.did, "package.install", TrustLevel.TRUSTED)


async def test_a_request_of_the_inviter_is_the_lost_confirmation(network: Network) -> None:
    inviter, joiner = network.home(1, "attic"), network.home(2, "barn")
    network.lose_replies = 1
    await joiner.federation.accept_invite(await invited(inviter), OBSERVER, False)
    await until(lambda: joiner.incoming().attempts == 1)
    await inviter.federation.sync("barn")
    assert joiner.node(inviter).stage is Stage.CONFIRMED_BOTH
    await pass_time(network, 5)
    assert (joiner.incoming().stage, joiner.incoming().code) == (Stage.CONFIRMED_BOTH, None)
    assert inviter.node(joiner).stage is Stage.CONFIRMED


async def test_invariant_6_a_removed_peer_cannot_come_back_without_a_new_invite(network: Network) -> None:
    inviter, joiner = network.home(1, "attic"), network.home(2, "barn")
    other_code = await invited(inviter)
    await federate(network, inviter, joiner)
    code = await invited(inviter)
    view = await inviter.federation.remove("barn")
    assert (view.name, inviter.cuts) == ("barn", [joiner.did])
    with pytest.raises(Removed):
        await inviter.federation.admit(joiner.did, "federation.get-state", OBSERVER)
    with pytest.raises(RefusedByPeer, match="removed"):
        await joiner.federation.sync("attic")
    assert joiner.node(inviter).last_error == REMOVED_US
    for old in (other_code, code):
        with pytest.raises(Removed):
            await inviter.federation.joined(joiner.did, join_of(joiner, old))
    assert inviter.store.node(joiner.did) is None
    await joiner.federation.accept_invite(await invited(inviter), OBSERVER, False)
    await pass_time(network, 5)
    await until(lambda: both_confirmed(inviter, joiner))
    assert not inviter.store.is_removed(joiner.did)


async def test_invariant_6_a_clock_that_was_set_back_opens_no_old_invite(network: Network) -> None:
    inviter, joiner = network.home(1, "attic"), network.home(2, "barn")
    await federate(network, inviter, joiner)
    code = await invited(inviter)
    network.clock.step_wall(-7 * HOUR)
    await inviter.federation.remove("barn")
    with pytest.raises(Removed):
        await inviter.federation.joined(joiner.did, join_of(joiner, code))
    await inviter.federation.joined(joiner.did, join_of(joiner, await invited(inviter)))
    assert inviter.node(joiner).stage is Stage.USED


async def test_a_removed_peer_comes_back_by_accepting_its_code_here(network: Network) -> None:
    inviter, joiner = network.home(1, "attic"), network.home(2, "barn")
    await federate(network, inviter, joiner)
    await joiner.federation.remove("attic")
    assert joiner.store.is_removed(inviter.did)
    await joiner.federation.accept_invite(await invited(inviter), OBSERVER, False)
    await pass_time(network, 5)
    await until(lambda: joiner.node(inviter).stage is Stage.CONFIRMED_BOTH)


async def test_a_late_join_waits_for_the_owner(network: Network) -> None:
    inviter, joiner = network.home(1, "attic"), network.home(2, "barn")
    code = await invited(inviter, ttl=HOUR)
    network.offline.add(inviter.did)
    await joiner.federation.accept_invite(code, OBSERVER, False)
    await pass_time(network, 1.2 * HOUR, step=60)
    network.offline.clear()
    await pass_time(network, limits.JOIN_BACKOFF_MAX * 1.3, step=30)
    await until(lambda: joiner.incoming().stage is Stage.AWAITING_APPROVAL)
    assert inviter.store.node(joiner.did) is None
    assert [view.stage for view in inviter.federation.peers()] == ["awaiting-approval"]
    with pytest.raises(UnknownPeer):
        await inviter.federation.admit(joiner.did, "federation.get-state", OBSERVER)
    approved = await inviter.federation.approve("barn")
    assert (approved.stage, approved.trust_level) == ("used", "observer")
    await pass_time(network, limits.JOIN_SLOW_RETRY * 1.2, step=30)
    await until(lambda: both_confirmed(inviter, joiner))
    assert inviter.federation.invites()[0].stage == "confirmed"


async def test_a_join_that_cannot_be_delivered_ends_a_day_after_its_code(network: Network) -> None:
    inviter, joiner = network.home(1, "attic"), network.home(2, "barn")
    network.offline.add(inviter.did)
    await joiner.federation.accept_invite(await invited(inviter, ttl=HOUR), OBSERVER, False)
    await pass_time(network, 26 * HOUR, step=450)
    await until(lambda: joiner.incoming().stage is Stage.REFUSED)
    assert joiner.incoming().code is None
    calls = joiner.calls
    await pass_time(network, 2 * HOUR, step=450)
    assert joiner.calls - calls <= 3


async def test_a_code_of_somebody_who_answers_is_refused_and_one_accepted_before_too(
    network: Network,
) -> None:
    inviter, joiner = network.home(1, "attic"), network.home(2, "barn")
    code = await invited(inviter)
    await joiner.federation.accept_invite(code, OBSERVER, False)
    with pytest.raises(AlreadyAccepted):
        await joiner.federation.accept_invite(code, OBSERVER, False)
    await pass_time(network, 5)
    await until(lambda: both_confirmed(inviter, joiner))
    with pytest.raises(AlreadyFederated):
        await joiner.federation.accept_invite(await invited(inviter), OBSERVER, False)


async def test_a_new_invite_to_a_silent_member_joins_again_and_never_raises_trust(network: Network) -> None:
    inviter, joiner = network.home(1, "attic"), network.home(2, "barn")
    await federate(network, inviter, joiner)
    network.offline.add(inviter.did)
    await pass_time(network, 25 * HOUR, step=600)
    network.offline.clear()
    code = await invited(inviter, TrustLevel.TRUSTED)
    await joiner.federation.accept_invite(code, TrustLevel.TRUSTED, False)
    await pass_time(network, 5)
    await until(lambda: both_confirmed(inviter, joiner))
    assert inviter.node(joiner).trust_level is OBSERVER
    assert joiner.node(inviter).trust_level is OBSERVER


async def test_homes_that_accept_each_others_codes_end_up_federated_once(network: Network) -> None:
    attic, barn = network.home(1, "attic"), network.home(2, "barn")
    network.offline.add(barn.did)
    codes = await invited(attic, TrustLevel.TRUSTED), await invited(barn, TrustLevel.TRUSTED)
    await barn.federation.accept_invite(codes[0], OBSERVER, False)
    await attic.federation.accept_invite(codes[1], OBSERVER, False)
    network.offline.clear()
    await pass_time(network, 90)  # each is polled once after the second join
    for home, other in ((attic, barn), (barn, attic)):
        assert home.node(other).confirmed
        assert home.node(other).trust_level is OBSERVER, "what its owner chose when accepting"
        (made,) = home.store.membership.invites.outgoing
        assert (made.stage, made.used_by) == (Stage.CONFIRMED, other.did)
        assert home.incoming().stage is Stage.CONFIRMED_BOTH


async def test_a_peer_that_forgot_us_is_joined_again_by_a_new_code_at_once(network: Network) -> None:
    inviter, joiner = network.home(1, "attic"), network.home(2, "barn")
    await federate(network, inviter, joiner)
    await commit(inviter.store, type(inviter.store.membership)())
    with pytest.raises(RefusedByPeer):
        await joiner.federation.sync("attic")
    await joiner.federation.accept_invite(await invited(inviter), OBSERVER, False)
    assert not joiner.node(inviter).they_forgot_us
    await pass_time(network, 5)
    await until(lambda: both_confirmed(inviter, joiner))


async def test_a_peer_that_lost_us_is_said_to_have_forgotten_us(network: Network) -> None:
    inviter, joiner = network.home(1, "attic"), network.home(2, "barn")
    await federate(network, inviter, joiner)
    await commit(inviter.store, type(inviter.store.membership)())
    with pytest.raises(RefusedByPeer):
        await joiner.federation.sync("attic")
    node = joiner.node(inviter)
    assert (node.they_forgot_us, node.last_error) == (True, FORGOTTEN)
    calls = joiner.calls
    await pass_time(network, 2 * HOUR, step=60)
    assert 1 <= joiner.calls - calls <= 3


async def test_invariant_6_an_untrusted_peer_is_cut_not_served_and_not_polled(network: Network) -> None:
    inviter, joiner = network.home(1, "attic"), network.home(2, "barn")
    await federate(network, inviter, joiner)
    await inviter.federation.set_trust("barn", TrustLevel.UNTRUSTED)
    assert inviter.cuts == [joiner.did]
    calls = inviter.calls
    await pass_time(network, 10 * 60, step=10)
    assert inviter.calls == calls
    with pytest.raises(RefusedByPeer, match="not-allowed"):
        await joiner.federation.sync("attic")
    with pytest.raises(NotAllowed):
        await inviter.federation.admit(joiner.did, "federation.get-state", OBSERVER)


async def test_a_paused_peer_is_polled_only_when_asked(network: Network) -> None:
    inviter, joiner = network.home(1, "attic"), network.home(2, "barn")
    await federate(network, inviter, joiner)
    assert (await joiner.federation.pause("attic", True)).paused
    calls = joiner.calls
    await pass_time(network, 300, step=10)
    assert joiner.calls == calls
    assert (await joiner.federation.ping("attic")).latency_ms == 250.0
    await joiner.federation.pause("attic", False)
    await pass_time(network, 5)
    assert joiner.calls == calls + 2


async def test_polls_keep_the_interval_back_off_and_come_back_when_the_peer_is_heard(
    network: Network,
) -> None:
    inviter, joiner = network.home(1, "attic"), network.home(2, "barn")
    await federate(network, inviter, joiner)
    calls = inviter.calls
    await pass_time(network, 600, step=3)
    assert 8 <= inviter.calls - calls <= 12
    network.offline.add(joiner.did)
    await pass_time(network, 6 * HOUR, step=30)
    assert inviter.federation.peer("barn").liveness == "offline"
    noon, now = parse_windows(["12:00-13:00"]), minute_of_day(network.clock.wall())
    minute = Window(now, (now + 1) % 1440)
    assert (await inviter.federation.expect_offline("barn", (*noon, minute))).liveness == "offline-expected"
    after = Window(minute.end, now)
    assert (await inviter.federation.expect_offline("barn", (after,))).liveness == "offline"
    calls = inviter.calls
    await pass_time(network, 2 * HOUR, step=30)
    assert inviter.calls - calls <= 3
    network.offline.clear()
    await joiner.federation.sync("attic")
    await pass_time(network, 20)
    assert inviter.federation.peer("barn").liveness == "up"
    assert inviter.federation.peer("barn").last_error is None


async def test_a_failure_that_the_owner_asked_for_is_raised(network: Network) -> None:
    inviter, joiner = network.home(1, "attic"), network.home(2, "barn")
    await federate(network, inviter, joiner)
    network.offline.add(joiner.did)
    with pytest.raises(PeerUnreachable, match="nobody answers"):
        await inviter.federation.ping("barn")
    assert [view.last_error for view in await inviter.federation.sync(None)] == [
        "nobody answers at its onion address"
    ]


async def test_invariant_3_a_code_for_one_home_lets_that_home_in_and_no_other(network: Network) -> None:
    inviter, thief, joiner = (network.home(n, name) for n, name in ((1, "attic"), (2, "den"), (3, "barn")))
    code = (await inviter.federation.create_invite(OBSERVER, 24 * HOUR, for_did=joiner.did)).code
    assert code is not None
    with pytest.raises(InviteForOther):
        await thief.federation.accept_invite(code, OBSERVER, False)
    assert thief.store.membership.invites.incoming == ()
    with pytest.raises(WrongJoiner):
        await inviter.federation.joined(thief.did, join_of(thief, code))
    await joiner.federation.accept_invite(code, OBSERVER, False)
    await pass_time(network, 5)
    await until(lambda: both_confirmed(inviter, joiner))
    assert inviter.store.node(thief.did) is None


async def test_what_polling_learned_outlives_a_restart(network: Network) -> None:
    inviter, joiner = network.home(1, "attic"), network.home(2, "barn")
    await federate(network, inviter, joiner)
    await inviter.federation.rename("barn", "Grandma")
    await inviter.stop()
    (inviter.folder / "federation" / "state.json").write_bytes(b"not JSON")
    inviter.start()
    view = inviter.federation.peer("Grandma")
    assert view.last_state is not None
    assert view.last_seen is not None
    assert view.liveness == "unknown"
    with pytest.raises(PeerNotFound):
        inviter.federation.peer("nobody")
