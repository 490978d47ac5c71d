"""The lines of the control socket: JSON-RPC 2.0, one object per line; errors come out as they went in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeVar

import msgspec

from enigma_fed.base import limits, rpc_errors
from enigma_fed.base.errors import EnigmaError, OperationFailed, RefusedByPeer, WireError
from enigma_fed.daemon.calls import CALLS, Call, Params
from enigma_fed.wire import strictjson

R = TypeVar("R")
_ROOT: Final = rpc_errors.__name__.rpartition(".")[0]


class Request(msgspec.Struct, frozen=True):
    """One call on its way."""

    id: int
    call: Call[Any]
    params: Params


def encode_request(number: int, call: Call[Any], params: Params) -> bytes:
    """A request as a line."""
    return _line({"jsonrpc": "2.0", "id": number, "method": call.name, "params": msgspec.to_builtins(params)})


def decode_request(line: bytes) -> Request:
    """Read a request line; raises WireError, MethodNotFound, InvalidParams."""
    members = _object(strictjson.decode(line, limit=limits.CONTROL_LINE_BYTES))
    number, method = members.get("id"), members.get("method")
    if members.get("jsonrpc") != "2.0" or type(number) is not int or not isinstance(method, str):
        raise WireError("it is not a JSON-RPC request")
    call = CALLS.get(method)
    if call is None:
        raise rpc_errors.MethodNotFound(hint="The agent may be older than the command: restart it.")
    try:
        return Request(number, call, msgspec.convert(members.get("params", {}), type=call.params))
    except msgspec.ValidationError:
        # The library's text may quote a value, and a value may be a code.
        raise rpc_errors.InvalidParams(f"of {method}") from None


def encode_result(number: int, result: object) -> bytes:
    """A result as a line."""
    return _line({"jsonrpc": "2.0", "id": number, "result": msgspec.to_builtins(result)})


def encode_error(number: int | None, error: EnigmaError) -> bytes:
    """An error as a line: its class by name, its code, detail and hint."""
    names = [kind.__name__ for kind in type(error).__mro__ if issubclass(kind, EnigmaError)]
    data = {"classes": names, "code": error.code, "detail": error.detail, "hint": error.hint}
    body = {"code": error.rpc_code, "message": error.what, "data": data}
    return _line({"jsonrpc": "2.0", "id": number, "error": body})


def decode_response(line: bytes, call: Call[R], number: int) -> R:
    """The result of a response line; raises the error in it, or OperationFailed for a broken line."""
    try:
        outcome = _read_outcome(line, call, number)
    except (msgspec.DecodeError, msgspec.ValidationError, WireError):
        raise OperationFailed(
            "the agent's answer was not understood", hint="Restart the agent after an update."
        ) from None
    if isinstance(outcome, EnigmaError):
        raise outcome
    return outcome


def _read_outcome(line: bytes, call: Call[R], number: int) -> R | EnigmaError:
    members = _object(msgspec.json.decode(line))
    if "error" in members:
        return _error(_object(_object(members["error"]).get("data")))
    if members.get("id") != number:
        return OperationFailed("the agent answered another question")
    return call.read(members.get("result"))


def _line(value: object) -> bytes:
    return msgspec.json.encode(value) + b"\n"


def _object(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise WireError("it is not an object")
    return value


def _error(data: Mapping[str, Any]) -> EnigmaError:
    names, detail, hint = data.get("classes"), str(data.get("detail", "")), str(data.get("hint", ""))
    known = {kind.__name__: kind for kind in _error_classes(EnigmaError)}
    found = (known[name] for name in names if name in known) if isinstance(names, list) else iter(())
    kind = next(found, OperationFailed)
    if issubclass(kind, RefusedByPeer):
        return kind(str(data.get("code", "refused")), detail, hint=hint)
    return kind(detail, hint=hint)


def _error_classes(root: type[EnigmaError]) -> Iterator[type[EnigmaError]]:
    """The tree of base/: classes of other rooms cross as their nearest ancestor there."""
    if root.__module__.startswith(_ROOT):
        yield root
    for kind in root.__subclasses__():
        yield from _error_classes(kind)
