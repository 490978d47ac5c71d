"""What the federation tells the rest of the agent."""

from __future__ import annotations

from pathlib import Path

import pytest

from enigma_fed.base.errors import PeerUnreachable
from enigma_fed.wire.records import TrustLevel
from tests.support.fakenetwork import Network, pass_time, until


async def test_each_stored_state_is_told_with_whose_it_is_and_when_and_none_of_a_removed_peer(
    tmp_path: Path,
) -> None:
    network = Network(tmp_path)
    attic, barn = network.home(1, "attic"), network.home(2, "barn")
    code = (await attic.federation.create_invite(TrustLevel.OBSERVER, 3600)).code
    assert code is not None
    await barn.federation.accept_invite(code, TrustLevel.OBSERVER, False)
    await until(lambda: attic.store.node(barn.did) is not None, "the join arrives")
    await pass_time(network, 5)
    barn.told.clear()
    await barn.federation.sync("attic")
    [(did, snapshot, at)] = barn.told
    assert (did, snapshot.node_name, at) == (attic.did, "attic", int(network.clock.wall()))
    network.offline.add(attic.did)
    with pytest.raises(PeerUnreachable):
        await barn.federation.sync("attic")
    assert len(barn.told) == 1, "nothing was heard"
    await barn.federation.remove("attic")
    assert barn.removed == [attic.did]
    await pass_time(network, 200)
    assert len(barn.told) == 1
    await network.close()
