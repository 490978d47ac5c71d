"""What the doctor says of peers, of invites, and of clocks that disagree."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest

from enigma_fed.config import Settings
from enigma_fed.daemon.checks import peers
from enigma_fed.daemon.checks.scene import Scene
from enigma_fed.daemon.paths import Paths
from enigma_fed.wire.timestamps import from_text, to_text
from enigma_fed.wire.views import InviteView, PeerView
from tests.support.views import INVITE, PEER

NOW = from_text("2026-11-20T08:49:00Z")
DAY = 86400


@pytest.fixture
def scene(paths: Paths, settings: Settings) -> Scene:
    return Scene(paths, settings, now=NOW)


def peer(**changes: object) -> PeerView:
    return msgspec.structs.replace(PEER, **changes)


def with_peers(scene: Scene, *found: PeerView) -> Scene:
    return dataclasses.replace(scene, peers=found)


def test_a_peer_that_was_not_heard_for_a_week_is_named(scene: Scene) -> None:
    away = peer(alias="grandma", last_seen=to_text(NOW - 9 * DAY))
    [finding] = peers.away(with_peers(scene, away, peer(last_seen=to_text(NOW))))
    assert finding.detail == "grandma was not heard for 9 days"
    assert f"enigma-fed peer remove {away.did}" in finding.fix
    never = peer(last_seen=None, added_at=to_text(NOW - 8 * DAY))
    [finding] = peers.away(with_peers(scene, never))
    assert finding.result == "warning"


def test_a_paused_peer_may_be_silent_and_no_peers_say_nothing(scene: Scene) -> None:
    paused = peer(last_seen=to_text(NOW - 9 * DAY), paused=True)
    assert list(peers.away(with_peers(scene, paused))) == []
    night = peer(last_seen=to_text(NOW - 9 * DAY), liveness="offline-expected")
    assert list(peers.away(with_peers(scene, night))) == []
    [finding] = peers.away(with_peers(scene, peer(last_seen=to_text(NOW - 5))))
    assert (finding.result, finding.detail) == ("ok", "1 peer, none silent for more than a week")


@pytest.mark.parametrize(
    ("skews", "result", "says"),
    [
        ([None], None, ""),
        ([2], "ok", "1 peer agrees with"),
        ([2, -3], "ok", "2 peers agree with"),
        ([300, 1, 0], "warning", "cellar is 300 s ahead"),
        ([-90], "warning", "cellar is 90 s behind"),
        ([300, 302, 310], "failure", "clock is about 302 s behind"),
        ([-300, -302], "failure", "clock is about 302 s ahead"),
    ],
)
def test_one_clock_that_differs_is_the_peers_and_several_are_ours(
    scene: Scene, skews: list[int | None], result: str | None, says: str
) -> None:
    found = list(peers.skew(with_peers(scene, *(peer(skew_s=seconds) for seconds in skews))))
    assert [finding.result for finding in found] == ([] if result is None else [result])
    assert all(says in finding.detail for finding in found)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"expires_at": to_text(NOW + 1800)}, "invite 0a1b2c3d expires in 30 min"),
        ({"direction": "pending", "stage": "awaiting-approval", "name": "barn"}, "barn waits"),
        (
            {
                "direction": "incoming",
                "stage": "accepted-here",
                "name": "barn",
                "expires_at": to_text(NOW - 9),
            },
            "barn has not answered",
        ),
        ({"expires_at": to_text(NOW + DAY)}, None),
        ({"expires_at": to_text(NOW + 1800), "stage": "used"}, None),
    ],
)
def test_what_is_open_with_others_is_named(
    scene: Scene, changes: dict[str, object], says: str | None
) -> None:
    view: InviteView = msgspec.structs.replace(INVITE, **changes)
    found = list(peers.invites(dataclasses.replace(scene, invites=(view,))))
    assert len(found) == (0 if says is None else 1)
    assert all(str(says) in finding.detail and finding.fix for finding in found)
