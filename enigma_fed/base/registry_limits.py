"""Limits of the identity registry, in the same form as those in limits.py."""

from __future__ import annotations

from typing import Final

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
USER_NAME_BYTES: Final = 64
"""A user's name in UTF-8, trimmed: what its id is made from, the same in every registry."""
ADDRESS_BYTES: Final = 256
"""`addr` of an announcement, spaces around it included: memory of the table of presences."""
REGISTRY_REPLY_BYTES: Final = 2 * 1024 * 1024
"""Reply of a registry, on the calling side: memory of a command."""
