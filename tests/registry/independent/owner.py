"""Owners' statements and the log, from their description alone (docs/REGISTRY.md sections 6 and 7)."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from tests.registry.independent import crypto
from tests.registry.independent.client import Answer, Client, Person, compact

_LABEL = "enigma-fed/registry/"
NO_ENTRY = bytes(32).hex()


def canonical(label: str, value: Mapping[str, Any]) -> bytes:
    """Label, line feed and RFC 8785 form; the members here are ASCII and whole numbers."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return f"{_LABEL}{label}/v1\n{text}".encode()


def digest(data: bytes) -> str:
    """BLAKE2b-256 in hexadecimal."""
    return hashlib.blake2b(data, digest_size=32).hexdigest()


def statement(
    client: Client, person: Person, action: str, previous: str, now_ms: int, new: Person | None = None
) -> dict[str, Any]:
    """The body of a `/v1/change` by a person; `new` is who the same name is afterwards."""
    identity = None if new is None else compact(new.identity())
    said = {
        "action": action,
        "user_id": person.id.hex(),
        "registry": client.ask("GET", "/v1/registry").body["did"],
        "previous": previous,
        "created_ms": now_ms,
        "identity": None if identity is None else digest(identity),
    }
    message = canonical("change", said)
    by_both = new is not None and action == "rotate"
    return {
        "statement": said,
        "signature": crypto.sign(person.signing, message).hex(),
        "new_signature": crypto.sign(new.signing, message).hex() if new is not None and by_both else None,
        "envelope": None if identity is None else client.envelope(person.id, identity),
    }


def read_log(client: Client, pepper: bytes, user: bytes) -> list[dict[str, Any]]:
    """All entries, opened with the key of their own label."""
    secret = os.urandom(32)
    body = {"handle": user.hex(), "requester_ephemeral_pubkey_hex": crypto.exchange_public(secret).hex()}
    answer = client.ask("POST", "/v1/log", body)
    assert answer.status == 200, answer
    envelope = answer.body["envelope"]
    sender, kid = bytes.fromhex(envelope["sender_pubkey"]), bytes.fromhex(envelope["kid"])
    shared = X25519PrivateKey.from_private_bytes(secret).exchange(X25519PublicKey.from_public_bytes(sender))
    parts = (pepper, user, shared, kid, sender, crypto.exchange_public(secret))
    key = crypto.hash256(f"{_LABEL}log-key/v1\n".encode() + b"".join(parts))
    ciphertext = base64.b64decode(envelope["ciphertext"])
    entries = json.loads(crypto.unseal(key, bytes.fromhex(envelope["nonce"]), ciphertext, user))["entries"]
    return list(entries)


def head(entries: list[dict[str, Any]]) -> str:
    """Hash of the newest entry."""
    return digest(canonical("log", entries[-1]))


def check(entries: list[dict[str, Any]]) -> None:
    """Every entry follows the one before and is signed by the key that was registered then."""
    previous, key = NO_ENTRY, ""
    for number, entry in enumerate(entries):
        assert (entry["seq"], entry["previous"]) == (number, previous)
        if number:
            signed = {name: entry[name] for name in ("action", "user_id", "registry", "previous")}
            signed |= {name: entry[name] for name in ("created_ms", "identity")}
            message = canonical("change", signed)
            verify(key, entry["signature"], message)
            if entry["action"] == "rotate":
                verify(entry["signing_public_key"], entry["new_signature"], message)
        previous, key = digest(canonical("log", entry)), entry["signing_public_key"]


def verify(key: str, signature: str, message: bytes) -> None:
    """Raises cryptography's InvalidSignature."""
    Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(bytes.fromhex(signature), message)


def announce_signed(client: Client, person: Person, address: str, ts_ms: int) -> Answer:
    """`POST /v1/announce`."""
    said = {
        "user_id": person.id.hex(),
        "addr": address,
        "ts_ms": ts_ms,
        "registry": client.ask("GET", "/v1/registry").body["did"],
    }
    signature = crypto.sign(person.signing, canonical("presence", said)).hex()
    return client.ask("POST", "/v1/announce", said | {"signature": signature})
