"""JSON Schemas of a registry's bodies and replies, for its OpenAPI document (docs/REGISTRY.md)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from enigma_fed.base import limits, registry_limits
from enigma_fed.base.registry_errors import CLASSES_BY_CODE

Schema = dict[str, Any]

_UNSIGNED_64: Final = 2**64 - 1


def hexadecimal(size: int) -> Schema:
    """Digits of so many bytes, in either case."""
    return {"type": "string", "pattern": f"^[0-9a-fA-F]{{{2 * size}}}$"}


def closed(required: Schema, optional: Schema | None = None) -> Schema:
    """An object without unknown members."""
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **(optional or {})},
        "additionalProperties": False,
    }


def one_of(name: str) -> Schema:
    """A reference to the schema of that name."""
    return {"$ref": f"#/components/schemas/{name}"}


def _nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


_OCTETS: Final = {
    "type": "array",
    "minItems": 1,
    "items": {"type": "integer", "minimum": 0, "maximum": 255},
}
_TIME: Final = {"type": "integer", "minimum": 1, "maximum": _UNSIGNED_64}
_COUNT: Final = {"type": "integer", "minimum": 0}
_SAFE: Final = {"type": "integer", "minimum": 0, "maximum": limits.INTEGER_MAX}
_DID: Final = {"type": "string", "pattern": "^did:key:z6Mk[1-9A-HJ-NP-Za-km-z]{44}$"}
_ADDRESS: Final = {"type": "string", "minLength": 1, "maxLength": registry_limits.ADDRESS_BYTES}
_DIGITS: Final = {
    "type": "string",
    "contentEncoding": "base64",
    "pattern": "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$",
}

SCHEMAS: Final[Mapping[str, Schema]] = MappingProxyType(
    {
        "UserId": hexadecimal(32),
        "Envelope": closed(
            {
                "kid": hexadecimal(8),
                "sender_pubkey": hexadecimal(32),
                "nonce": hexadecimal(24),
                "ciphertext": _DIGITS,
            }
        ),
        "PublicIdentity": closed(
            {
                "user_id": one_of("UserId"),
                "signing_public_key": _OCTETS,
                "encryption_public_key": _OCTETS,
                "signature": _OCTETS,
                "created_at_ms": _TIME,
            },
            {"username_hint": {"type": ["string", "null"]}},
        ),
        "Register": closed({"handle": one_of("UserId"), "envelope": one_of("Envelope")}),
        "Resolve": closed({"handle": one_of("UserId"), "requester_ephemeral_pubkey_hex": hexadecimal(32)}),
        "Resolved": closed({"handle": one_of("UserId"), "envelope": _nullable(one_of("Envelope"))}),
        "ResolvedClear": closed({"identity": _nullable(one_of("PublicIdentity"))}),
        "Presence": closed(
            {
                "user_id": one_of("UserId"),
                "addr": _ADDRESS,
                "ts_ms": _TIME,
            }
        ),
        "Sync": closed(
            {
                "identities": {
                    "type": "array",
                    "maxItems": registry_limits.SYNC_IDENTITIES,
                    "items": one_of("PublicIdentity"),
                }
            }
        ),
        "Nodes": closed(
            {
                "nodes": {
                    "type": "array",
                    "items": closed(
                        {
                            "base_url": {
                                "type": "string",
                                "pattern": "^https?://",
                                "maxLength": registry_limits.NODE_URL_BYTES,
                            }
                        }
                    ),
                }
            }
        ),
        "Ok": closed({"ok": {"const": True}}),
        "Exists": closed({"exists": {"type": "boolean"}}),
        "Merged": closed({"merged": _COUNT}),
        "EnvelopePublicKey": closed(
            {
                "kid_hex": hexadecimal(8),
                "x25519_public_key_hex": hexadecimal(32),
                "active": {"type": "boolean"},
            },
            {"not_after_epoch_ms": _COUNT},
        ),
        "EnvelopePublicKeys": {"type": "array", "items": one_of("EnvelopePublicKey")},
        "Challenge": closed(
            {
                "challenge": hexadecimal(16),
                "difficulty": {"type": "integer", "minimum": 1, "maximum": 255},
                "expires_ms": _COUNT,
                "_expires_ms": _COUNT,
            }
        ),
        "Statement": closed(
            {
                "action": {"enum": ["update", "rotate", "revoke"]},
                "user_id": one_of("UserId"),
                "registry": _DID,
                "previous": hexadecimal(32),
                "created_ms": _SAFE,
                "identity": _nullable(hexadecimal(32)),
            }
        ),
        "Change": closed(
            {"statement": one_of("Statement"), "signature": hexadecimal(64)},
            {"new_signature": _nullable(hexadecimal(64)), "envelope": _nullable(one_of("Envelope"))},
        ),
        "Changed": closed({"seq": _COUNT, "head": hexadecimal(32)}),
        "SignedPresence": closed(
            {
                "user_id": one_of("UserId"),
                "addr": _ADDRESS,
                "ts_ms": {**_SAFE, "minimum": 1},
                "registry": _DID,
                "signature": hexadecimal(64),
            }
        ),
        "Announced": closed({"ok": {"const": True}, "reannounce_after": _COUNT}),
        "PresenceQuery": closed({"user_id": one_of("UserId")}),
        "PresenceFound": closed(
            {
                "presence": _nullable(
                    closed(
                        {
                            "addr": _ADDRESS,
                            "ts_ms": _COUNT,
                            "received_ms": _COUNT,
                            "expires_ms": _COUNT,
                            "signed": {"type": "boolean"},
                        }
                    )
                )
            }
        ),
        "Facts": {
            "type": "object",
            "required": ["did", "features", "limits"],
            "properties": {
                "did": _DID,
                "features": {"type": "array", "items": {"type": "string"}},
                "limits": {"type": "object", "additionalProperties": {"type": "integer"}},
            },
        },
        "OpenApi": {"type": "object", "required": ["openapi", "info", "paths"]},
        "Error": closed(
            {
                "error": closed(
                    {"code": {"enum": sorted(CLASSES_BY_CODE)}, "message": {"type": "string"}},
                    {"details": closed({"field": {"type": "string"}})},
                )
            }
        ),
    }
)
"""By the names that routes.py calls them by."""
