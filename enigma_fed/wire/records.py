"""The typed records of membership: peers, tombstones, invites, joins that wait.

What the federation's JSON files hold once read (docs/FILES.md). Times are integer Unix
seconds; tokens appear only as their SHA-256 (32 bytes).
"""

from __future__ import annotations

import enum

import msgspec

from enigma_fed.base.ids import Did, OnionAddress
from enigma_fed.wire.snapshot import Snapshot
from enigma_fed.wire.state import FullState
from enigma_fed.wire.windows import Window


class TrustLevel(enum.StrEnum):
    """What a peer may do here (PROTOCOL section 4, "Rights")."""

    TRUSTED = "trusted"
    OBSERVER = "observer"
    UNTRUSTED = "untrusted"

    def __init__(self, word: str) -> None:
        self.rank = ("untrusted", "observer", "trusted").index(word)
        """0 for untrusted, 1 for observer, 2 for trusted."""


class Stage(enum.StrEnum):
    """How far a join has come; the first six on the inviter's side, the others on the joiner's."""

    CREATED = "created"
    USED = "used"
    CONFIRMED = "confirmed"
    EXPIRED = "expired"
    REVOKED = "revoked"
    ACCEPTED_HERE = "accepted-here"
    ANNOUNCED = "announced"
    CONFIRMED_BOTH = "confirmed-both"
    AWAITING_APPROVAL = "awaiting-approval"
    REFUSED = "refused"


class Ending(enum.StrEnum):
    """Why an invite that was accepted here is over without a membership (`ended_by` in invites.json)."""

    REFUSAL = "refusal"
    """The inviter refused for good."""
    TIME = "time"
    """It could not be delivered in time."""
    NEWER_INVITE = "newer-invite"
    """A newer invite of the same node was accepted here."""
    REMOVAL = "removal"
    """The peer was removed here."""


class Role(enum.StrEnum):
    """Which side of the join this node was."""

    INVITER = "inviter"
    JOINER = "joiner"


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A peer of this node, an entry of `nodes` in nodes.json."""

    did: Did
    onion: OnionAddress
    trust_level: TrustLevel
    added_at: int
    stage: Stage
    stage_at: int
    name: str | None = None
    """The name that the peer gives itself."""
    alias: str | None = None
    """The name that our owner gave it (`peer rename`); shown first."""
    joined_as: Role | None = None
    """Our role in the join; None for an entry of another agent's file."""
    joined_with: tuple[bytes, ...] = ()
    """Token hashes of the joins that made this entry: the commit record."""
    granted_trust: TrustLevel | None = None
    """What we have at the peer, by its own signed word."""
    last_seen: int | None = None
    last_state: Snapshot | None = None
    last_error: str | None = None
    last_error_at: int | None = None
    paused: bool = False
    they_forgot_us: bool = False
    legacy: bool = False
    """The owner lets it ask for our state with the old header set (PROTOCOL section 1.6)."""
    offline_windows: tuple[Window, ...] = ()
    """When our owner expects it to be off (PROTOCOL section 8)."""

    @property
    def display_name(self) -> str:
        """The owner's name for it, else its own, else a shortened DID."""
        return self.alias or self.name or self.did.short

    @property
    def confirmed(self) -> bool:
        """Whether both sides are known to have agreed."""
        return self.stage in (Stage.CONFIRMED, Stage.CONFIRMED_BOTH)


class Tombstone(msgspec.Struct, frozen=True, kw_only=True):
    """A removed peer, an entry of `removed` in nodes.json."""

    did: Did
    removed_at: int
    joined_with: tuple[bytes, ...] = ()


class OutgoingInvite(msgspec.Struct, frozen=True, kw_only=True):
    """An invite made here, an entry of `outgoing` in invites.json."""

    code: str | None
    """None once used, expired or revoked."""
    did: Did
    """This node, as the code names it."""
    onion: OnionAddress
    token_hash: bytes
    created_at: int
    expires_at: int
    scope: TrustLevel
    stage: Stage
    stage_at: int
    for_did: Did | None = None
    """The only node that may join with it; None for whoever comes first."""
    legacy: bool = False
    """While it is open, a join without a token is kept for the owner to approve."""
    used_by: Did | None = None
    last_error: str | None = None
    last_error_at: int | None = None

    @property
    def id(self) -> str:
        """First 8 hex digits of the token's hash, for `invite revoke`."""
        return self.token_hash.hex()[:8]


class IncomingInvite(msgspec.Struct, frozen=True, kw_only=True):
    """An invite accepted here, an entry of `incoming` in invites.json: the join outbox."""

    code: str | None
    """None once answered for good."""
    did: Did
    onion: OnionAddress
    name: str | None
    token_hash: bytes
    created_at: int
    """When it was accepted here."""
    expires_at: int
    """The code's own expiry."""
    trust_level: TrustLevel
    """What the inviter gets here."""
    stage: Stage
    stage_at: int
    attempts: int = 0
    ended_by: Ending | None = None
    """Why it is over; None while it is not, and once it made a membership."""
    last_error: str | None = None
    last_error_at: int | None = None

    @property
    def id(self) -> str:
        """First 8 hex digits of the token's hash."""
        return self.token_hash.hex()[:8]


class PendingJoin(msgspec.Struct, frozen=True, kw_only=True):
    """A join that needs the owner's word, an entry of `pending` in invites.json."""

    did: Did
    onion: OnionAddress
    name: str | None
    token_hash: bytes | None
    """None when it came without a token."""
    scope: TrustLevel
    received_at: int
    expires_at: int
    """When it is forgotten."""
    late: bool = True
    """Whether it came with an expired code; else it came without a token."""


class NodesFile(msgspec.Struct, frozen=True, kw_only=True):
    """The content of nodes.json."""

    nodes: tuple[Node, ...] = ()
    removed: tuple[Tombstone, ...] = ()
    invalid: tuple[str, ...] = ()
    """Entries that are not valid here, as their raw JSON text: kept, shown, never dialled."""

    def find(self, did: Did) -> Node | None:
        """The member with this DID."""
        return next((node for node in self.nodes if node.did == did), None)

    def tombstone(self, did: Did) -> Tombstone | None:
        """The tombstone of this DID."""
        return next((entry for entry in self.removed if entry.did == did), None)


class InvitesFile(msgspec.Struct, frozen=True, kw_only=True):
    """The content of invites.json."""

    outgoing: tuple[OutgoingInvite, ...] = ()
    incoming: tuple[IncomingInvite, ...] = ()
    pending: tuple[PendingJoin, ...] = ()
    invalid: tuple[str, ...] = ()


class Membership(msgspec.Struct, frozen=True):
    """Both files as one value: what the join rules decide on."""

    nodes: NodesFile = NodesFile()
    invites: InvitesFile = InvitesFile()


class Via(enum.StrEnum):
    """How the newest state of a peer came."""

    POLL = "poll"
    STREAM = "stream"


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """What polling learned of one peer, an entry of state.json; may be lost."""

    did: Did
    last_seen: int | None = None
    """Our receive time of the newest valid signed message."""
    state: FullState | None = None
    latency_ms: float | None = None
    """Round trip of the newest successful poll."""
    skew_s: int | None = None
    """The peer's clock less ours, by its signed replies."""
    failures: int = 0
    """Polls that failed in a row."""
    last_error: str | None = None
    last_error_at: int | None = None
    next_poll_at: int | None = None
    """When a peer whose polls fail is polled next: a restart keeps to it."""
    away: tuple[Window, ...] = ()
    """When the peer itself announces to be off, each day, in minutes of UTC (PROTOCOL section 8)."""
    via: Via | None = None
    """How `state` came."""
    stream_failures: int = 0
    """Streams of it that failed in a row."""
