"""Limits of the identity registry, in the same form as those in limits.py."""

from __future__ import annotations

from typing import Final

# The registry's client
CLIENT_CALL_TIMEOUT: Final = 30
"""One request to a registry that is not an onion; through Tor it is `CALL_TIMEOUT`."""
CLIENT_CONNECT_TIMEOUT: Final = 10
"""A connection to a registry that is not an onion."""
CLIENT_TRIES: Final = 4
"""Requests for one answer, when the registry is busy or the connection breaks."""
CLIENT_WAIT: Final = 30
"""Pauses that a registry may ask for (`Retry-After`), all of one command together: a person waits."""
CLIENT_POW_ROUNDS: Final = 2
"""Challenges that are solved for one answer: a registry that always has another gets no more work."""
CLIENT_POW_DIFFICULTY: Final = 30
"""Bits of a challenge that are tried: what a registry can ask for at most; a thousand million tries."""
CLIENT_POW_SECONDS: Final = 60
"""Time for one challenge, unless --pow-seconds says otherwise: the machine's cores are busy that long."""
CLIENT_POW_PROCESSES: Final = 8
"""Processes that look for one solution."""
KNOWN_IDENTITIES: Final = 10_000
"""Identities whose keys are remembered; beyond that the one seen longest ago is forgotten."""
OWN_IDENTITIES: Final = 1_000
"""Identities of this node's owner: a listing reads all their files."""
FORMER_KEYS: Final = 16
"""Sets of keys that an own identity had before: an old message may need them."""
OWN_REGISTRIES: Final = 64
"""Registries at which an own identity is noted as registered, and registries with a name of their own."""

# Registry: bodies and what is in them.
RESOLVE_BYTES: Final = 4 * 1024
"""Body of `/resolve`: memory and time per request of a stranger."""
REGISTER_BYTES: Final = 64 * 1024
"""Body of `/register`: memory and time per request of a stranger."""
ANNOUNCE_BYTES: Final = 4 * 1024
"""Body of `/announce`: memory and time per request of a stranger."""
SYNC_BYTES: Final = 64 * 1024
"""Body of `/sync`, which peers alone may send: memory and time on the event loop."""
SYNC_IDENTITIES: Final = 64
"""Identities in one `/sync`: each costs a check of a signature on the event loop."""
NODES_BYTES: Final = 64 * 1024
"""Body of `POST /nodes`: memory and time per request."""
NODES_IN_A_BODY: Final = 128
"""Node URLs in one `POST /nodes`: time per request."""
NODE_URL_BYTES: Final = 256
"""A node's `base_url`, spaces around it included: size of the node list."""
IDENTITY_BYTES: Final = 32 * 1024
"""A public identity as compact JSON: size of a stored record and of an answer."""
REGISTRY_VALUES: Final = 1024
"""Values in one body of a stranger, counted before any is made: time on the event loop. Real ones have 20."""
IDENTITY_VALUES: Final = 8192
"""Values in one identity, each byte of its keys is one: time on the event loop. Real ones have 900."""
USER_NAME_BYTES: Final = 64
"""A user's name in UTF-8, trimmed: what its id is made from, the same in every registry."""
ADDRESS_BYTES: Final = 256
"""`addr` of an announcement, spaces around it included: memory of the table of presences."""
POW_HEADER_CHARACTERS: Final = 256
"""Header `x-enigma-pow`: memory of the table of used solutions."""
CHANGE_BYTES: Final = REGISTER_BYTES
"""Body of `/v1/change`: memory and time per request."""
CHANGE_WINDOW: Final = 24 * 3600
"""Largest |now - created| of an owner's statement: how long one that was held back is of use."""
LOG_BYTES: Final = 1024 * 1024
"""A log of key changes, on the calling side: memory of a command."""
REGISTRY_REPLY_BYTES: Final = 2 * 1024 * 1024
"""Reply of a registry, on the calling side: memory of a command."""


# Registry: who may ask how often.
FORWARDED_HOPS: Final = 16
"""Addresses read from `X-Forwarded-For`, from the right: time per request."""
CLIENTS: Final = 16_384
"""Clients with an account of their own in the limiter: memory, about 0.5 KB each."""
CLIENT_LOOKS: Final = 8
"""Accounts looked at for one that can be forgotten, for one newcomer: time on the event loop."""
NEWCOMERS_RATE: Final = 100
"""Requests per second of all who find no room for an account of their own, together."""
NEWCOMERS_BURST: Final = 200
"""Requests at once of all who find no room for an account of their own."""
REFUSALS_BEFORE_BAN: Final = 20
"""Refusals that a client may go on through before it is turned away: repeated abuse, not haste."""
REFUSALS_MEMORY: Final = 60
"""Seconds in which so many refusals are forgotten again, one by one."""
SHARED_CLIENTS: Final = 20
"""Clients' worth of rates for all callers whom nothing tells apart: an onion behind another's tor."""

# Registry: proof of work.
POW_USED: Final = 65_536
"""Solved challenges that are remembered until they expire: memory, 0.3 KB each."""
POW_TRIES: Final = 8
"""Requests with one solved challenge, the first included: it can go past a limit; clients repeat thrice."""
POW_FORGOTTEN: Final = 4
"""Expired ones forgotten with each new one: time on the event loop."""
POW_DIFFICULTY_MAX: Final = 30
"""Leading zero bits that are ever asked for: a thousand million tries."""
POW_RISE: Final = 4
"""Bits that load adds at most: a client of old gives up after 1.5 s, and 18 + 4 bits take about one."""
POW_EASY_RATE: Final = 20
"""Solved requests per second at the base price; each doubling of it adds a bit."""
POW_RATE_WINDOW: Final = 10
"""Seconds over which that rate is measured."""

# Registry: presence.
PRESENCES: Final = 65_536
"""Presences that are kept: memory, at most 0.7 KB each."""
PRESENCES_PER_CLIENT: Final = 1024
"""Users whom one client may announce at a time: nobody fills the table alone."""
PRESENCES_A_STEP: Final = 512
"""Presences looked at in one step of the clearing: time on the event loop."""
PRESENCE_AHEAD: Final = 60
"""How far ahead of our clock a signed announcement may be dated."""

# Registry: other nodes.
NODE_PROBE_INTERVAL: Final = 3600
"""Between two looks at a node of the list."""
NODE_UNREACHABLE: Final = 7 * 24 * 3600
"""How long a node may be unreachable before it is taken off the list."""
NODE_FAILURES: Final = 8
"""Looks that must have failed in that time: a machine that slept is no reason to forget others."""
NODE_PROBE_PAUSE: Final = 60
"""Seconds between two rounds of looks."""
NODE_PROBE_TIMEOUT: Final = 10
"""Seconds for one look: connections of our own that wait."""
NODE_PROBES_DUE: Final = 16
"""Nodes looked at in one round: our own connections."""

# Registry: TLS and the files of a running server.
TLS_HANDSHAKES: Final = 128
"""Handshakes under way at once: memory before a connection counts; the oldest ends for a new one."""
TLS_HANDSHAKE_TIMEOUT: Final = 10
"""Seconds from a connection until its handshake is done."""
TLS_SHUTDOWN_TIMEOUT: Final = 2
"""Seconds that a connection waits for the other side's last word."""
CERTIFICATE_NOTICE_DAYS: Final = 14
"""Days before its certificate expires from which a registry warns."""
REGISTRY_FILES_INTERVAL: Final = 5
"""Seconds between two looks whether configuration, secrets or certificates of a running registry changed."""
REGISTRY_RETRY: Final = 60
"""Seconds between two tries of an agent to open its registry, or to have its port, after one that failed."""

# Registry: what is kept.
IDENTITIES: Final = 4_000_000
"""Handles that are taken: memory (24 bytes each), disk, and the time in which a start looks through it."""
STORE_BYTES: Final = 16 * 1024**3
"""Database of a registry, from which on no new handle is taken: disk."""
STORE_MEMORY_BYTES: Final = 256 * 1024**2
"""Identities of a registry that keeps them in memory: memory."""
LOG_ENTRIES: Final = 256
"""Changes of one identity, the last of them a revocation: time of an answer, disk."""
LOG_KEPT_BYTES: Final = 256 * 1024
"""Changes of one identity in bytes, from which on only a revocation is taken: size of an answer, disk."""
NODES_KEPT: Final = 65_536
"""Node URLs in the list, whatever `max_nodes` says: memory."""

# Registry: who is connected, and who signs.
CONNECTIONS: Final = 512
"""Connections of one listener: file descriptors and memory."""
CONNECTIONS_PER_CLIENT: Final = 32
"""Connections from one address, this machine's own and a proxy's apart: nobody fills a listener alone."""
PEER_CLOCK_AHEAD: Final = 5
"""Seconds that a peer's clock may be ahead of ours, and so the first ones in which a registry that just
started takes no peer's word: what was signed before could be played again, its nonce forgotten."""
PEER_BUSY_PAUSE: Final = 60
"""Seconds after which a peer that used up its share of nonces is told to come back."""
