"""The desk: typed params in, views out (the table itself is in test_calls.py)."""

from __future__ import annotations

import pytest

from enigma_fed.base.errors import FieldInvalid, NotFound
from enigma_fed.config import Settings
from enigma_fed.daemon import calls
from enigma_fed.daemon.desk import Desk
from enigma_fed.daemon.init import initialise
from enigma_fed.daemon.local import LocalOperations
from enigma_fed.daemon.paths import Paths
from enigma_fed.wire.views import InviteView


@pytest.fixture
def desk(paths: Paths, settings: Settings) -> Desk:
    initialise(paths, settings)
    return LocalOperations(paths, settings, lock=None).desk


async def test_a_call_is_served_by_its_name(desk: Desk) -> None:
    made = await desk.serve(calls.INVITE_CREATE, calls.InviteCreate(scope="trusted", ttl_s=60))
    assert isinstance(made, InviteView)
    assert made.scope == "trusted"
    assert await desk.serve(calls.INVITE_LIST, calls.NoParams()) == [made]
    revoked = await desk.serve(calls.INVITE_REVOKE, calls.InviteRef(invite_id=made.id))
    assert isinstance(revoked, InviteView)
    assert (revoked.stage, revoked.code) == ("revoked", None)


async def test_what_is_not_there_is_not_found(desk: Desk) -> None:
    for call, params in (
        (calls.INVITE_REVOKE, calls.InviteRef(invite_id="00000000")),
        (calls.PEER_APPROVE, calls.PeerRef(ref="nobody")),
        (calls.PEER_REMOVE, calls.PeerRef(ref="nobody")),
        (calls.PEER_OFFLINE, calls.PeerOffline(ref="nobody", windows=["23:00-07:00"])),
        (calls.PEER_PAUSE, calls.PeerPause(ref="nobody", paused=True)),
    ):
        with pytest.raises(NotFound):
            await desk.serve(call, params)


async def test_a_trust_level_that_does_not_exist_is_named_with_those_that_do(desk: Desk) -> None:
    with pytest.raises(FieldInvalid, match="trusted, observer, untrusted"):
        await desk.serve(calls.PEER_TRUST, calls.PeerTrust(ref="x", level="root"))


async def test_a_window_that_is_none_changes_nothing(desk: Desk) -> None:
    for windows in (["23-7"], ["07:00-07:00"]):
        with pytest.raises(FieldInvalid, match="a window must"):
            await desk.serve(calls.PEER_OFFLINE, calls.PeerOffline(ref="x", windows=windows))
