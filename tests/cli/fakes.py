"""A node that answers from memory, and a way to run a command against it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import click
import msgspec
from click.testing import CliRunner

from enigma_fed.base.errors import PeerNotFound
from enigma_fed.base.ids import OnionAddress
from enigma_fed.cli.context import CliContext, Flags
from enigma_fed.cli.main import cli, main
from enigma_fed.daemon.operations import Operations
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.wire.historyview import HistoryPoint, HistoryView
from enigma_fed.wire.invite import draft
from enigma_fed.wire.records import TrustLevel
from enigma_fed.wire.views import (
    InvalidView,
    InviteView,
    NodeView,
    PeerView,
    PingView,
    RecoveryView,
    SnapshotView,
    StatusView,
    TorView,
)

DID = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
ONION = "pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd.onion"
PUBKEY = "2e" * 32

NODE = NodeView(did=DID, pubkey=PUBKEY, onion=ONION, name="attic", fingerprint="0000 1111", data_dir="/data")
STATE = SnapshotView(
    timestamp="2026-11-20T08:49:00Z",
    cpu_usage_percent=12.5,
    mem_used_bytes=2**30,
    mem_total_bytes=2**32,
    uptime_secs=90061,
)
PEER = PeerView(
    did=DID,
    pubkey=PUBKEY,
    onion=ONION,
    name="cellar",
    alias=None,
    trust_level="observer",
    added_at="2026-11-19T08:49:00Z",
    stage="confirmed",
    stage_at="2026-11-19T08:50:00Z",
    last_seen="2026-11-20T08:49:00Z",
    last_state=STATE,
    liveness="up",
    latency_ms=340.4,
)


HISTORY = HistoryView(
    did=DID,
    name="cellar",
    resolution_s=300,
    since="2026-11-19T08:50:00Z",
    until="2026-11-20T08:50:00Z",
    mem_total_bytes=2**32,
    points=[
        HistoryPoint(
            at="2026-11-20T08:35:00Z",
            heard=True,
            cpu_usage_percent=12.5,
            mem_used_bytes=2**30,
            apps_running=3.0,
            samples=5,
        ),
        HistoryPoint(at="2026-11-20T08:40:00Z", heard=None),
        HistoryPoint(at="2026-11-20T08:45:00Z", heard=False),
        HistoryPoint(at="2026-11-20T08:50:00Z", heard=True, cpu_usage_percent=99.0, samples=1),
    ],
)


def _code() -> str:
    """A sound code of a home that the node does not know."""
    made = draft(
        did=INVITER.did,
        onion=OnionAddress.parse(ONION),
        token=bytes(16),
        scope=TrustLevel.OBSERVER,
        issued_at=1_795_000_000,
        expires_at=4_950_000_000,
        name="barn",
    )
    return made.seal(INVITER.sign(made.signing_input))


INVITER = NodeKey(b"\x07" * 32)
INVITE = InviteView(
    code=_code(),
    did=DID,
    onion=ONION,
    pubkey=PUBKEY,
    created_at="2026-11-20T08:49:00Z",
    accepted=False,
    id="5f1c02ab",
    direction="outgoing",
    stage="created",
    stage_at="2026-11-20T08:49:00Z",
    expires_at="2126-11-21T08:49:00Z",
    scope="observer",
)
CODE = INVITE.code or ""


@dataclass
class FakeNode(Operations):
    """Answers from memory; remembers every call."""

    peers: list[PeerView] = field(default_factory=lambda: [PEER])
    invites: list[InviteView] = field(default_factory=lambda: [INVITE])
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    error: Exception | None = None
    past: HistoryView = field(default_factory=lambda: HISTORY)
    recovered: list[RecoveryView] = field(default_factory=list)
    unusable: list[InvalidView] = field(default_factory=list)

    def close(self) -> None:
        self.calls.append(("closed",))

    def _call(self, *call: Any) -> None:
        self.calls.append(call)
        if self.error is not None:
            raise self.error

    def identity(self) -> NodeView:
        self._call("identity")
        return NODE

    def status(self) -> StatusView:
        self._call("status")
        tor = TorView(
            mode="managed", phase="bootstrapping", percent=14, summary="Handshaking", reason="no route",
            chosen="no system tor", pow=True, repairs=2, last_repair="it is added again",
        )  # fmt: skip
        return StatusView(
            node=NODE,
            running=True,
            pid=7,
            uptime_s=61,
            admin="127.0.0.1:8788",
            tor=tor,
            state=STATE,
            peers={"up": 1, "offline": 0},
            warnings=["the clock is not synchronised"],
            next_steps=["Make an invite: enigma-fed invite create"],
        )

    def invite_create(
        self, scope: str, ttl_s: int, *, for_did: str | None = None, legacy: bool = False
    ) -> InviteView:
        self._call("invite_create", scope, ttl_s, *([for_did] if for_did else []), *(["legacy"] * legacy))
        return msgspec.structs.replace(INVITE, scope=scope, legacy=legacy)

    def invite_accept(self, code: str, trust: str, allow_unsigned: bool) -> InviteView:
        self._call("invite_accept", code, trust, allow_unsigned)
        return msgspec.structs.replace(
            INVITE, direction="incoming", stage="accepted-here", trust_level=trust, name="cellar"
        )

    def invite_list(self) -> list[InviteView]:
        self._call("invite_list")
        return self.invites

    def invite_revoke(self, invite_id: str) -> InviteView:
        self._call("invite_revoke", invite_id)
        return msgspec.structs.replace(INVITE, code=None, stage="revoked")

    def peer_list(self) -> list[PeerView]:
        self._call("peer_list")
        return self.peers

    def _found(self, ref: str) -> PeerView:
        found = next((peer for peer in self.peers if ref in (peer.did, peer.name, peer.alias)), None)
        if found is None:
            raise PeerNotFound(f"{ref!r} is nobody here")
        return found

    def peer_show(self, ref: str) -> PeerView:
        self._call("peer_show", ref)
        return self._found(ref)

    def peer_approve(self, ref: str) -> PeerView:
        self._call("peer_approve", ref)
        return self._found(ref)

    def peer_trust(self, ref: str, level: str, legacy: bool | None = None) -> PeerView:
        self._call("peer_trust", ref, level, *([] if legacy is None else [legacy]))
        return msgspec.structs.replace(self._found(ref), trust_level=level, legacy=bool(legacy))

    def peer_rename(self, ref: str, name: str | None) -> PeerView:
        self._call("peer_rename", ref, name)
        return msgspec.structs.replace(self._found(ref), alias=name)

    def peer_remove(self, ref: str) -> PeerView:
        self._call("peer_remove", ref)
        return self._found(ref)

    def peer_pause(self, ref: str, paused: bool) -> PeerView:
        self._call("peer_pause", ref, paused)
        return msgspec.structs.replace(self._found(ref), paused=paused)

    def peer_offline(self, ref: str, windows: list[str]) -> PeerView:
        self._call("peer_offline", ref, *windows)
        return msgspec.structs.replace(self._found(ref), offline_windows=windows)

    def peer_sync(self, ref: str | None) -> list[PeerView]:
        self._call("peer_sync", ref)
        return self.peers

    def history(self, ref: str | None, resolution_s: int, since_s: int) -> HistoryView:
        self._call("history", ref, resolution_s, since_s)
        return self.past

    def recoveries(self) -> list[RecoveryView]:
        return self.recovered

    def accept_recovered(self) -> list[RecoveryView]:
        self._call("accept_recovered")
        return self.recovered

    def invalid(self) -> list[InvalidView]:
        return self.unusable

    def drop_invalid(self) -> list[InvalidView]:
        self._call("drop_invalid")
        return self.unusable

    def peer_ping(self, ref: str) -> PingView:
        self._call("peer_ping", ref)
        return PingView(did=DID, name="cellar", latency_ms=41.6, skew_s=3)


@dataclass(frozen=True)
class Outcome:
    """What a command said."""

    exit_code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return msgspec.json.decode(self.out)

    @property
    def error(self) -> dict[str, str]:
        """The error object on standard error."""
        return dict(msgspec.json.decode(self.err)["error"])


def invoke(*words: str, node: FakeNode | None = None, typed: str | None = None) -> Outcome:
    """Run `enigma-fed` with these words in this process, on the fake node or, without one, on real files."""
    extra: dict[str, Any] = {}
    if node is not None:

        @contextmanager
        def opener(flags: Flags, *, mutating: bool) -> Iterator[Operations]:
            assert node is not None
            node.calls.append(("open", flags, mutating))
            with node:
                yield node

        extra["obj"] = CliContext(open_operations=opener)
    with CliRunner().isolation(input=typed) as (out, err, _):
        code = main(words, **extra)
        return Outcome(code, out.getvalue().decode(), err.getvalue().decode())


def all_commands() -> Iterator[tuple[str, click.Command]]:
    """Every command and group with its name on the line."""
    yield from _commands_of(cli, "")


def _commands_of(group: click.Group, before: str) -> Iterator[tuple[str, click.Command]]:
    ctx = click.Context(group)
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None
        yield before + name, command
        if isinstance(command, click.Group):
            yield from _commands_of(command, f"{before}{name} ")
