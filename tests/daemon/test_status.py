"""The status and what to do next, in plain sentences."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from enigma_fed.base import limits
from enigma_fed.base.suspension import Suspended
from enigma_fed.daemon.status import Running, clock_differences, compose, next_steps, tor_view
from enigma_fed.federation.rules import REMOVED_US
from enigma_fed.transports.tor.modes import TorMode
from enigma_fed.transports.tor.status import TorPhase, TorStatus
from enigma_fed.wire.views import InviteView, PeerView, PublicOnionView, RegistryView, TorView
from tests.support.views import INVITE, NODE, PEER, READY, RUNNING


def invite(direction: str, stage: str, **more: object) -> InviteView:
    return msgspec.structs.replace(INVITE, direction=direction, stage=stage, **more)


def steps(peers: list[PeerView], invites: list[InviteView], running: Running | None = RUNNING) -> str:
    return " | ".join(next_steps(peers, invites, running))


def test_a_lonely_node_is_told_how_to_begin() -> None:
    assert "enigma-fed invite create" in steps([], [])


def test_without_an_agent_the_first_step_is_to_start_it() -> None:
    view = compose(NODE, [], [], None)
    assert not view.running
    assert view.next_steps[0] == "Start the agent: enigma-fed run"
    assert view.tor is None


def test_a_node_with_peers_that_are_well_has_nothing_to_do() -> None:
    assert steps([PEER], []) == ""


def test_each_open_end_has_a_step() -> None:
    one = invite("outgoing", "created")
    shown = "enigma-fed --json invite list shows"
    assert steps([PEER], [one]) == f"1 invite is open; hand over its code: {shown} it"
    assert steps([PEER], [one, one]) == f"2 invites are open; hand over their codes: {shown} them"
    assert "keeps trying" in steps([PEER], [invite("incoming", "accepted-here", name="cellar")])
    assert "Ask the owner of cellar" in steps(
        [PEER], [invite("incoming", "awaiting-approval", name="cellar")]
    )
    assert "enigma-fed peer approve" in steps([PEER], [invite("pending", "awaiting-approval")])
    assert steps([PEER], [invite("outgoing", "used"), invite("incoming", "confirmed-both")]) == ""


def test_peers_in_trouble_are_named() -> None:
    forgot = msgspec.structs.replace(PEER, they_forgot_us=True, alias="grandma")
    assert "grandma no longer knows this node" in steps([forgot], [])
    refused = msgspec.structs.replace(PEER, stage="refused", last_error="token-used")
    assert "cellar refused the join (token-used)" in steps([refused], [])
    dropping = "enigma-fed doctor --drop-invalid"
    bad = msgspec.structs.replace(PEER, invalid="{}")
    assert (
        steps([bad, bad], [msgspec.structs.replace(INVITE, direction="", invalid="{}")]).count(dropping) == 1
    )
    assert dropping in steps([PEER], [msgspec.structs.replace(INVITE, direction="", invalid="{}")])


def test_a_peer_that_removed_this_node_is_no_refused_join_and_is_not_counted_as_up() -> None:
    removed = msgspec.structs.replace(PEER, stage="refused", last_error=REMOVED_US, name="alice")
    assert steps([removed], []) == (
        "alice removed this node: ask its owner for a new invite, or remove it here"
    )
    assert compose(NODE, [PEER, removed], [], RUNNING).peers == {"up": 1, "refused": 1}


def test_without_tor_peers_cannot_be_reached() -> None:
    off = running_with(TorView(mode="off", phase="off"))
    assert "cannot be reached (tor.mode = off)" in steps([PEER], [], off)


def test_tor_that_does_not_get_on_says_why() -> None:
    stuck = TorView(mode="managed", phase="bootstrapping", reason="this machine has no network")
    assert "this machine has no network" in steps([PEER], [], running_with(stuck))
    failed = TorView(mode="managed", phase="failed", reason="it ended")
    assert "enigma-fed doctor" in steps([PEER], [], running_with(failed))


def running_with(tor: TorView) -> Running:
    return replace(RUNNING, tor=tor)


@pytest.mark.parametrize(
    ("mode", "names"), [("managed", ["circuit", "key", "listener"]), ("off", ["key", "listener"])]
)
def test_it_says_what_limits_are_counted_by(mode: str, names: list[str]) -> None:
    running = replace(RUNNING, tor=TorView(mode=mode, phase="ready"))
    assert compose(NODE, [], [], running).limited_by == names


def test_counts_and_facts_are_in_the_view() -> None:
    late = msgspec.structs.replace(PEER, liveness="late", paused=True)
    bad = msgspec.structs.replace(PEER, invalid="{}")
    invites = [
        invite("outgoing", "created"),
        invite("incoming", "announced"),
        invite("pending", "awaiting-approval"),
    ]
    view = compose(NODE, [PEER, late, bad], invites, RUNNING, ["careful"])
    assert view.peers == {"up": 1, "paused": 1, "invalid": 1}
    assert (view.invites_open, view.joins_waiting) == (1, 2)
    assert (view.pid, view.listen, view.tor, view.challenge_all) == (7, "127.0.0.1:8787", READY, False)
    assert view.warnings == ["careful", "Some peers are paused and not polled."]


def test_streams_and_states_that_are_old_or_refused_are_counted() -> None:
    streaming = peer(stream_since="2026-11-20T08:00:00Z")
    old, refused = peer(state_old=True), peer(state_old=True, state_refused="lower-seq")
    view = compose(NODE, [PEER, streaming, old, refused], [], RUNNING)
    assert (view.streams, view.states_old, view.states_refused) == (1, 2, 1)


def test_a_name_like_another_is_told_and_how_to_tell_them_apart() -> None:
    twin = peer(name="my attic", name_like="peer")
    [step] = next_steps([twin], [], RUNNING)
    assert step == (
        "“my attic” [z6MkPeerPeer]: it has the name of another peer, or nearly; give it one of yours: "
        "enigma-fed peer rename did:key:z6MkPeerPeer NAME"
    )
    assert steps([peer(alias="mine", name_like="peer")], []) == "", "the owner chose it"
    joiner = invite("pending", "awaiting-approval", name="attic", name_like="this-node")
    waiting = peer(stage="awaiting-approval", name_like="this-node", liveness="unknown")
    [step] = next_steps([waiting], [joiner], RUNNING)
    assert "mind: it has the name of this node, or nearly; compare the DID" in step


def test_a_doubtful_clock_is_a_warning() -> None:
    view = compose(NODE, [PEER], [], replace(RUNNING, clock_synchronised=False, clock_behind=True))
    assert len(view.warnings) == 2
    assert view.next_steps == ["Set this machine's clock right, best by: sudo timedatectl set-ntp true"]


def test_a_disk_with_little_room_is_told() -> None:
    assert steps([PEER], [], replace(RUNNING, disk_free=limits.DISK_LOW)) == ""
    assert "Free some space, 255 MiB are left" in steps(
        [PEER], [], replace(RUNNING, disk_free=limits.DISK_LOW - 1)
    )


def peer(**changes: object) -> PeerView:
    return msgspec.structs.replace(PEER, **changes)


def tor(phase: str, **changes: object) -> Running:
    return running_with(msgspec.structs.replace(READY, phase=phase, **changes))


NOT_SYNCHRONISED = replace(RUNNING, clock_synchronised=False)
LATE = invite("pending", "awaiting-approval", name="barn")
STATES: dict[str, tuple[list[PeerView], list[InviteView], Running | None, str]] = {
    "fresh": ([], [], None, "Start the agent: enigma-fed run"),
    "running, nobody known": ([], [], RUNNING, "Invite another home: enigma-fed invite create"),
    "tor starts": ([PEER], [], tor("starting"), "Peers cannot reach this node yet; "),
    "tor comes": ([PEER], [], tor("publishing", percent=100), "Peers cannot reach this node yet; "),
    "tor is stuck": ([PEER], [], tor("bootstrapping", reason="no network"), "yet (no network)"),
    "tor failed": ([PEER], [], tor("failed", reason="it ended"), "enigma-fed doctor"),
    "tor is off": ([PEER], [], tor("off", mode="off"), "set tor.mode to auto"),
    "an open invite": ([], [INVITE], RUNNING, "enigma-fed --json invite list"),
    "a late join here": ([], [LATE], RUNNING, "enigma-fed peer approve"),
    "a late join there": ([], [invite("incoming", "awaiting-approval", name="x")], RUNNING, "owner of x"),
    "an accepted code": ([], [invite("incoming", "accepted-here", name="x")], RUNNING, "keeps trying"),
    "they forgot us": ([peer(they_forgot_us=True)], [], RUNNING, "ask its owner for a new invite"),
    "they removed us": ([peer(stage="refused", last_error=REMOVED_US)], [], RUNNING, "removed this node"),
    "they refused": ([peer(stage="refused", last_error="no")], [], RUNNING, "refused the join (no)"),
    "an unusable entry": ([peer(invalid="{}")], [], RUNNING, "doctor --drop-invalid"),
    "paused": ([peer(paused=True)], [], RUNNING, "enigma-fed peer pause did:key:z6MkPeerPeer --resume"),
    "states refused": ([peer(state_refused="bad-patch")], [], RUNNING, "break the rules (bad-patch)"),
    "offline": ([peer(liveness="offline")], [], RUNNING, "enigma-fed peer show did:key:z6MkPeerPeer"),
    "clock in doubt": ([PEER], [], NOT_SYNCHRONISED, "sudo timedatectl set-ntp true"),
    "clock behind": ([PEER], [], replace(RUNNING, clock_behind=True), "Set this machine's clock right"),
    "disk full": ([PEER], [], replace(RUNNING, disk_free=0), "Free some space, 0 MiB are left"),
}


@pytest.mark.parametrize("state", STATES)
def test_every_state_has_a_next_step_and_the_most_urgent_comes_first(state: str) -> None:
    peers, invites, running, says = STATES[state]
    first, *_ = next_steps(peers, invites, running)
    assert says in first


def test_what_stops_the_node_comes_before_what_waits_for_others() -> None:
    troubled = replace(tor("failed", reason="it ended"), disk_free=0, clock_behind=True)
    suspended = (Suspended.RECOVERED, Suspended.ANOTHER_COPY)
    found = compose(NODE, [peer(paused=True)], [INVITE], troubled, suspended=suspended).next_steps
    begins = ("See what was recovered", "Stop the other copy", "Free some", "Set this", "See what keeps")
    begins += ("1 invite", "cellar is paused")
    assert [step.startswith(words) for step, words in zip(found, begins, strict=True)] == [True] * 7


def test_tors_status_is_shown_whole() -> None:
    status = TorStatus(
        TorPhase.BOOTSTRAPPING, 45, "requesting_descriptors", "Asking", "slow", "0.4.9", 9, 2,
        TorMode.MANAGED, "it is there", pow=True, repairs=3, last_repair="reloaded",
    )  # fmt: skip
    assert tor_view(status) == TorView(
        mode="managed", phase="bootstrapping", percent=45, tag="requesting_descriptors", summary="Asking",
        reason="slow", version="0.4.9", pid=9, restarts=2, chosen="it is there", pow=True,
        repairs=3, last_repair="reloaded",
    )  # fmt: skip


def differences(*skews: int | None) -> str:
    peers = [msgspec.structs.replace(PEER, name=f"home {n}", skew_s=skew) for n, skew in enumerate(skews)]
    return " | ".join(clock_differences(peers))


def test_a_clock_that_differs_is_told_with_whose_it_is() -> None:
    assert differences(None, 0, limits.SKEW_TOLD, -limits.SKEW_TOLD) == ""
    assert "The clock of “home 1” is 31 s ahead of this machine's" in differences(0, 31, None)
    assert "The clock of “home 0” is 95 s behind this machine's" in differences(-95)
    assert differences(95, -95, 0, 0).count("|") == 1


def test_when_most_peers_agree_it_is_this_machines_clock() -> None:
    assert differences(3600, 3601, 0) == (
        "This machine's clock is about 3601 s behind those of most peers; set it right."
    )
    assert "about 95 s ahead of those of most peers" in differences(-95, -95, None)
    assert (
        differences(-95, -95)
        in compose(NODE, [msgspec.structs.replace(PEER, skew_s=-95)] * 2, [], RUNNING).warnings
    )


def test_an_onion_that_the_owner_has_to_make_is_the_next_step() -> None:
    [step, *_] = next_steps([PEER], [], tor("probing", mode="socks"))
    assert "enigma-fed doctor" in step


def test_nobody_is_told_to_look_after_a_peer_that_is_expected_to_be_off() -> None:
    night = compose(NODE, [peer(liveness="offline-expected")], [], RUNNING)
    assert (night.peers, night.next_steps) == ({"offline-expected": 1}, [])


def test_what_this_node_announces_is_in_the_view() -> None:
    running = replace(RUNNING, offline_windows=("23:00-07:00",))
    assert compose(NODE, [], [], running).offline_windows == ["23:00-07:00"]
    assert compose(NODE, [], [], None).offline_windows == []


def test_what_strangers_miss_is_a_warning_and_no_reason_to_be_unready() -> None:
    public = PublicOnionView(onion="x.onion", ports={"registry": 8443}, phase="silent", reason="not reached")
    registry = RegistryView(running=False, trouble="the port is taken", warnings=["a key expires"])
    view = compose(NODE, (), (), replace(RUNNING, public=public, registry=registry))
    assert view.warnings == [
        "The registry is not served: the port is taken",
        "a key expires",
        "Strangers cannot reach what is published for them: not reached",
    ]
    assert (view.public, view.registry) == (public, registry)


def test_changed_settings_of_a_registry_that_are_refused_do_not_read_as_an_outage() -> None:
    registry = RegistryView(running=True, trouble="no active key is left")
    [warning] = compose(NODE, (), (), replace(RUNNING, registry=registry)).warnings
    assert "the old ones are in force: no active key is left" in warning
