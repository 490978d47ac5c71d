"""Memory of each table at its bound: what test_memory.py checks and docs/LIMITS.md shows."""

from __future__ import annotations

from typing import Final, NamedTuple


class Bound(NamedTuple):
    """One table at its bound."""

    what: str
    limits: tuple[str, ...]
    """The numbers that bound it."""
    most_mib: float


BOUNDS: Final = {
    "nonces": Bound("Remembered nonces, the longest that are taken", ("NONCES_IN_ALL",), 32),
    "keyids": Bound("Key ids whose check is remembered", ("DIDS_CACHED",), 2),
    "circuits": Bound("Accounts of circuits", ("CIRCUITS",), 1),
    "heads": Bound(
        "Connections of one listener, each with a head that is almost complete",
        ("CONNECTIONS_INBOUND", "CONNECTIONS_OF_MEMBERS", "HEAD_BYTES"),
        40,
    ),
    "bodies": Bound(
        "Connections of one listener, each with a body that is almost complete",
        ("CONNECTIONS_INBOUND", "CONNECTIONS_OF_MEMBERS", "REQUEST_BYTES"),
        80,
    ),
    "replies": Bound(
        "Calls to peers, each with a reply that is almost complete", ("POLLS_IN_FLIGHT", "REPLY_BYTES"), 48
    ),
    "log": Bound("Log lines that wait", ("LOG_QUEUE_LINES", "LOG_LINE_CHARACTERS"), 24),
    "members": Bound("Members with a state of twenty apps each, as polling keeps them", ("PEERS",), 64),
    "largest state": Bound("The largest state of one member", ("APPS_PER_STATE", "APP_FIELD_BYTES"), 0.5),
    "tombstones": Bound("Removed members", ("TOMBSTONES",), 16),
    "invites": Bound("Invites, open and ended, with joins that wait", ("INVITES_KEPT", "OPEN_INVITES"), 4),
}
