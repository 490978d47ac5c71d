"""What commands and the control socket show: flat values under the files' own field names.

Every field is a JSON type, so one value serves `--json`, the control socket and the tables.
Times are RFC 3339 text in UTC.
"""

from __future__ import annotations

import msgspec


class View(msgspec.Struct, frozen=True, kw_only=True):
    """Base of every view."""


class AppView(View, frozen=True, kw_only=True):
    """An app of a node."""

    id: str
    status: str
    version: str | None = None


class SnapshotView(View, frozen=True, kw_only=True):
    """The state object of the wire, `timestamp` included."""

    timestamp: str
    node_name: str | None = None
    apps: list[AppView] = []
    cpu_usage_percent: float | None = None
    mem_used_bytes: int | None = None
    mem_total_bytes: int | None = None
    disk_used_bytes: int | None = None
    disk_total_bytes: int | None = None
    uptime_secs: int | None = None
    tor_active: bool | None = None


class NodeView(View, frozen=True, kw_only=True):
    """This node: `enigma-fed id`."""

    did: str
    pubkey: str
    onion: str
    name: str
    fingerprint: str
    data_dir: str
    public_onion: str | None = None
    """The onion address for strangers; null before the first service that is published on it."""


class PeerView(View, frozen=True, kw_only=True):
    """A peer: `peer list`, `peer show`."""

    did: str
    pubkey: str
    onion: str
    name: str | None
    name_like: str | None = None
    """Who else has a name like the one that it is shown under: this-node, alias (a peer that our owner called
    so) or peer; None for nobody."""
    alias: str | None
    trust_level: str
    added_at: str
    stage: str
    stage_at: str
    last_seen: str | None = None
    last_state: SnapshotView | None = None
    joined_as: str | None = None
    granted_trust: str | None = None
    last_error: str | None = None
    last_error_at: str | None = None
    paused: bool = False
    they_forgot_us: bool = False
    legacy: bool = False
    """It may ask for our state with the old header set, by the owner's wish."""
    liveness: str = "unknown"
    """up, late, offline, offline-expected or unknown (PROTOCOL section 8)."""
    liveness_reason: str = ""
    """Why, in plain words: "heard 12 s ago"; with an agent that runs also when it is tried again."""
    next_poll_at: str | None = None
    """When it is polled next; None while it is not polled, or right now."""
    offline_windows: list[str] = []
    """When our owner expects it to be off, as 23:00-07:00 in this machine's time."""
    announced_windows: list[str] = []
    """When it announces to be off, as 23:00-07:00 in this machine's time."""
    age_s: float | None = None
    """Age of the newest state here, in seconds."""
    stream_since: str | None = None
    """Since when it pushes its states on a stream; None while there is none."""
    state_old: bool = False
    """Whether the state shown is older than it should be: nothing newer came, or what came was refused."""
    state_refused: str | None = None
    """Why the newest state that came was refused: wrong-base, lower-seq, bad-signature, …; the last good one
    is shown."""
    via: str | None = None
    """How it came: `stream`, pushed by the peer, or `poll`, asked for."""
    latency_ms: float | None = None
    bytes_in: int | None = None
    """Bytes from it within the last 24 hours, since the agent's start at most; None without an agent."""
    bytes_out: int | None = None
    """Bytes to it, likewise."""
    skew_s: int | None = None
    """Its clock less ours, by its newest signed reply."""
    invalid: str | None = None
    """Raw JSON text of an entry that is not valid here; then every other field may be empty."""


class InviteView(View, frozen=True, kw_only=True):
    """An invite, either way: `invite list`, and `invite create` with its `code`."""

    code: str | None
    did: str
    onion: str
    pubkey: str
    created_at: str
    accepted: bool
    id: str
    direction: str
    """outgoing, incoming or pending."""
    stage: str
    stage_at: str
    expires_at: str
    scope: str | None = None
    """Outgoing: what the joiner gets here."""
    trust_level: str | None = None
    """Incoming: what the inviter gets here."""
    for_did: str | None = msgspec.field(default=None, name="for")
    """Outgoing: the only node that may join with it."""
    legacy: bool = False
    """Outgoing: while it is open, a join without a token waits for the owner."""
    late: bool | None = None
    """Pending: whether it came with an expired code; else without a token."""
    ended_by: str | None = None
    """Incoming: why it is over without a membership."""
    name: str | None = None
    name_like: str | None = None
    """Who else has a name like this one, as of a peer."""
    used_by: str | None = None
    last_error: str | None = None
    last_error_at: str | None = None
    invalid: str | None = None
    """Raw JSON text of an entry that is not valid here; then every other field is empty."""


class InvalidView(View, frozen=True, kw_only=True):
    """An entry of a file that is not valid here: `doctor --drop-invalid`."""

    file: str
    """nodes.json or invites.json."""
    text: str
    """Its JSON text; one of invites.json may hold a code."""


class InvitePreview(View, frozen=True, kw_only=True):
    """What a code says, before anything is done with it: `invite inspect`."""

    did: str
    fingerprint: str
    pubkey: str
    onion: str
    id: str
    signed: bool
    expired: bool
    scope: str
    name: str | None = None
    for_did: str | None = msgspec.field(default=None, name="for")
    """The only node that may join with it."""
    issued_at: str | None = None
    expires_at: str | None = None
    lan: list[str] = []


class TorView(View, frozen=True, kw_only=True):
    """How far Tor is."""

    mode: str
    """managed, system, socks or off."""
    phase: str
    """off, starting, bootstrapping, publishing, probing, ready, failed."""
    percent: int = 0
    tag: str = ""
    summary: str = ""
    reason: str = ""
    """Why it does not get on, in plain words; empty when nothing is wrong."""
    version: str = ""
    pid: int | None = None
    restarts: int = 0
    chosen: str = ""
    """Why it is this mode."""
    pow: bool | None = None
    """Whether callers must prove work while too many come; null when nobody can tell."""
    repairs: int = 0
    last_repair: str = ""


class PublicOnionView(View, frozen=True, kw_only=True):
    """The onion for strangers, and the services on it."""

    onion: str
    ports: dict[str, int]
    """Service to the port that strangers call."""
    targets: dict[str, str] = {}
    """Service to the socket or loopback port that tor leads its callers to."""
    phase: str
    """off, publishing, ready, silent."""
    reason: str = ""
    """Why it does not get on, in plain words; empty when nothing is wrong."""
    repairs: int = 0
    last_repair: str = ""


class RegistryView(View, frozen=True, kw_only=True):
    """The identity registry that this node hosts."""

    running: bool
    did: str | None = None
    """The registry's own; never this node's."""
    listen: str | None = None
    """Where it listens by TCP."""
    tls: bool = False
    identities: int | None = None
    trouble: str = ""
    """Why it does not run although it should, with the next step; empty otherwise."""
    warnings: list[str] = []
    """What its owner should know of its settings."""


class StatusView(View, frozen=True, kw_only=True):
    """`enigma-fed status`."""

    node: NodeView
    running: bool
    version: str = ""
    """The version of enigma-fed that the agent runs."""
    pid: int | None = None
    uptime_s: float | None = None
    epoch: str | None = None
    listen: str | None = None
    admin: str | None = None
    """Where health and metrics are served."""
    admin_listen: str | None = None
    """What the setting admin.listen of the running agent says; empty for none."""
    config: str | None = None
    """The configuration file of the running agent; empty when it has none."""
    offline_windows: list[str] = []
    """When this node announces to be off, as 23:00-07:00 in this machine's time; empty without an agent."""
    tor: TorView | None = None
    limited_by: list[str] = []
    """By what callers are told apart for limits before they proved who they are: circuit, key, listener."""
    public: PublicOnionView | None = None
    """The onion for strangers; null while no service is published on it."""
    registry: RegistryView | None = None
    """The identity registry; null when this node hosts none."""
    state: SnapshotView | None = None
    peers: dict[str, int] = {}
    """Count of peers by liveness; `paused`, `refused` and `invalid` ones by these words instead."""
    streams: int = 0
    """Peers that push their states on a stream."""
    states_old: int = 0
    """Peers of which an old state is shown."""
    states_refused: int = 0
    """Peers whose newest state was refused."""
    invites_open: int = 0
    joins_waiting: int = 0
    clock_synchronised: bool | None = None
    clock_behind: bool | None = None
    """Whether the clock is before a time that this node wrote down."""
    another_copy: bool = False
    """Whether another copy of this node answered at our onion."""
    challenge_all: bool | None = None
    """Whether every caller is asked for a challenge right now."""
    suspended: list[str] = []
    """Why joins and installs are suspended: recovered, another-copy (PROTOCOL section 5)."""
    warnings: list[str] = []
    next_steps: list[str] = []


class Finding(View, frozen=True, kw_only=True):
    """One line of `enigma-fed doctor`."""

    check: str
    result: str
    """ok, warning or failure."""
    detail: str
    why: str = ""
    """Why it matters; empty when all is well."""
    fix: str = ""
    """What to do, most often a command."""


class RecoveryView(View, frozen=True, kw_only=True):
    """A damaged file whose copy is used until the owner accepts it: `doctor --accept-recovered`."""

    file: str
    why: str
    """What is wrong with the damaged one."""
    rev: int
    """The copy's own."""
    newest: str
    """The newest time that stands in what was recovered."""
    kept_as: str | None = None
    """Name of the damaged file now; None for a missing one, or before its copy took its place."""
    recovered_at: str | None = None
    """When its copy took its place; None while only commands read it."""
    peers: int = 0
    """Peers in what was recovered, and so on."""
    removed: int = 0
    invites_open: int = 0
    joins_open: int = 0


class PingView(View, frozen=True, kw_only=True):
    """`enigma-fed peer ping`."""

    did: str
    name: str
    latency_ms: float
    skew_s: int | None = None
