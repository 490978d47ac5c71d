"""The state on the wire (PROTOCOL section 2)."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

import nacl.signing
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enigma_fed.base import limits
from enigma_fed.base.errors import WireError
from enigma_fed.wire import cbor, state, strictjson
from enigma_fed.wire.snapshot import Snapshot, canonical_cbor
from enigma_fed.wire.state import DeltaAnswer, FullState, GetStateParams, Have, Unchanged
from enigma_fed.wire.statedelta import Patch, StateDelta
from tests.wire.test_snapshot import SNAPSHOTS

VECTORS = Path(__file__).parents[1] / "vectors" / "state.json"
STATES = st.builds(
    FullState,
    epoch=st.binary(min_size=8, max_size=8),
    started=st.integers(0, limits.INTEGER_MAX),
    seq=st.integers(0, limits.INTEGER_MAX),
    ts=st.integers(0, 2**32 - 1),
    snapshot=SNAPSHOTS,
    signature=st.binary(min_size=64, max_size=64),
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def vectors() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(VECTORS.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("vector", vectors(), ids=lambda vector: vector["name"])
def test_vectors(vector: dict[str, Any]) -> None:
    if vector["expect"] != "ok":
        with pytest.raises(WireError) as caught:
            state.full_state_from_object(vector["input"], binary=False)
        assert caught.value.code == vector["expect"]
        return
    full = state.full_state_from_object(vector["input"], binary=False)
    key = bytes.fromhex(vector["public_key"])
    assert canonical_cbor(full.snapshot).hex() == vector["canonical"]
    assert state.state_signing_input(key, full).hex() == vector["signed"]
    nacl.signing.VerifyKey(key).verify(state.state_signing_input(key, full), full.signature)


@given(STATES, st.booleans())
def test_a_full_state_survives_both_forms(full: FullState, binary: bool) -> None:
    codec = cbor if binary else strictjson
    body = codec.encode(state.full_state_to_object(full, binary=binary))
    read = codec.decode(body, limit=limits.REPLY_BYTES)
    assert state.full_state_from_object(read, binary=binary) == full


@given(ANYTHING, st.booleans())
def test_any_object_gives_a_state_or_the_declared_error(obj: object, binary: bool) -> None:
    for read in (state.answer_from_object, GetStateParams.from_object):
        with contextlib.suppress(WireError):
            read(obj, binary=binary)  # type: ignore[operator]


def test_the_signed_bytes_are_label_key_epoch_times_and_hash() -> None:
    snapshot = Snapshot(cpu_tenths=7)
    message = state.signing_input(b"\x01" * 32, b"\x02" * 8, 3, 4, 5, snapshot)
    head = b"enigma-fed/state/v1\n" + b"\x01" * 32 + b"\x02" * 8
    times = (3).to_bytes(8, "big") + (4).to_bytes(8, "big") + (5).to_bytes(4, "big")
    digest = hashlib.blake2b(canonical_cbor(snapshot), digest_size=32).digest()
    assert message == head + times + digest


@pytest.mark.parametrize("sig", [None, 7, "A" * 129, "AB", bytes(64)])
def test_a_signature_is_text_of_64_bytes_in_json(sig: object) -> None:
    good = {"epoch": "00" * 8, "seq": 1, "ts": 0, "started": 1, "state": {"apps": []}, "sig": "A" * 86}
    assert state.full_state_from_object(good, binary=False).signature == bytes(64)
    with pytest.raises(WireError):
        state.full_state_from_object({**good, "sig": sig}, binary=False)


def test_params_without_have_ask_for_the_plain_snapshot() -> None:
    assert GetStateParams.from_object(None, binary=False).plain
    assert GetStateParams.from_object({"since": "2026-01-01T00:00:00Z"}, binary=False).plain
    assert GetStateParams.from_object({"have": None}, binary=False) == GetStateParams()


@pytest.mark.parametrize("binary", [False, True])
def test_params_survive_both_forms(binary: bool) -> None:
    for params in (GetStateParams(), GetStateParams(plain=True), GetStateParams(have=Have(b"12345678", 9))):
        assert GetStateParams.from_object(params.to_object(binary=binary), binary=binary) == params


def test_the_answers_cannot_be_mixed() -> None:
    assert state.answer_from_object({"unchanged": True}, binary=False) == Unchanged()
    for obj in ({"unchanged": False}, {"unchanged": True, "state": {}}, {"state": {}, "delta": ""}, {}):
        with pytest.raises(WireError):
            state.answer_from_object(obj, binary=False)


@pytest.mark.parametrize("binary", [False, True])
def test_a_delta_answer_survives_both_forms(binary: bool) -> None:
    answer = DeltaAnswer(StateDelta(1, 2, 3, Patch(cpu_tenths=7)), bytes(range(64)))
    codec = cbor if binary else strictjson
    read = codec.decode(codec.encode(answer.to_object(binary=binary)), limit=1000)
    assert state.answer_from_object(read, binary=binary) == answer


def test_a_delta_answer_has_bytes_in_cbor_and_base64url_in_json() -> None:
    answer = DeltaAnswer(StateDelta(1, 2, 3, Patch(cpu_tenths=7)), bytes(64))
    delta = bytes.fromhex("a400010102020303a10207")
    assert answer.to_object(binary=True) == {"delta": delta, "sig": bytes(64)}
    assert answer.to_object(binary=False) == {"delta": "pAABAQICAwOhAgc", "sig": "A" * 86}


@pytest.mark.parametrize(
    ("delta", "binary"), [(b"", False), (7, False), ("pAABAQICAwOhAgc", True), ("pAABAQICAwOhAgc=", False)]
)
def test_a_delta_in_the_wrong_form_is_refused(delta: object, binary: bool) -> None:
    with pytest.raises(WireError):
        state.answer_from_object({"delta": delta, "sig": bytes(64) if binary else "A" * 86}, binary=binary)


def test_an_epoch_that_is_no_text_is_refused_in_json() -> None:
    with pytest.raises(WireError, match="epoch must be text"):
        GetStateParams.from_object({"have": {"epoch": 7, "seq": 1}}, binary=False)
