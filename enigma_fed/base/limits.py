"""Every size, time-out, lifetime and count limit, with what it protects.

Sizes are bytes, times are seconds unless the name says otherwise.
"""

from __future__ import annotations

from typing import Final

# Formats: a decoder refuses before it allocates.
REQUEST_BYTES: Final = 64 * 1024
"""Body of one RPC request: memory per connection."""
REPLY_BYTES: Final = 256 * 1024
"""Body of one signed RPC reply, on the calling side: memory per poll. The largest state takes 210 KB."""
INVITE_BYTES: Final = 8 * 1024
"""Decoded invite code: memory of a paste."""
JSON_DEPTH: Final = 16
"""Nesting of JSON from outside: the parser's stack."""
CBOR_DEPTH: Final = 8
"""Nesting of CBOR from outside: the parser's stack."""
INTEGER_MAX: Final = 2**53 - 1
"""Largest integer on the wire: what every JSON reader keeps exactly."""
NODE_NAME_BYTES: Final = 64
"""A node's name in UTF-8: tables and state size."""
NAME_MARKS: Final = 4
"""Accents and the like on one letter of a name: more would be drawn over other lines."""
APPS_PER_STATE: Final = 512
"""Apps in one state: size of a stored peer."""
APP_FIELD_BYTES: Final = 128
"""An app's id, status or version: size of a stored peer."""
LAN_ADDRESSES: Final = 8
"""`lan` entries of an invite or a join: dial attempts."""
HEADER_BYTES: Final = 8 * 1024
"""One header line of a request: memory per connection."""

HEAD_BYTES: Final = 16 * 1024
"""The whole head of a request, and what else comes before it is complete: memory per connection."""
MESSAGE_BYTES: Final = 2 * REQUEST_BYTES
"""What is received for one body, with the lengths and extensions of its chunks: time on the event loop."""
MESSAGE_LINES: Final = 8192
"""Line ends received for one body: chunks have two each, and take time on the event loop each."""

# Signed requests (PROTOCOL section 1).
SIGNATURE_LIFETIME: Final = 60
"""Largest `expires - created`: how long a captured request could be played."""
FRESHNESS_WINDOW: Final = 60
"""Largest |now - created|: clock skew accepted without a challenge."""
NONCE_MEMORY: Final = 121
"""How long a nonce is remembered after max(now, created): outlives both windows above."""
NONCES_PER_KEY: Final = 512
"""Remembered nonces of one key: one peer cannot fill the table."""
NONCES_IN_ALL: Final = 65536
"""Remembered nonces in all: memory of the replay table, at most 550 bytes each, 36 MB."""
NONCES_FORGOTTEN: Final = 256
"""Nonces that one request forgets at most: time on the event loop when many end at once."""
NONCE_CHARACTERS_MIN: Final = 16
"""Shortest nonce: the chance that two callers make the same."""
NONCE_CHARACTERS_MAX: Final = 64
"""Longest nonce: memory of the replay table."""
CHALLENGE_CHARACTERS: Final = 128
"""Longest challenge: header size."""
CHALLENGE_LIFETIME: Final = 30
"""How long a challenge can be answered: replay window of the challenge path."""
CHALLENGE_AFTER_START: Final = 180
"""Challenge everyone this long after a start: the replay table of before is gone (invariant 1)."""
CHALLENGE_AFTER_STEP: Final = 180
"""Challenge everyone this long after the wall clock was set, and, when it was set back, until it is this far
past the newest time that it has shown: what was forgotten would be fresh again, up to 60 + 60 s past it."""
CLOCK_STEP: Final = 2.0
"""Smallest jump of the wall clock against CLOCK_BOOTTIME that counts: more than a leap second, and far less
than the 61 s by which NONCE_MEMORY outlives the window."""
CLOCK_SLEW: Final = 500e-6
"""How fast a clock may be slewed (the kernel's 500 ppm) without a step."""
CLOCK_LOOK: Final = 30
"""How often the wall clock is compared when nobody calls."""
SKEW_TOLD: Final = FRESHNESS_WINDOW // 2
"""Seconds between a peer's clock and ours beyond which owners are told, before every call costs a second
round trip."""

# Joining (PROTOCOL section 4).
INVITE_TTL_DEFAULT: Final = 24 * 3600
"""How long an invite is open if its maker says nothing, or its code says no end."""
INVITE_TTL_MIN: Final = 60
"""Shortest life of an invite: clocks differ by as much."""
INVITE_TTL_MAX: Final = 30 * 24 * 3600
"""Longest life of an invite: how long a code that was found lets in."""
OPEN_INVITES: Final = 64
"""Invites that are open at once: size of invites.json."""
INVITES_KEPT: Final = 512
"""Ended invites kept for the owner to read: size of invites.json."""
OUTBOX_AFTER_EXPIRY: Final = 24 * 3600
"""A join is retried this long after its code expired."""
AWAITING_AFTER_EXPIRY: Final = 30 * 24 * 3600
"""A join that waits for the other owner is retried, slowly, this long after its code expired."""
FORGOTTEN_HASHES: Final = 64
"""Token hashes of one peer whose invites invites.json no longer has: size of nodes.json."""
JOIN_TRIES_UNKNOWN: Final = 20
"""Joins with unknown tokens per minute on one listener: guessing and CPU."""
PENDING_JOINS: Final = 16
"""Late joins that wait for the owner, and as many again without a token: size of invites.json."""
STATES_BYTES: Final = 96 * 1024 * 1024
"""States of all members together, weighed generously: memory, and size of nodes.json, which is read back."""
PEERS: Final = 5000
"""Peers of one node: size of nodes.json."""
TOMBSTONES: Final = 10000
"""Removed peers remembered: size of nodes.json (150 bytes each)."""

# Polling and liveness (PROTOCOL sections 4 and 8).
POLL_INTERVAL: Final = 60
"""Polls of one peer, if the owner says nothing: load and freshness."""
POLL_INTERVAL_MIN: Final = 5
"""Polls of one peer, as often as the owner may ask for: load of the peer."""
POLL_INTERVAL_UNPROVEN: Final = 3600
"""Polls of a joiner that never answered: its onion is only a claim."""
POLL_BACKOFF_FIRST: Final = 15
"""Pause after the first failed poll: load of a peer in trouble."""
POLL_BACKOFF_MAX: Final = 3600
"""Longest pause between polls that fail: how late a peer that came back is noticed."""
OFFLINE_WINDOWS: Final = 4
"""Daily windows in which one peer is expected to be off, and which one node announces: size of its entry."""
AWAY_MINUTES: Final = 20 * 60
"""Minutes of a day that the announced windows of one node hold together: else it would never be missed."""
RENAME_INTERVAL: Final = 600
"""A peer's new name is taken over this often at most: each time nodes.json is written."""
POLLS_IN_FLIGHT: Final = 64
"""Outgoing polls and joins at once: circuits and memory of replies."""
POLLS_OF_SILENT: Final = 16
"""How many of them are with peers that did not answer last time: the others' turn comes at once."""
HEARD_RECENTLY: Final = 24 * 3600
"""A confirmed peer heard within this time needs no new invite (`invite accept` says so)."""
OBSERVATIONS_FLUSH: Final = 30
"""What polling learned is written at most this often: wear of the disk."""
JOIN_BACKOFF_FIRST: Final = 2
"""Pause after the first failed try of a join: somebody waits for it."""
JOIN_BACKOFF_MAX: Final = 900
"""Longest pause between tries of a join: how late an inviter that came back is noticed."""
JOIN_SLOW_RETRY: Final = 1800
"""Retries while the other owner has to approve."""
STATE_SAMPLE_INTERVAL: Final = 10
"""Gauges are sampled at most this often, while somebody asks or streams."""
STATE_GAP: Final = 1.0
"""Two states of one's own are at least this far apart: a flapping tor or app costs no signatures."""
STATES_REMEMBERED: Final = 64
"""Own states that a delta can be made from: memory."""

# Streams of states (PROTOCOL section 3): both sides, then the publisher's.
STREAMS_OUTBOUND: Final = 128
"""Streams that we hold open, if the owner says nothing: circuits, file descriptors and memory."""
STREAMS_OUTBOUND_MAX: Final = 256
"""Streams that the owner may ask for: the rest of CONNECTIONS_OUTBOUND is for polls and joins."""
STREAM_LIFE: Final = 3600
"""How long one stream lasts: trust and keys are looked at anew."""
STREAM_PING: Final = 30
"""A subscriber asks for a sign of life at least this often."""
STREAM_SILENCE: Final = 90
"""A stream on which nothing came for this long is over: a connection can die without a word."""
STREAM_MESSAGES: Final = 2
"""Messages per second that one stream may bring in the long run: time on the event loop."""
STREAM_MESSAGES_BURST: Final = 32
"""Messages that one stream may bring at once."""
STREAM_BYTES: Final = 32 * 1024
"""Bytes of frames per second that one stream may bring in the long run: a large state takes milliseconds
on the event loop, and many streams can stand."""
STREAM_BYTES_BURST: Final = 2 * REPLY_BYTES
"""Bytes of frames that one stream may bring at once."""
STREAM_SETTLED: Final = 60
"""A stream that lasted this long counts as a success: one that breaks at once is tried ever more rarely."""
STREAM_SPREAD: Final = 5
"""Time over which peers that answered open their streams: load of a publisher that starts anew."""
STREAM_POLL_INTERVAL: Final = 3600
"""Polls of a peer whose stream stands: that it still answers them."""
STREAM_ASKED_AGAIN: Final = 6 * 3600
"""A peer that offers no stream is asked again after this time, if it was not started anew: load."""
STREAM_MESSAGE_BYTES: Final = 64
"""One message of a subscriber: memory per stream; an acknowledgement takes 11."""
STREAMS_INBOUND: Final = 128
"""Streams that peers have from this node at once: memory, and time on the event loop per new state."""
STREAM_WINDOW: Final = 8
"""Frames of one stream that are not acknowledged: memory of a connection that carries slowly."""
STREAM_SLOW: Final = 30
"""A frame that is not acknowledged for this long ends its stream: memory; the subscriber polls instead."""

# Connections.
CONNECT_TIMEOUT: Final = 60
"""A first circuit to an onion service can take this long."""
CALL_TIMEOUT: Final = 90
"""One RPC call, connection included."""
READ_TIMEOUT: Final = 30
"""A peer that sends nothing for this long in the middle of a message is cut."""
WRITE_TIMEOUT: Final = 60
"""Whoever does not read its replies for this long is cut: memory of what waits to be sent."""
DRAIN_TIMEOUT: Final = 2
"""Answers under way have this long to end when the agent stops."""
KEEPALIVE: Final = 150
"""Idle connections are kept a little longer than two polls: a warm call skips the SOCKS handshake."""
CONNECTIONS_INBOUND: Final = 256
"""Connections on one listener that no member proved itself on: file descriptors and memory."""
CONNECTIONS_OF_MEMBERS: Final = 256
"""Connections on one listener that members use, apart from those; the longest unused ends for a new one."""
CONNECTIONS_PER_KEY: Final = 8
"""Connections of one member: it cannot take the places of all the others. Our own client opens 4."""
CONNECTIONS_PER_CIRCUIT: Final = 16
"""Connections by one circuit to our onion: filling a listener takes as many circuits as it can get."""
REQUESTS_PER_CIRCUIT: Final = 10
"""Requests per second by one circuit in the long run: time on the event loop."""
REQUESTS_PER_CIRCUIT_BURST: Final = 50
"""Requests at once by one circuit, before that."""
FAILED_TRIES_PER_CIRCUIT: Final = 20
"""Requests by one circuit that no member's signature holds for, at once and per minute: guessing and CPU."""
CIRCUITS: Final = 1024
"""Circuits whose requests are counted: memory; as many can have a connection here."""
REQUESTS_IN_FLIGHT: Final = 64
"""Requests handled at once on one listener: memory of bodies."""
CONTROL_LINE_BYTES: Final = 1024 * 1024
"""One message to the control socket: memory of the agent."""
CONTROL_REPLY_BYTES: Final = 256 * 1024 * 1024
"""One answer of the own agent: memory of a command; a list of all peers is the largest."""
CONTROL_CONNECTIONS: Final = 16
"""Control connections at once."""
CONTROL_IDLE_TIMEOUT: Final = 30
"""A control connection that sends no whole line for this long is closed."""
WATCH_INTERVAL: Final = 2
"""A command that watches asks the agent this often, if the owner says nothing."""
WATCH_INTERVAL_MIN: Final = 1
"""As often as the owner may have it ask: load of the agent."""
CONTROL_ANSWER_TIMEOUT: Final = 600
"""A command waits this long for the agent's answer: `peer sync` of many peers takes the longest."""
CONTROL_READ_TIMEOUT: Final = 15
"""A command that only reads waits this long: the agent answers from memory, or it hangs."""
ADMIN_CONNECTIONS: Final = 16
"""Connections to the admin listener at once, the oldest ends for a new one: memory and file descriptors."""
ADMIN_PATIENCE: Final = 10
"""An answer of the admin listener that is not ready by then is given up: whoever watches must hear it."""
ADMIN_RETRY: Final = 60
"""Pause between two tries to have the port of the admin listener while another program has it."""
METRICS_PEERS: Final = 100
"""Peers with metrics of their own, the first that joined; all others are counted: size of a scrape."""
METRICS_FRESH: Final = 1.0
"""One reading of the metrics is given to everyone who asks within this time: work on the event loop."""
LOOP_LOOK: Final = 1.0
"""Pause between two looks at how late the event loop is: work on it."""
DISK_PATIENCE: Final = 2
"""A disk that does not say by then how much room it has is told as one that does not answer."""

# Storage.
STORE_FILE_BYTES: Final = 256 * 1024 * 1024
"""Largest JSON file that is read back: memory at start."""
DISK_LOW: Final = 256 * 1024 * 1024
"""Free space from which on the owner is told: changes cannot be written to a full disk."""
ANOTHER_COPY_MEMORY: Final = 24 * 3600
"""Joins and installs wait this long after another copy of this node was last heard."""
RECOVERY_MARKER_BYTES: Final = 64 * 1024
"""The marker of a recovered file: memory."""
FILES_SET_ASIDE: Final = 100
"""Damaged files of one name that are kept beside it: disk; more is a disk that fails."""
LOCK_WAIT: Final = 10.0
"""How long a command waits for another command."""
UNIX_PATH_BYTES: Final = 107
"""Longest path of a Unix socket (sun_path less its NUL)."""

# Tor.
TOR_START_TIMEOUT: Final = 60
"""Tor opens its control socket within this time or is started again."""
TOR_STOP_TIMEOUT: Final = 5
"""Tor ends within this time of being told to, or is killed."""
TOR_RESTART_FIRST: Final = 1
"""Pause before a tor that ended is started again, at first."""
TOR_RESTART_MAX: Final = 300
"""Longest such pause: load of a tor that cannot run."""
TOR_CONTROL_RETRY_MAX: Final = 30
"""Longest pause between two tries to reach the control port of a tor that is not ours."""
TOR_CONTROL_DEADLINE: Final = 20
"""Tor answers a control word within this time, or counts as hung."""
TOR_CONTROL_FIRST_BYTES: Final = 64 * 1024
"""What a control port may say before it has proved to be tor's: memory, since anybody may listen there."""
TOR_HEARTBEAT: Final = 15
"""How often tor is asked whether it still answers and has the onion."""
TOR_PROGRAM_PATIENCE: Final = 10
"""How long a tor program may take to say its version."""
ONION_REPAIR_FIRST: Final = 45
"""Time without an answer of the own onion before the first repair."""
ONION_REPAIR_MAX: Final = 3600
"""Time without an answer of the own onion before a repair: grows from the first to the second."""
SELF_PROBE_INTERVAL: Final = 300
"""How often the node reaches itself through Tor once it is ready."""
SELF_PROBE_TIMEOUT: Final = 60
"""One try of the node to reach itself: a first circuit can take this long."""
SELF_PROBE_FIRST: Final = 0.1
"""Pause between the first tries of the node to reach itself."""
SELF_PROBE_MAX: Final = 5
"""Pauses between tries until the node reached itself once: grow from the first to the second."""
TOR_STALL: Final = 60
"""Without progress for this long, the status says so even when tor gives no reason."""
TOR_LOCK_WAIT: Final = 30
"""How long a tor left over from a killed agent may take to end."""
TOR_LOG_BYTES: Final = 1024 * 1024
"""Tor's log file is set aside at a start once it is this large: disk."""
TOR_OUTPUT_BYTES: Final = 4096
"""What is kept of the last words of a tor that ends: memory."""
TORRC_EXTRA_BYTES: Final = 64 * 1024
"""Largest file of extra torrc lines."""
TOR_STREAMS_PER_CIRCUIT: Final = 32
"""Streams on one circuit to our onion: one caller cannot hold every inbound connection."""
TOR_POW_QUEUE_RATE: Final = 100
"""Introductions a second that tor hands on while callers must prove work: circuits and CPU of a flood."""
TOR_POW_QUEUE_BURST: Final = 400
"""Introductions at once before that rate counts."""
TOR_PASSWORD_BYTES: Final = 1024
"""The file with a control port's password: memory."""
CONNECTIONS_OUTBOUND: Final = 384
"""Calls under way and streams at once: file descriptors and circuits."""
CONNECTIONS_PER_PEER: Final = 4
"""Calls under way at once to one peer."""
PROXY_LINE_BYTES: Final = 107
"""Tor's first line on an inbound connection (PROXY protocol, version 1): memory per connection."""
PROXY_LINES_DUE: Final = 64
"""Inbound connections whose first line tor still owes: file descriptors; tor sends it at once."""
PROXY_LINE_TIMEOUT: Final = 10
"""Tor sends its first line at once."""

# What strangers, and peers that turned hostile, can make us read.
JOIN_REPLY_BYTES: Final = 16 * 1024
"""Body of the reply to a join, on the calling side: memory and decoding time."""
UNSIGNED_REPLY_BYTES: Final = 4 * 1024
"""Body of a reply that its signature does not hold for: an error fits, anything else is not decoded."""
STRANGER_REQUEST_BYTES: Final = 4 * 1024
"""Body of a request by a DID that is no member: decoding time before any signature; a join takes 1.5 KiB."""
BODY_ITEMS: Final = 8192
"""Values in one body, keys included: decoding time on the event loop; the largest state has 3600."""
STRANGER_ITEMS: Final = 256
"""Values in such a body, keys included: a join has 20."""
SIGNATURE_INPUT_BYTES: Final = 1024
"""The field `Signature-Input`: parsing time before any signature; ours takes 350 bytes."""
NONCES_PER_TOKEN: Final = 64
"""Remembered nonces of the joins with one token: made-up keys block only the token they come with."""
NONCES_OF_STRANGERS: Final = NONCES_IN_ALL // 2
"""Remembered nonces of all joins: the other half of the table is the members'."""
FAILURES_LOGGED: Final = 5
"""Tracebacks of failed requests that are logged at once, and per hour later on: the log's older lines."""

# Small things that would grow without a bound.
CONFIG_BYTES: Final = 256 * 1024
"""config.toml: memory at start."""
DIDS_CACHED: Final = 1024
"""Key ids whose check is remembered: memory, since anyone can name one."""
HEADERS: Final = 32
"""Header lines of one request: memory per connection."""
METHOD_CHARACTERS: Final = 128
"""A method's name: what an error can echo."""
CALL_ID_CHARACTERS: Final = 128
"""A call's id as text: what a reply echoes."""
SECRET_FILE_BYTES: Final = 64 * 1024
"""A key file: memory at start."""
ERROR_CHARACTERS: Final = 200
"""An error's text, parts of it a peer's, in stores and tables."""
LOG_FILE_BYTES: Final = 1024 * 1024
"""One file of the log: disk."""
LOG_FILES_KEPT: Final = 2
"""Old log files kept: disk."""
LOG_QUEUE_LINES: Final = 1000
"""Log lines that wait for a slow disk: memory."""
LOG_LINE_CHARACTERS: Final = 8 * 1024
"""One log line: disk."""

# SQLite databases.
DATABASE_BUSY_WAIT: Final = 5
"""How long a change waits for another program that has the database: nothing of ours does."""
DATABASE_WRITES_WAITING: Final = 4096
"""Changes of one database that wait for the disk: memory."""
DATABASE_LOG_BYTES: Final = 4 * 1024 * 1024
"""The log beside a database (-wal) is cut back to this once it was brought in: disk."""
DATABASES_SET_ASIDE: Final = 3
"""Damaged databases of one name that are kept, of those that may be lost: disk."""

# History of gauges.
HISTORY_INTERVAL: Final = 300
"""How often the history is written: wear of the disk. A short slot's length."""
HISTORY_SHORT_SLOTS: Final = 288
"""Slots of five minutes in the history of one node, a day: size of history.db."""
HISTORY_LONG_SLOTS: Final = 720
"""Slots of an hour in the history of one node, thirty days: size of history.db."""
