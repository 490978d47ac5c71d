"""JSON-RPC envelopes."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enigma_fed.base.errors import WireError
from enigma_fed.base.rpc_errors import InvalidParams, InvalidRequest, NotAllowed, ParseError, RpcError, Stale
from enigma_fed.wire import cbor, jsonrpc
from enigma_fed.wire.jsonrpc import BodyForm, Call

FORMS = list(BodyForm)


@pytest.mark.parametrize("form", FORMS)
def test_calls_go_round(form: BodyForm) -> None:
    body = jsonrpc.encode_call(form, "federation.get-state", {"have": None}, 1)
    assert jsonrpc.decode_call(form, body) == Call("federation.get-state", {"have": None}, 1, False)


def test_the_rust_agents_call_is_answered_with_id_null() -> None:
    call = jsonrpc.decode_call(BodyForm.JSON, b'{"method":"federation.get-state","params":{}}')
    assert (call.id, call.notification) == (None, False)
    assert jsonrpc.encode_result(BodyForm.JSON, call.id, b"{}") == b'{"jsonrpc":"2.0","id":null,"result":{}}'


def test_without_id_but_with_version_it_is_a_notification() -> None:
    assert jsonrpc.decode_call(BodyForm.JSON, b'{"jsonrpc":"2.0","method":"m"}').notification
    assert not jsonrpc.decode_call(BodyForm.JSON, b'{"jsonrpc":"2.0","method":"m","id":null}').notification


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", ParseError),
        (b"{", ParseError),
        (b'{"method":"a","method":"b"}', ParseError),
        (b'{"method":"a","params":{"x":NaN}}', ParseError),
        (b"\xff", ParseError),
        (b"[]", InvalidRequest),
        (b'[{"jsonrpc":"2.0","method":"m","id":1}]', InvalidRequest),
        (b"1", InvalidRequest),
        (b"null", InvalidRequest),
        (b"{}", InvalidRequest),
        (b'{"jsonrpc":"1.0","method":"m","id":1}', InvalidRequest),
        (b'{"jsonrpc":null,"method":"m","id":1}', InvalidRequest),
        (b'{"method":"m","id":1}', InvalidRequest),
        (b'{"jsonrpc":"2.0","method":7,"id":1}', InvalidRequest),
        (b'{"jsonrpc":"2.0","method":"","id":1}', InvalidRequest),
        (b'{"jsonrpc":"2.0","method":"m","id":true}', InvalidRequest),
        (b'{"jsonrpc":"2.0","method":"m","id":1.5}', InvalidRequest),
        (b'{"jsonrpc":"2.0","method":"m","id":{}}', InvalidRequest),
        (b'{"jsonrpc":"2.0","method":"m","id":1,"params":[1]}', InvalidParams),
    ],
)
def test_what_is_no_call_is_refused(body: bytes, error: type[RpcError]) -> None:
    with pytest.raises(error):
        jsonrpc.decode_call(BodyForm.JSON, body)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("call_id", [1, "a", None])
def test_results_are_spliced_into_canonical_envelopes(form: BodyForm, call_id: jsonrpc.CallId) -> None:
    result = {"up": True}
    body = jsonrpc.encode_result(form, call_id, form.encode(result))
    assert form.decode(body, 1000) == {"jsonrpc": "2.0", "id": call_id, "result": result}
    if form is BodyForm.CBOR:
        assert body == cbor.encode({"jsonrpc": "2.0", "id": call_id, "result": result})


def test_the_form_is_told_by_exactly_its_content_type() -> None:
    assert [jsonrpc.body_form(form.value) for form in FORMS] == FORMS
    for other in (
        "",
        "application/json; charset=utf-8",
        "Application/JSON",
        "text/json",
        "application/cbor ",
    ):
        assert jsonrpc.body_form(other) is None


@pytest.mark.parametrize("form", FORMS)
def test_results_go_round(form: BodyForm) -> None:
    body = jsonrpc.encode_result(form, 1, form.encode({"x": [1, None]}))
    assert jsonrpc.decode_outcome(form, body, 1).result == {"x": [1, None]}
    with pytest.raises(WireError):
        jsonrpc.decode_outcome(form, body, 2)


@pytest.mark.parametrize("form", FORMS)
def test_errors_go_round_by_their_word(form: BodyForm) -> None:
    outcome = jsonrpc.decode_outcome(form, jsonrpc.encode_error(form, None, NotAllowed("observer")), 1)
    assert (outcome.error, outcome.challenge) == ("not-allowed", None)
    assert outcome.message == "The caller's trust level does not allow this: observer"
    stale = jsonrpc.encode_error(form, 1, Stale("late"), challenge="abc")
    assert jsonrpc.decode_outcome(form, stale, 1).challenge == "abc"


def test_an_error_carries_its_number_and_word() -> None:
    body = json.loads(jsonrpc.encode_error(BodyForm.JSON, 7, NotAllowed()))
    assert body["id"] == 7
    assert body["error"]["code"] == -32021
    assert body["error"]["data"] == {"code": "not-allowed"}


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{}",
        b'{"id":1,"result":1,"error":{}}',
        b'{"jsonrpc":"1","id":1,"result":1}',
        b'{"result":1}',
        b'{"id":true,"result":1}',
        b'{"id":2,"error":{"code":1,"message":"","data":{"code":"x"}}}',
        b'{"id":1,"error":null}',
        b'{"id":1,"error":{"code":1,"message":"no data"}}',
        b'{"id":1,"error":{"code":1,"message":"","data":{"code":"Not A Word"}}}',
        b'{"id":1,"error":{"code":1,"message":"","data":{"code":"x","challenge":1}}}',
    ],
)
def test_what_is_no_reply_is_refused(body: bytes) -> None:
    with pytest.raises(WireError):
        jsonrpc.decode_outcome(BodyForm.JSON, body, 1)


@given(st.sampled_from(FORMS), st.binary(max_size=200))
def test_any_bytes_raise_only_what_is_declared(form: BodyForm, body: bytes) -> None:
    for candidate in (body, b'{"jsonrpc":"2.0","id":1,' + body + b"}"):
        with contextlib.suppress(ParseError, InvalidRequest, InvalidParams):
            jsonrpc.decode_call(form, candidate)
        with contextlib.suppress(WireError):
            jsonrpc.decode_outcome(form, candidate, 1)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 10) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_MEMBERS = st.sampled_from(["jsonrpc", "id", "method", "params", "result", "error", "other"])


@given(st.sampled_from(FORMS), st.dictionaries(_MEMBERS, _VALUES))
def test_any_object_raises_only_what_is_declared(form: BodyForm, value: dict[str, object]) -> None:
    body = form.encode(value)
    with contextlib.suppress(ParseError, InvalidRequest, InvalidParams):
        jsonrpc.decode_call(form, body)
    with contextlib.suppress(WireError):
        jsonrpc.decode_outcome(form, body, 1)
