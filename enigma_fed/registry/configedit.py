"""Writing a registry's configuration: a fresh one, fresh secrets in an old one, the next envelope key.

Text to text; comments and everything else that an owner wrote stay. docs/REGISTRY.md sections 2 and 10.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any, Final

import tomlkit
from tomlkit.exceptions import TOMLKitError

from enigma_fed.base.errors import ConfigError
from enigma_fed.registry.configfile import is_weak, parse

Random = Callable[[int], bytes]
"""That many secret random bytes."""

KeyFile = Callable[[str, str, str], str]
"""Writes a key's hex digits into a file of its own: name of the file before, kid, digits -> the new name."""

_KID_BYTES: Final = 8
_SECRET_BYTES: Final = 32

_ENVELOPE: Final = """\
[envelope]
# What every client of this registry has to know: 32 bytes, hexadecimal. Hand it to them, and to nobody else.
pepper_hex = "{pepper}"
# The first active key seals the answers. The next one comes by: enigma-fed registry rotate-key
keys = [
    {{ kid_hex = "{kid}", x25519_private_key_hex = "{key}", active = true }},
]
"""

_FILE: Final = """\
# A registry of identities. All that can be set is in docs/REGISTRY.md, section 2.
# Start it with: enigma-fed registry serve --config FILE
# This file holds secrets: it is for its owner alone (mode 600).

# For other machines: their address here (0.0.0.0:8443 is every one of this machine's), and [tls].
address = "127.0.0.1:8443"
# Proxies in front whose X-Forwarded-For is believed.
# trusted_proxies = ["10.0.0.0/8"]
# Whose signed requests may merge identities (allow_sync) and look presence up: DIDs.
# peers = []
# allow_sync = false

{envelope}
# [tls]
# cert_pem_path = "/etc/enigma-fed/registry.cert"
# key_pem_path = "/etc/enigma-fed/registry.key"
# Clients without a certificate of this CA are turned away.
# client_ca_pem_path = "/etc/enigma-fed/clients.pem"

[storage]
kind = "sqlite"
# A folder; counted from where this file lies.
path = "./registry_db"

[rate_limit]
# Of one client: requests per second, and how many at once.
per_ip_rps = 5
burst = 10

[presence]
ttl_seconds = 300

[pow]
# Proof of work for /resolve and /check_user.
enabled = false
difficulty = 18
"""


def fresh(random: Random) -> str:
    """A whole `registry.toml`."""
    return _FILE.format(envelope=fresh_envelope(random))


def fresh_envelope(random: Random) -> str:
    """The table `[envelope]` alone."""
    return _ENVELOPE.format(
        pepper=random(_SECRET_BYTES).hex(), kid=random(_KID_BYTES).hex(), key=random(_SECRET_BYTES).hex()
    )


def with_fresh_secrets(text: str, random: Random) -> tuple[str, tuple[str, ...]]:
    """The text with fresh secrets in the place of those that everyone knows, and which keys these are.

    Raises ConfigError.
    """
    document = _parse(text)
    envelope = _envelope(document)
    replaced = []
    if _is_known(envelope.get("pepper_hex")):
        envelope["pepper_hex"] = random(_SECRET_BYTES).hex()
        replaced.append("envelope.pepper_hex")
    for number, key in enumerate(_keys(envelope)):
        if _is_known(key.get("x25519_private_key_hex")):
            key["x25519_private_key_hex"] = random(_SECRET_BYTES).hex()
            key["kid_hex"] = random(_KID_BYTES).hex()
            replaced.append(f"envelope.keys[{number}]")
    return tomlkit.dumps(document), tuple(replaced)


def rotated(text: str, random: Random, now_ms: int, overlap_ms: int, key_file: KeyFile) -> tuple[str, str]:
    """The text with a fresh key, active and first, and the kid of it; the others open for `overlap_ms` more.

    `key_file` is called where the first key so far lies in a file. Raises ConfigError and what that raises.
    """
    document = _parse(text)
    keys = _keys(_envelope(document))
    kid, secret = random(_KID_BYTES).hex(), random(_SECRET_BYTES).hex()
    for key in keys:
        _retire(key, now_ms + overlap_ms)
    fresh_key = tomlkit.table() if isinstance(keys, tomlkit.items.AoT) else tomlkit.inline_table()
    fresh_key["kid_hex"] = kid
    before = keys[0].get("x25519_private_key_file")
    if isinstance(before, str):
        fresh_key["x25519_private_key_file"] = key_file(str(before), kid, secret)
    else:
        fresh_key["x25519_private_key_hex"] = secret
    fresh_key["active"] = True
    keys.insert(0, fresh_key)
    return tomlkit.dumps(document), kid


def _retire(key: MutableMapping[str, Any], end_ms: int) -> None:
    """What was active seals no more, and opens until `end_ms` or its own earlier end."""
    if not key.get("active"):
        return
    key["active"] = False
    end = key.get("not_after_epoch_ms")
    key["not_after_epoch_ms"] = min(int(end), end_ms) if isinstance(end, int) else end_ms


def _parse(text: str) -> tomlkit.TOMLDocument:
    parse(text.encode("utf-8"), "this")  # what a server would not read is not edited either
    try:
        return tomlkit.parse(text)
    except (TOMLKitError, ValueError, RecursionError) as error:
        raise ConfigError(f"this is not TOML: {error}") from None


def _envelope(document: tomlkit.TOMLDocument) -> MutableMapping[str, Any]:
    """`[envelope]` of a registry's file, or `[registry.envelope]` of an agent's."""
    registry = document.get("registry")
    tables: Any = registry if isinstance(registry, MutableMapping) else document
    envelope = tables.get("envelope")
    if not isinstance(envelope, MutableMapping):
        raise ConfigError("there is no table [envelope]")
    return envelope


def _keys(envelope: MutableMapping[str, Any]) -> Any:
    keys = envelope.get("keys")
    if not isinstance(keys, list) or not keys or not all(isinstance(key, MutableMapping) for key in keys):
        raise ConfigError("envelope.keys has no key")
    return keys


def _is_known(value: object) -> bool:
    try:
        return isinstance(value, str) and is_weak(bytes.fromhex(value))
    except ValueError:
        return False
