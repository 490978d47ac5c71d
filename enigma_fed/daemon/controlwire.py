"""Calls and errors on the lines of the control socket: errors come out as they went in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeVar

import msgspec

from enigma_fed.base import rpc_errors
from enigma_fed.base.errors import EnigmaError, OperationFailed, RefusedByPeer, StateRefused, WireError
from enigma_fed.daemon.calls import CALLS, Call, Params
from enigma_fed.wire import controlline

R = TypeVar("R")
_ROOT: Final = rpc_errors.__name__.rpartition(".")[0]


class Request(msgspec.Struct, frozen=True):
    """One call on its way."""

    id: int
    call: Call[Any]
    params: Params


def encode_request(number: int, call: Call[Any], params: Params) -> bytes:
    """A request as a line."""
    return controlline.encode_request(number, call.name, params)


def decode_request(line: bytes) -> Request:
    """Read a request line; raises WireError, MethodNotFound, InvalidParams."""
    said = controlline.decode_request(line)
    call = CALLS.get(said.method)
    if call is None:
        raise rpc_errors.MethodNotFound(hint="The agent may be older than the command: restart it.")
    try:
        return Request(said.id, call, msgspec.convert(said.params, type=call.params))
    except msgspec.ValidationError:
        # The library's text may quote a value, and a value may be a code.
        raise rpc_errors.InvalidParams(f"of {said.method}") from None


def encode_result(number: int, result: object) -> bytes:
    """A result as a line."""
    return controlline.encode_result(number, result)


def encode_error(number: int | None, error: EnigmaError) -> bytes:
    """An error as a line: its class by name, its code, detail and hint."""
    names = [kind.__name__ for kind in type(error).__mro__ if issubclass(kind, EnigmaError)]
    data = controlline.ErrorData(classes=names, code=error.code, detail=error.detail, hint=error.hint)
    return controlline.encode_error(number, error.rpc_code, error.what, data)


def decode_response(line: bytes, call: Call[R], number: int) -> R:
    """The result of a response line; raises the error in it, or OperationFailed for a broken line."""
    try:
        said = controlline.decode_response(line)
        result = call.read(said.result) if said.error is None and said.id == number else None
    except (msgspec.ValidationError, WireError):
        raise OperationFailed(
            "the agent's answer was not understood", hint="Restart the agent after an update."
        ) from None
    if said.error is not None:
        raise _error(said.error.data)
    if result is None:
        raise OperationFailed("the agent answered another question")
    return result


def _error(data: controlline.ErrorData) -> EnigmaError:
    known = {kind.__name__: kind for kind in _error_classes(EnigmaError)}
    kind = next((known[name] for name in data.classes if name in known), OperationFailed)
    if issubclass(kind, RefusedByPeer):
        return kind(data.code, data.detail, hint=data.hint)
    if issubclass(kind, StateRefused):
        return kind(*data.detail.split(": ", 1), hint=data.hint)
    return kind(data.detail, hint=data.hint)


def _error_classes(root: type[EnigmaError]) -> Iterator[type[EnigmaError]]:
    """The tree of base/: classes of other rooms cross as their nearest ancestor there."""
    if root.__module__.startswith(_ROOT):
        yield root
    for kind in root.__subclasses__():
        yield from _error_classes(kind)
