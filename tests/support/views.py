"""A node, a peer and an invite as commands show them: the well ones, to be changed member by member."""

from __future__ import annotations

from enigma_fed.daemon.status import Running
from enigma_fed.wire.views import InviteView, NodeView, PeerView, SnapshotView, TorView

NODE = NodeView(did="did:key:z6MkNode", pubkey="", onion="", name="attic", fingerprint="", data_dir="/d")
READY = TorView(mode="managed", phase="ready")
RUNNING = Running(
    pid=7,
    uptime_s=1.0,
    epoch="00",
    listen="127.0.0.1:8787",
    tor=READY,
    state=SnapshotView(timestamp="2026-11-20T08:49:00Z"),
    clock_synchronised=True,
    clock_behind=False,
    challenge_all=False,
)
PEER = PeerView(
    did="did:key:z6MkPeerPeer",
    pubkey="",
    onion="",
    name="cellar",
    alias=None,
    trust_level="observer",
    added_at="2026-11-19T08:49:00Z",
    stage="confirmed",
    stage_at="",
    liveness="up",
)
INVITE = InviteView(
    code="fed1:x",
    did="did:key:z6MkPeerPeer",
    onion="",
    pubkey="",
    created_at="",
    accepted=False,
    id="0a1b2c3d",
    direction="outgoing",
    stage="created",
    stage_at="",
    expires_at="2026-11-21T08:49:00Z",
)
