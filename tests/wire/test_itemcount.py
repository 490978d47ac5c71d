"""Values are counted before they are made, and never too few."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enigma_fed.base import limits
from enigma_fed.base.errors import WireError
from enigma_fed.wire import cbor, itemcount
from enigma_fed.wire.jsonrpc import BodyForm
from enigma_fed.wire.snapshot import App, Snapshot, snapshot_to_object

SCALARS = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=40)
PLAIN = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=9), inner), max_leaves=30
)


def items(value: object) -> int:
    """How many values there are, keys included."""
    if isinstance(value, dict):
        return 1 + len(value) + sum(map(items, value.values()))
    return 1 + sum(map(items, value)) if isinstance(value, list) else 1


@given(PLAIN)
def test_no_value_escapes_the_count(value: object) -> None:
    assert itemcount._cbor(cbor.encode(value), 1000) == items(value)
    assert itemcount._json(json.dumps(value).encode()) >= items(value)


@pytest.mark.parametrize("form", list(BodyForm))
def test_one_value_too_many_is_refused_before_it_is_decoded(form: BodyForm) -> None:
    most = [7] * (limits.BODY_ITEMS - 2)
    assert form.decode(form.encode(most), limits.REQUEST_BYTES) == most
    with pytest.raises(WireError, match="more than 8192 values"):
        form.decode(form.encode([7] * (limits.BODY_ITEMS + 1)), limits.REQUEST_BYTES)


@pytest.mark.parametrize("value", ["80", "a0", "8100", "a10000", "f6"])
def test_what_makes_cbor_slow_to_decode_counts(value: str) -> None:
    """An empty map costs as much as a long text."""
    body = b"\x9a\x00\x03\xff\xf0" + bytes.fromhex(value) * (limits.BODY_ITEMS + 1)
    with pytest.raises(WireError, match="more than"):
        itemcount.check(body, limits.BODY_ITEMS, binary=True)


def test_a_long_text_is_one_value() -> None:
    for body in (cbor.encode("[" * 60_000), cbor.encode(b"\x80" * 60_000)):
        itemcount.check(body, limits.BODY_ITEMS, binary=True)


def test_the_largest_state_fits_into_a_reply() -> None:
    apps = tuple(
        App(id=f"{number:0128d}", status="s" * 128, version="v" * 128)
        for number in range(limits.APPS_PER_STATE)
    )
    body = cbor.encode(snapshot_to_object(Snapshot(node_name="n" * 64, apps=apps)))
    assert len(body) < limits.REPLY_BYTES - 1024
    BodyForm.CBOR.decode(body, limits.REPLY_BYTES)


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_counted(body: bytes, binary: bool) -> None:
    with contextlib.suppress(WireError):
        itemcount.check(body, 10, binary=binary)
