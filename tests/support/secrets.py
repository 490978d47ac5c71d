"""The secrets of a run, every form in which they could be written down, and the search for them."""

from __future__ import annotations

import base64
import json
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from enigma_fed.transports.tor.onionkey import OnionKey
from enigma_fed.wire import pem

_SHORTEST = 8
"""Bytes of the shortest form that is looked for: anything shorter turns up by chance."""


@dataclass(frozen=True)
class Secret:
    """Something that nobody but its owner may read, and what it looks like written down."""

    name: str
    forms: tuple[bytes, ...]

    def in_(self, data: bytes) -> bool:
        """Whether any form of it stands in the data."""
        return any(form in data for form in self.forms)


def of_bytes(name: str, raw: bytes) -> Secret:
    """Secret bytes: as they are, in hexadecimal, base64 at each offset, as Python and as JSON show them."""
    numbers = ", ".join(map(str, raw))
    texts = [raw.hex(), raw.hex().upper(), raw.hex(":"), raw.hex(" "), repr(raw)[2:-1], numbers]
    texts += [numbers.replace(" ", ""), json.dumps(raw.decode("latin-1"))[1:-1]]
    found = {raw, *(text.encode() for text in texts), *_base64(raw)}
    assert all(len(form) >= _SHORTEST for form in found)
    return Secret(name, tuple(found))


def _base64(raw: bytes) -> Iterator[bytes]:
    """The characters that depend on these bytes alone, wherever in a longer text they begin."""
    for before in range(3):
        usable = raw[: (len(raw) + before) // 3 * 3 - before]
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(b"\0" * before + usable)[4 if before else 0 :]


def of_text(name: str, text: str) -> Secret:
    """A secret text, whole."""
    return Secret(name, (text.encode(),))


def of_code(name: str, code: str) -> list[Secret]:
    """An invite code: the whole of it, and the token in it, also as it stands inside the code's base64."""
    body = code.removeprefix("fed1:")
    members = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return [of_text(f"{name} code", body), of_token(name, members["token"])]


def of_token(name: str, token: str) -> Secret:
    """A token, given in hexadecimal: its bytes, and its digits in the base64 of a code."""
    found = of_bytes(f"{name} token", bytes.fromhex(token))
    return Secret(found.name, (*found.forms, *_base64(token.encode())))


def of_node(name: str, data_dir: Path) -> list[Secret]:
    """The keys of a node, from its files."""
    onion = data_dir / "tor/onion.key"
    return [*of_key(f"{name} node", data_dir / "identity/node.key"), *of_onion(f"{name} onion", onion)]


def of_registry(name: str, data_dir: Path) -> list[Secret]:
    """What a hosted registry keeps: its keys, its pepper, and the key of the onion for strangers."""
    folder = data_dir / "registry"
    text = (folder / "envelope.toml").read_text()
    envelope = tomllib.loads(text)["envelope"]
    hexadecimal = [envelope["pepper_hex"], *(key["x25519_private_key_hex"] for key in envelope["keys"])]
    return [
        *of_onion(f"{name} public", data_dir / "tor/public.key"),
        *of_key(f"{name} registry", folder / "registry.key"),
        of_bytes(f"{name} index key", (folder / "index.key").read_bytes()),
        *(of_bytes(f"{name} envelope secret", bytes.fromhex(digits)) for digits in hexadecimal),
    ]


def of_key(name: str, path: Path) -> list[Secret]:
    """An Ed25519 key, from its PEM file."""
    text = path.read_bytes()
    return [of_bytes(f"{name} key", pem.decode_seed(text)), Secret(f"{name} PEM", (text.splitlines()[1],))]


def of_onion(name: str, path: Path) -> list[Secret]:
    """The key of an onion, also in tor's own form."""
    expanded = OnionKey(pem.decode_seed(path.read_bytes())).expanded
    halves = [of_bytes(f"{name} key, half {half}", expanded[half : half + 32]) for half in (0, 32)]
    return [*of_key(name, path), *halves]


def found_in(data: bytes, secrets: Iterable[Secret]) -> list[str]:
    """The names of those that stand in the data."""
    return sorted(secret.name for secret in secrets if secret.in_(data))
