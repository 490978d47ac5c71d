"""Limits of base/registry_limits.py, each with the test that stays at it and goes one past it."""

from __future__ import annotations

from typing import Final

_FORMATS: Final = "tests/limits/test_registry_formats.py::test_invariant_7_at_the_limit_and_one_past_it"

REGISTRY: Final = {
    "RESOLVE_BYTES": _FORMATS,
    "REGISTER_BYTES": _FORMATS,
    "ANNOUNCE_BYTES": _FORMATS,
    "SYNC_BYTES": _FORMATS,
    "SYNC_IDENTITIES": _FORMATS,
    "NODES_BYTES": _FORMATS,
    "NODES_IN_A_BODY": _FORMATS,
    "NODE_URL_BYTES": _FORMATS,
    "IDENTITY_BYTES": _FORMATS,
    "USER_NAME_BYTES": _FORMATS,
    "ADDRESS_BYTES": _FORMATS,
    "REGISTRY_REPLY_BYTES": _FORMATS,
}
