"""The lines of the control socket: JSON-RPC 2.0, one object per line (docs/ARCHITECTURE.md, "One writer")."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from enigma_fed.base import limits
from enigma_fed.base.errors import WireError
from enigma_fed.wire import fields, strictjson

_VERSION: Final = "2.0"


class RequestLine(msgspec.Struct, frozen=True):
    """A call on its way; which methods there are and what `params` must be is the reader's."""

    id: int
    method: str
    params: object


class ErrorData(msgspec.Struct, frozen=True, kw_only=True):
    """What `error.data` says: the error's classes by name, nearest first, its word and its texts."""

    classes: list[str] = []
    code: str = "refused"
    detail: str = ""
    hint: str = ""


class _Error(msgspec.Struct, frozen=True, kw_only=True):
    code: int = 0
    message: str = ""
    data: ErrorData


class ResponseLine(msgspec.Struct, frozen=True, kw_only=True):
    """An answer: an error, or else a result of any kind."""

    id: int | None = None
    result: Any = None
    error: _Error | None = None


def encode_request(number: int, method: str, params: msgspec.Struct) -> bytes:
    """A request as a line."""
    return _line({"jsonrpc": _VERSION, "id": number, "method": method, "params": params})


def decode_request(line: bytes) -> RequestLine:
    """Read a request line of at most limits.CONTROL_LINE_BYTES; raises WireError."""
    members = fields.mapping(strictjson.decode(line, limit=limits.CONTROL_LINE_BYTES), "request")
    number, method = members.get("id"), members.get("method")
    if members.get("jsonrpc") != _VERSION or type(number) is not int or not isinstance(method, str):
        raise WireError("it is not a JSON-RPC request")
    return RequestLine(number, method, members.get("params", {}))


def encode_result(number: int, result: object) -> bytes:
    """A result as a line."""
    return _line({"jsonrpc": _VERSION, "id": number, "result": result})


def encode_error(number: int | None, code: int, message: str, data: ErrorData) -> bytes:
    """An error as a line."""
    return _line({"jsonrpc": _VERSION, "id": number, "error": _Error(code=code, message=message, data=data)})


def decode_response(line: bytes) -> ResponseLine:
    """Read a response line of the own agent, of any size; raises WireError."""
    try:
        return msgspec.json.decode(line, type=ResponseLine)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise WireError("it is not a JSON-RPC response") from None


def _line(value: object) -> bytes:
    return msgspec.json.encode(value) + b"\n"
