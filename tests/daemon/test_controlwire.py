"""Control lines: what goes in comes out, errors included."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enigma_fed.base.errors import (
    EnigmaError,
    InviteExpired,
    OperationFailed,
    PeerUnreachable,
    RefusedByPeer,
    StateRefused,
    StoreDamaged,
    UnsignedReply,
    WireError,
)
from enigma_fed.base.rpc_errors import InvalidParams, MethodNotFound, RpcError, TokenUsed
from enigma_fed.daemon import calls
from enigma_fed.daemon.controlwire import (
    decode_request,
    decode_response,
    encode_error,
    encode_request,
    encode_result,
)
from enigma_fed.wire.views import PingView

PARAMS = calls.InviteAccept(code="fed1:x", trust="observer", allow_unsigned=False)
PING = PingView(did="d", name="n", latency_ms=1.5)


def test_a_request_survives() -> None:
    line = encode_request(7, calls.INVITE_ACCEPT, PARAMS)
    assert line.count(b"\n") == 1
    request = decode_request(line)
    assert (request.id, request.call, request.params) == (7, calls.INVITE_ACCEPT, PARAMS)


def test_a_result_survives() -> None:
    assert decode_response(encode_result(1, PING), calls.PEER_PING, 1) == PING
    assert decode_response(encode_result(1, []), calls.PEER_LIST, 1) == []


@pytest.mark.parametrize(
    "error",
    [
        InviteExpired("it ended 3 h ago", hint="Ask for a new one."),
        StoreDamaged("nodes.json"),
        TokenUsed("by another"),
        RefusedByPeer("not-allowed", "no"),
        StateRefused("bad-signature", "it does not hold", hint="Look."),
        UnsignedReply("HTTP status 502"),
        StateRefused("bad-signature", "the signature of its state: it does not hold"),
        WireError("the peer's state went back within its epoch"),
    ],
)
def test_an_error_comes_out_as_the_same_class_with_the_same_words(error: EnigmaError) -> None:
    with pytest.raises(type(error)) as caught:
        decode_response(encode_error(1, error), calls.STATUS, 1)
    assert str(caught.value) == str(error)
    assert (caught.value.code, caught.value.exit_code) == (error.code, error.exit_code)


def test_an_error_of_a_class_that_the_command_does_not_know_comes_out_as_its_nearest_ancestor() -> None:
    class Newer(PeerUnreachable):
        """Something newer."""

    with pytest.raises(PeerUnreachable) as caught:
        decode_response(encode_error(1, Newer("why")), calls.STATUS, 1)
    assert type(caught.value) is PeerUnreachable
    assert caught.value.detail == "why"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        b'{"a":1,"a":2}',
        b'{"jsonrpc":"2.0","id":1}',
        b'{"jsonrpc":"2.0","id":true,"method":"status"}',
        b'{"jsonrpc":"1.0","id":1,"method":"status"}',
    ],
)
def test_what_is_no_request_is_refused(line: bytes) -> None:
    with pytest.raises(WireError):
        decode_request(line)


def test_an_unknown_method_and_wrong_params_are_refused_without_quoting_them() -> None:
    with pytest.raises(MethodNotFound):
        decode_request(b'{"jsonrpc":"2.0","id":1,"method":"__class__"}')
    with pytest.raises(InvalidParams) as caught:
        decode_request(
            b'{"jsonrpc":"2.0","id":1,"method":"invite_accept","params":{"code":5,"fed1:secret":1}}'
        )
    assert "secret" not in str(caught.value)


@given(st.binary(max_size=100))
def test_any_line_gives_a_request_or_the_declared_errors(line: bytes) -> None:
    with pytest.raises((WireError, RpcError)):
        decode_request(line)


@given(st.binary(max_size=100))
def test_any_answer_gives_the_declared_error(line: bytes) -> None:
    with pytest.raises(EnigmaError):
        decode_response(line, calls.PEER_PING, 1)


def test_an_answer_to_another_question_is_refused() -> None:
    with pytest.raises(OperationFailed):
        decode_response(encode_result(2, PING), calls.PEER_PING, 1)
