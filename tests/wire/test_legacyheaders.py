"""The Rust agent's header fields: read strictly, written nowhere."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

import enigma_fed
from enigma_fed.base.errors import WireError
from enigma_fed.wire import legacyheaders
from tests.support.signedcalls import key, legacy_fields

NOW = "2026-03-10T12:00:00.123456789+00:00"
"""As chrono's `to_rfc3339` writes it."""
NAMES = (legacyheaders.DID, legacyheaders.SIGNATURE, legacyheaders.TIMESTAMP)


def test_the_rust_agents_fields_are_read() -> None:
    request = legacyheaders.read(legacy_fields(key(1), NOW))
    assert request is not None
    assert (request.did, request.created, request.message) == (key(1).did, 1773144000, NOW.encode())
    assert key(1).sign(request.message) == request.signature


def test_none_of_them_is_no_such_request() -> None:
    assert legacyheaders.read(CIMultiDict({"Content-Type": "application/json"})) is None


@pytest.mark.parametrize("name", NAMES)
def test_each_is_there_exactly_once(name: str) -> None:
    fields = legacy_fields(key(1), NOW)
    value = fields.pop(name)
    with pytest.raises(WireError, match="come together"):
        legacyheaders.read(fields)
    fields.extend([(name, value), (name, value)])
    with pytest.raises(WireError, match="twice"):
        legacyheaders.read(fields)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (legacyheaders.DID, key(1).did.url),
        (legacyheaders.DID, "did:web:example.org"),
        (legacyheaders.DID, ""),
        (legacyheaders.SIGNATURE, "AB" * 64),
        (legacyheaders.SIGNATURE, "ab" * 63),
        (legacyheaders.SIGNATURE, ""),
        (legacyheaders.TIMESTAMP, ""),
        (legacyheaders.TIMESTAMP, "1773144000"),
        (legacyheaders.TIMESTAMP, "2026-03-10T12:00:00"),
        (legacyheaders.TIMESTAMP, NOW + " "),
        (legacyheaders.TIMESTAMP, "٢026-03-10T12:00:00Z"),
        (legacyheaders.TIMESTAMP, "2026-13-10T12:00:00Z"),
    ],
)
def test_other_values_are_refused(name: str, value: str) -> None:
    fields = legacy_fields(key(1), NOW)
    fields[name] = value
    with pytest.raises(WireError):
        legacyheaders.read(fields)


@given(st.dictionaries(st.sampled_from(NAMES), st.text(max_size=140), max_size=3))
def test_any_values_are_read_or_a_wire_error(values: dict[str, str]) -> None:
    with contextlib.suppress(WireError):
        legacyheaders.read(CIMultiDict({**legacy_fields(key(1), NOW), **values}))


def test_nothing_here_sends_them() -> None:
    """The names stand in one file, which only reads."""
    package = Path(enigma_fed.__file__).parent
    naming = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search(r"x-federation-", path.read_text(encoding="utf-8"), re.IGNORECASE)
    }
    assert naming == {"wire/legacyheaders.py"}
    assert not {name for name in vars(legacyheaders) if name.startswith(("write", "sign", "encode"))}
