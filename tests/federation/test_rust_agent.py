"""The Rust agent joins and polls one of our homes over HTTP: what it gets, and what it does not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from enigma_fed.base import limits
from enigma_fed.base.suspension import Suspended
from enigma_fed.wire.records import Stage, TrustLevel
from tests.support.fakenetwork import Home
from tests.support.httpnetwork import HttpNetwork, http_network
from tests.support.identities import key, onion
from tests.support.rustagent import RustAgent, post

OBSERVER = TrustLevel.OBSERVER


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[HttpNetwork]:
    async with http_network(tmp_path) as network:
        yield network


@pytest.fixture
async def home(network: HttpNetwork) -> Home:
    home = network.home(1, "attic")
    network.clock.advance(limits.CHALLENGE_AFTER_START)
    return home


def agent(network: HttpNetwork, number: int = 7, *, bare: bool = False) -> RustAgent:
    name = str(onion(number))
    named = name.removesuffix(".onion") if bare else name
    return RustAgent(key(number), named, network.session(), network.clock)


async def legacy_code(home: Home) -> str:
    view = await home.federation.create_invite(OBSERVER, 3600, legacy=True)
    assert view.code is not None
    return view.code


async def member(network: HttpNetwork, home: Home, number: int = 7) -> RustAgent:
    rust = agent(network, number)
    await rust.accept_invite(await legacy_code(home))
    await home.federation.approve(rust.did)
    return rust


def word(reply: dict[str, Any]) -> str:
    said: str = reply["error"]["data"]["code"]
    return said


@pytest.mark.parametrize("bare", [False, True])
async def test_it_joins_by_the_owners_word_and_reads_our_state(
    network: HttpNetwork, home: Home, bare: bool
) -> None:
    rust = agent(network, bare=bare)
    await rust.accept_invite(await legacy_code(home))
    (waiting,) = home.federation.peers()
    assert (waiting.did, waiting.stage, waiting.onion) == (rust.did, "awaiting-approval", str(onion(7)))
    assert word(await rust.poll(str(home.onion))) == "unsigned", "nothing before the owner's word"

    await home.federation.approve(rust.did)
    state = await rust.sync(str(home.onion))
    assert state["node_name"] == "attic"
    assert {"timestamp", "apps", "tor_active"} <= state.keys()
    (peer,) = home.federation.peers()
    assert (peer.trust_level, peer.legacy, peer.stage) == ("observer", True, "used")


async def test_invariant_3_without_a_legacy_invite_its_join_is_not_even_kept(
    network: HttpNetwork, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    rust = agent(network)
    assert word(await rust.notify_join(str(home.onion))) == "unsigned"
    await home.federation.create_invite(OBSERVER, 3600)
    assert word(await rust.notify_join(str(home.onion))) == "unsigned"
    await legacy_code(home)
    network.clock.advance(3600)
    assert word(await rust.notify_join(str(home.onion))) == "unsigned", "the invite is over"
    await legacy_code(home)
    monkeypatch.setattr(home.federation, "suspended", lambda: (Suspended.ANOTHER_COPY,))
    assert word(await rust.notify_join(str(home.onion))) == "unsigned", "joins are suspended"
    assert home.federation.peers() == []


async def test_invariant_3_only_a_join_whose_inner_signature_holds_is_kept(
    network: HttpNetwork, home: Home
) -> None:
    await legacy_code(home)
    rust = agent(network)
    stolen = {"onion": str(onion(8))}
    assert word(await rust.notify_join(str(home.onion), **stolen)) == "invalid-params"
    assert word(await rust.notify_join(str(home.onion), signature="00" * 64)) == "invalid-params"
    assert word(await rust.notify_join(str(home.onion), token="00" * 16)) == "invalid-params"
    own = RustAgent(home.key, str(home.onion), network.session(), network.clock)
    assert word(await own.notify_join(str(home.onion))) == "invalid-params"
    assert home.federation.peers() == []
    assert word(await rust.notify_join(str(home.onion))) == "awaiting-approval"
    assert word(await rust.notify_join(str(home.onion))) == "awaiting-approval", "once is enough"
    assert len(home.federation.peers()) == 1


async def test_invariant_7_only_so_many_such_joins_are_kept_and_checked(
    network: HttpNetwork, home: Home
) -> None:
    await legacy_code(home)
    answers = [
        word(await agent(network, 20 + n).notify_join(str(home.onion)))
        for n in range(limits.JOIN_TRIES_UNKNOWN + 2)
    ]
    assert answers.count("awaiting-approval") == limits.PENDING_JOINS
    assert set(answers[limits.PENDING_JOINS :]) == {"busy"}
    assert len(home.federation.peers()) == limits.PENDING_JOINS
    await home.federation.revoke(home.federation.invites()[0].id)
    assert home.federation.peers() == []


async def test_invariant_11_its_requests_change_nothing_that_is_stored(
    network: HttpNetwork, home: Home
) -> None:
    rust = await member(network, home)
    before = home.store.membership
    await rust.sync(str(home.onion))
    assert home.store.membership is before
    node = home.store.node(key(7).did)
    assert node is not None
    assert node.stage is Stage.USED
    assert key(7).did not in home.store.observations
    (peer,) = home.federation.peers()
    assert (peer.last_seen, peer.liveness) == (None, "unknown")


async def test_invariant_2_its_poll_never_opens_an_install(network: HttpNetwork, home: Home) -> None:
    rust = await member(network, home)
    await home.federation.set_trust(rust.did, TrustLevel.TRUSTED)
    assert word(await rust.poll(str(home.onion), "package.install")) == "unsigned"
    await rust.sync(str(home.onion))
    install = {"method": "package.install", "params": {"id": "evil"}}
    assert word(await post(network.session(), str(home.onion), install, rust.sent[-1])) == "unsigned"


async def test_invariant_1_what_it_sent_is_served_once_here(network: HttpNetwork, home: Home) -> None:
    rust = await member(network, home)
    await rust.sync(str(home.onion))
    again = {"method": "federation.get-state", "params": {}}
    assert word(await post(network.session(), str(home.onion), again, rust.sent[-1])) == "replayed"
    await home.die()
    home.start()
    assert word(await post(network.session(), str(home.onion), again, rust.sent[-1])) == "stale"


async def test_the_replay_elsewhere_is_what_the_mark_means(network: HttpNetwork, home: Home) -> None:
    """The weakness that `--legacy` warns of, and that nothing but the mark opens."""
    rust = await member(network, home)
    other = network.home(2, "barn")
    await other.federation.create_invite(OBSERVER, 3600, legacy=True)
    network.clock.advance(limits.CHALLENGE_AFTER_START)
    await rust.notify_join(str(other.onion))
    await other.federation.approve(rust.did)
    await rust.sync(str(home.onion))
    again = {"method": "federation.get-state", "params": {}}
    stolen = await post(network.session(), str(other.onion), again, rust.sent[-1])
    assert stolen["result"]["node_name"] == "barn"
    await other.federation.set_trust(rust.did, OBSERVER, legacy=False)
    assert word(await rust.poll(str(other.onion))) == "unsigned"


async def test_rights_and_removal_hold_for_it_as_for_everyone(network: HttpNetwork, home: Home) -> None:
    rust = await member(network, home)
    await home.federation.set_trust(rust.did, TrustLevel.UNTRUSTED)
    assert word(await rust.poll(str(home.onion))) == "not-allowed"
    await home.federation.set_trust(rust.did, OBSERVER)
    assert "result" in await rust.poll(str(home.onion)), "the mark stayed"
    await home.federation.remove(rust.did)
    assert word(await rust.poll(str(home.onion))) == "unsigned"
    assert word(await rust.notify_join(str(home.onion))) == "unsigned"


async def test_a_mark_is_told_in_the_log(
    network: HttpNetwork, home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    rust = await member(network, home)
    assert "old, replayable header set" in caplog.text
    await home.federation.set_trust(rust.did, OBSERVER, legacy=False)
    assert "may no longer ask with the old header set" in caplog.text
