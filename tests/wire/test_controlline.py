"""Lines of the control socket; what the calls and errors on them mean is tested in tests/daemon."""

from __future__ import annotations

import json

import msgspec
import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import WireError
from enigma_fed.wire import controlline
from enigma_fed.wire.controlline import ErrorData


class Params(msgspec.Struct):
    ref: str


def test_requests_results_and_errors_go_round() -> None:
    request = controlline.decode_request(controlline.encode_request(7, "peer_show", Params("attic")))
    assert (request.id, request.method, request.params) == (7, "peer_show", {"ref": "attic"})
    response = controlline.decode_response(controlline.encode_result(7, [Params("attic")]))
    assert (response.id, response.result, response.error) == (7, [{"ref": "attic"}], None)
    data = ErrorData(classes=["NotFound", "EnigmaError"], code="not-found", detail="attic", hint="Look.")
    response = controlline.decode_response(controlline.encode_error(None, -32052, "Not found", data))
    assert response.id is None
    assert response.error is not None
    assert (response.error.data, response.error.code) == (data, -32052)


def test_a_line_is_one_line() -> None:
    assert controlline.encode_result(1, "a\nb").count(b"\n") == 1


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"null",
        b'{"a":1,"a":2}',
        b'{"jsonrpc":"1.0","id":1,"method":"status"}',
        b'{"jsonrpc":"2.0","id":true,"method":"status"}',
        b'{"jsonrpc":"2.0","id":1,"method":7}',
        b" " * limits.CONTROL_LINE_BYTES + b"{}",
    ],
)
def test_what_is_no_request_is_refused(line: bytes) -> None:
    with pytest.raises(WireError):
        controlline.decode_request(line)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\xff",
        b'"\xff"',
        b"[]",
        b'{"id":"1"}',
        b'{"error":{}}',
        b'{"error":{"data":{"classes":[[]]}}}',
        b'{"error":{"data":{"classes":"x"}}}',
        b'{"result":' + b"[" * 100_000,
    ],
)
def test_what_is_no_response_is_refused(line: bytes) -> None:
    with pytest.raises(WireError):
        controlline.decode_response(line)


def test_members_that_a_newer_agent_adds_do_no_harm() -> None:
    line = json.dumps({"jsonrpc": "2.0", "id": 1, "result": 5, "took_ms": 3}).encode()
    assert controlline.decode_response(line).result == 5
