"""Bodies of calls and replies, in both forms: envelopes, states, joins."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from enigma_fed.base import limits
from enigma_fed.base.errors import WireError
from enigma_fed.base.rpc_errors import Busy, InvalidParams, InvalidRequest, ParseError
from enigma_fed.wire import away, jsonrpc, state, statedelta
from enigma_fed.wire.join import JoinParams, JoinReply, TokenlessJoin
from enigma_fed.wire.jsonrpc import BodyForm
from enigma_fed.wire.records import TrustLevel
from enigma_fed.wire.snapshot import App, Snapshot, snapshot_from_object, snapshot_to_object
from tests.fuzz.target import Form, Target, attempt
from tests.fuzz.targets.identifiers import VECTORS
from tests.support.identities import did, key, onion

_TREES: Final = {BodyForm.JSON: Form.JSON, BodyForm.CBOR: Form.CBOR}
_WORDS: Final = {BodyForm.JSON: "json", BodyForm.CBOR: "cbor"}
_BASES: Final = (
    Snapshot(),
    Snapshot(
        node_name="attic", apps=(App(id="a", status="running"), App(id="b", status="running", version="2"))
    ),
    Snapshot(cpu_tenths=1, mem_used_kib=2, disk_used_kib=3, uptime_secs=4, tor_active=True),
)
_SIGNED_BYTES: Final = len(b"enigma-fed/state/v1\n") + 32 + 8 + 8 + 8 + 4 + 32


def call(form: BodyForm, data: bytes) -> bool:
    """Whoever may call gets an answer to the id it gave: as a result and as an error."""
    request = attempt(lambda: jsonrpc.decode_call(form, data), ParseError, InvalidRequest, InvalidParams)
    if not isinstance(request, jsonrpc.Call):
        return False
    assert 0 < len(request.method) <= limits.METHOD_CHARACTERS
    reply = form.decode(jsonrpc.encode_result(form, request.id, form.encode(None)), limits.REPLY_BYTES)
    assert reply == {"jsonrpc": "2.0", "id": request.id, "result": None}
    form.decode(jsonrpc.encode_error(form, request.id, Busy("x"), "challenge"), limits.REPLY_BYTES)
    return True


def reply(form: BodyForm, data: bytes) -> bool:
    """A reply is a result or an error with a word, never both."""
    outcome = attempt(lambda: jsonrpc.decode_outcome(form, data, 7), WireError)
    if not isinstance(outcome, jsonrpc.Outcome):
        return False
    assert outcome.error is None or (outcome.result is None and 0 < len(outcome.error) <= 64)
    return True


def answer(form: BodyForm, data: bytes) -> bool:
    """A state that is read goes round, and what its signature covers has one size."""
    value = _value(form, data)
    said = attempt(lambda: state.answer_from_object(value, binary=form.binary), WireError)
    if not isinstance(said, state.FullState | state.DeltaAnswer | state.Unchanged):
        return False
    sent = form.encode(
        _sent(said, form) if isinstance(said, state.FullState) else said.to_object(binary=form.binary)
    )
    assert state.answer_from_object(form.decode(sent, 1 << 24), binary=form.binary) == said
    if isinstance(said, state.FullState):
        assert len(state.state_signing_input(bytes(32), said)) == _SIGNED_BYTES
    return True


def delta(data: bytes) -> bool:
    """A delta has one form; what it makes of a state is a state that a peer of ours could have sent."""
    taken = attempt(lambda: statedelta.decode(data), WireError)
    if not isinstance(taken, statedelta.StateDelta):
        return False
    assert statedelta.encode(taken) == data
    assert taken.base < taken.seq
    for base in _BASES:
        after = attempt(lambda base=base: statedelta.apply(base, taken.patch), WireError)  # type: ignore[misc]
        if isinstance(after, Snapshot):
            assert snapshot_from_object(snapshot_to_object(after)) == after
            assert statedelta.apply(base, statedelta.diff(base, after)) == after
    return True


def get_state_params(form: BodyForm, data: bytes) -> bool:
    """Params that are read go round."""
    value = _value(form, data)
    params = attempt(lambda: state.GetStateParams.from_object(value, binary=form.binary), WireError)
    if not isinstance(params, state.GetStateParams):
        return False
    sent = form.decode(form.encode(params.to_object(binary=form.binary)), limits.REQUEST_BYTES)
    assert state.GetStateParams.from_object(sent, binary=form.binary) == params
    return True


def away_windows(form: BodyForm, data: bytes) -> bool:
    """Windows that are read go round, are few, and leave a part of the day."""
    value = _value(form, data)
    windows = attempt(lambda: away.from_object(value), WireError)
    if not isinstance(windows, tuple):
        return False
    sent = form.decode(form.encode(away.to_object(windows)), limits.REQUEST_BYTES)
    assert away.from_object(sent) == windows
    assert 0 < len(windows) <= limits.OFFLINE_WINDOWS
    assert sum(window.minutes for window in windows) <= limits.AWAY_MINUTES
    return True


def snapshot(lenient: bool, data: bytes) -> bool:
    """Whatever is read, of the Rust agent too, is one that a peer of ours could have sent."""
    value = _value(BodyForm.JSON, data)
    taken = attempt(lambda: snapshot_from_object(value, lenient=lenient), WireError)
    if not isinstance(taken, Snapshot):
        return False
    assert snapshot_from_object(snapshot_to_object(taken)) == taken
    assert len(taken.apps) <= limits.APPS_PER_STATE
    return True


def join(form: BodyForm, data: bytes) -> bool:
    """A join that is read goes round; its token shows in no representation."""
    value = _value(form, data)
    params = attempt(lambda: JoinParams.from_object(value, binary=form.binary), WireError)
    if not isinstance(params, JoinParams):
        return False
    assert JoinParams.from_object(params.to_object(binary=form.binary), binary=form.binary) == params
    assert params.token.hex() not in repr(params)
    assert params.did.public_key.hex().encode() in params.message
    return True


def tokenless_join(form: BodyForm, data: bytes) -> bool:
    """A join of the Rust agent goes round; none with a token is taken for one (invariant 3)."""
    value = _value(form, data)
    params = attempt(lambda: TokenlessJoin.from_object(value, binary=form.binary), WireError)
    if not isinstance(params, TokenlessJoin):
        return False
    assert isinstance(value, dict)
    assert "token" not in value
    assert TokenlessJoin.from_object(params.to_object(binary=form.binary), binary=form.binary) == params
    return True


def join_reply(form: BodyForm, data: bytes) -> bool:
    """A consent that is read goes round."""
    value = _value(form, data)
    consent = attempt(lambda: JoinReply.from_object(value), WireError)
    if not isinstance(consent, JoinReply):
        return False
    assert JoinReply.from_object(consent.to_object(binary=form.binary)) == consent
    return True


def _value(form: BodyForm, data: bytes) -> object:
    value = attempt(lambda: form.decode(data, limits.REPLY_BYTES), WireError)
    return value if isinstance(value, dict | list | str | int | float | bytes) else None


def _sent(full: state.FullState, form: BodyForm) -> dict[str, object]:
    return state.full_state_to_object(full, binary=form.binary)


def _calls(form: BodyForm) -> Iterable[bytes]:
    yield jsonrpc.encode_call(form, "federation.get-state", {"have": None}, 1)
    params: dict[str, Any] = {"a": [1, {"b": None}]}
    for members in (
        {"jsonrpc": "2.0", "id": "x", "method": "m", "params": params},
        {"jsonrpc": "2.0", "method": "m"},
        {"method": "federation.get-state", "params": {}},
        {"jsonrpc": "1.0", "id": 1, "method": "m"},
        {"jsonrpc": "2.0", "id": True, "method": "m"},
        {"jsonrpc": "2.0", "id": 1, "method": "m", "params": []},
        [],
    ):
        yield form.encode(members)


def _replies(form: BodyForm) -> Iterable[bytes]:
    yield jsonrpc.encode_result(form, 7, form.encode({"unchanged": True}))
    yield jsonrpc.encode_error(form, 7, Busy("detail"))
    yield jsonrpc.encode_error(form, None, Busy(), "challenge")
    yield form.encode({"jsonrpc": "2.0", "id": 8, "result": 1})
    yield form.encode({"jsonrpc": "2.0", "id": 7, "result": 1, "error": {}})
    yield form.encode(
        {"jsonrpc": "2.0", "id": 7, "error": {"code": -1, "message": "x", "data": {"code": "X"}}}
    )


def _states() -> Iterable[dict[str, Any]]:
    rows = json.loads((VECTORS / "state.json").read_text(encoding="utf-8"))
    return (row["input"] for row in rows if isinstance(row["input"], dict))


def _answers(form: BodyForm) -> Iterable[bytes]:
    yield form.encode({"unchanged": True})
    for said in _states():
        body = json.dumps(said).encode()
        if form is BodyForm.JSON:
            yield body
            continue
        value = attempt(lambda body=body: BodyForm.JSON.decode(body, limits.REPLY_BYTES), WireError)
        full = attempt(lambda value=value: state.full_state_from_object(value, binary=False), WireError)
        if isinstance(full, state.FullState):
            yield form.encode(_sent(full, form))
    yield form.encode({"unchanged": False})
    patch = statedelta.Patch(cpu_tenths=7, changed=(statedelta.AppChange(0, "running"),))
    some = state.DeltaAnswer(statedelta.StateDelta(1, 2, 3, patch), bytes(64))
    yield form.encode(some.to_object(binary=form.binary))


def _deltas() -> Iterable[bytes]:
    rows = json.loads((VECTORS / "statedelta.json").read_text(encoding="utf-8"))
    return (bytes.fromhex(row["delta"]) for row in rows)


def _params(form: BodyForm) -> Iterable[bytes]:
    epoch: object = bytes(8) if form.binary else "00" * 8
    for members in (
        {},
        {"have": None},
        {"have": {"epoch": epoch, "seq": 7}},
        {"have": {"epoch": 1, "seq": -1}},
    ):
        yield form.encode(members)


def _snapshots() -> Iterable[bytes]:
    yield from (json.dumps(said["state"]).encode() for said in _states() if "state" in said)
    yield b'{"timestamp":"2026-03-10T12:00:00.1+00:00","node_name":"","apps":null,"mem_used_bytes":1025}'
    yield b'{"apps":[],"cpu_usage_percent":-1}'


def _joins(form: BodyForm) -> Iterable[bytes]:
    sample = JoinParams(did=did(1), onion=onion(1), token=bytes(range(16)), signature=bytes(64), name="attic")
    members: Any = sample.to_object(binary=form.binary)
    signed = {**members, "signature": key(1).sign(sample.message).hex(), "future": [1]}
    changes = ({}, {"pubkey": "00" * 32}, {"token": "00"}, {"did": str(did(2))}, {"name": "\u202e"})
    yield from (form.encode({**signed, **change}) for change in changes)


def _tokenless_joins(form: BodyForm) -> Iterable[bytes]:
    sample = TokenlessJoin(did=did(1), onion=onion(1), signature=bytes(64))
    members: Any = sample.to_object(binary=form.binary)
    changes = ({}, {"name": "attic"}, {"token": "ab" * 16}, {"token": None}, {"signature": "00"})
    yield from (form.encode({**members, **change}) for change in changes)


def _join_replies(form: BodyForm) -> Iterable[bytes]:
    yield form.encode(JoinReply(TrustLevel.OBSERVER).to_object(binary=form.binary))
    yield form.encode({"joined": 1, "trust": "observer"})


def _both(
    name: str,
    read: Callable[[BodyForm, bytes], bool],
    seeds: Callable[[BodyForm], Iterable[bytes]],
) -> Iterable[Target]:
    for form in BodyForm:
        yield Target(f"{name}-{_WORDS[form]}", partial(read, form), partial(seeds, form), _TREES[form])


def _windows(form: BodyForm) -> Iterable[bytes]:
    rows = json.loads((VECTORS / "away.json").read_text(encoding="utf-8"))
    for row in rows:
        yield form.encode(row["away"])


TARGETS: Final = (
    *_both("call", call, _calls),
    *_both("reply", reply, _replies),
    *_both("state-answer", answer, _answers),
    *_both("state-params", get_state_params, _params),
    *_both("away", away_windows, _windows),
    *_both("join", join, _joins),
    *_both("tokenless-join", tokenless_join, _tokenless_joins),
    *_both("join-reply", join_reply, _join_replies),
    Target("state-delta", delta, _deltas, Form.CBOR),
    Target("snapshot", partial(snapshot, False), _snapshots, Form.JSON),
    Target("snapshot-lenient", partial(snapshot, True), _snapshots, Form.JSON),
)
