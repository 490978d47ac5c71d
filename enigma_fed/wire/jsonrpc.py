"""JSON-RPC 2.0 envelopes in JSON and CBOR bodies (PROTOCOL section 1).

One deliberate deviation: an object with neither `jsonrpc` nor `id`, as the Rust agent sends
it, is a call and is answered with `id: null`. Batches are refused.
"""

from __future__ import annotations

import enum
import re
from typing import Final

import msgspec

from enigma_fed.base import limits
from enigma_fed.base.errors import EnigmaError, WireError
from enigma_fed.base.rpc_errors import InvalidParams, InvalidRequest, ParseError
from enigma_fed.wire import cbor, itemcount, strictjson

CallId = int | str | None
"""What can stand in `id`."""

_VERSION: Final = "2.0"
_WORD: Final = re.compile(r"[a-z][a-z0-9-]{0,63}")
_CBOR_HEAD: Final = b"\xa3\x62id"
_CBOR_RESULT: Final = b"\x66result"
_CBOR_TAIL: Final = b"\x67jsonrpc\x632.0"


class BodyForm(enum.Enum):
    """How a body is written; the value is its `Content-Type`."""

    JSON = "application/json"
    CBOR = "application/cbor"

    def __init__(self, content_type: str) -> None:
        # Plain attributes: those of an enumeration are looked up by a function, each time.
        self.content_type = content_type
        self.binary = content_type == "application/cbor"
        """Whether values may hold bytes."""

    def encode(self, value: object) -> bytes:
        """The body of a plain value."""
        return cbor.encode(value) if self is BodyForm.CBOR else strictjson.encode(value)

    def decode(self, body: bytes, limit: int, items: int = limits.BODY_ITEMS) -> object:
        """The plain value of a body of at most `limit` bytes and `items` values; raises WireError."""
        itemcount.check(body, items, binary=self.binary)
        codec = cbor if self is BodyForm.CBOR else strictjson
        return codec.decode(body, limit=limit)


def body_form(content_type: str) -> BodyForm | None:
    """The form of exactly this `Content-Type`."""
    return _FORMS.get(content_type)


_FORMS: Final = {form.value: form for form in BodyForm}


class Call(msgspec.Struct, frozen=True):
    """A request."""

    method: str
    params: dict[str, object]
    id: CallId
    notification: bool
    """Whether nothing is to be answered."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """A reply: a result, or an error's words."""

    result: object = None
    error: str | None = None
    """The word in `error.data.code`; None for a result."""
    message: str = ""
    challenge: str | None = None
    """`error.data.challenge`."""


def encode_call(form: BodyForm, method: str, params: object, call_id: int) -> bytes:
    """The body of a call."""
    return form.encode({"jsonrpc": _VERSION, "id": call_id, "method": method, "params": params})


def decode_call(form: BodyForm, body: bytes, items: int = limits.BODY_ITEMS) -> Call:
    """Read a request's body of at most `items` values; raises ParseError, InvalidRequest, InvalidParams."""
    try:
        value = form.decode(body, limits.REQUEST_BYTES, items)
    except WireError as error:
        raise ParseError(error.detail) from None
    if isinstance(value, list):
        raise InvalidRequest("batches are not served")
    if not isinstance(value, dict):
        raise InvalidRequest("it must be one object")
    if value.get("jsonrpc", _VERSION) != _VERSION or ("id" in value and "jsonrpc" not in value):
        raise InvalidRequest('jsonrpc must be "2.0"')
    method = value.get("method")
    if not isinstance(method, str) or not 0 < len(method) <= limits.METHOD_CHARACTERS:
        raise InvalidRequest("method must be a short string")
    call_id = _read_id(value.get("id"))
    params = value.get("params", {})
    if not isinstance(params, dict):
        raise InvalidParams("params must be an object")
    return Call(method, params, call_id, "jsonrpc" in value and "id" not in value)


def encode_result(form: BodyForm, call_id: CallId, encoded: bytes) -> bytes:
    """The body of a reply whose result is already `encoded` in that form."""
    if form is BodyForm.CBOR:
        return b"".join((_CBOR_HEAD, cbor.encode_checked(call_id), _CBOR_RESULT, encoded, _CBOR_TAIL))
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (strictjson.encode(call_id), encoded)


def encode_error(form: BodyForm, call_id: CallId, error: EnigmaError, challenge: str = "") -> bytes:
    """The body of an error reply: number, sentence, and `data` with the word that callers decide by."""
    data = {"code": error.code}
    if challenge:
        data["challenge"] = challenge
    members = {"code": error.rpc_code, "message": _message(error), "data": data}
    return form.encode({"jsonrpc": _VERSION, "id": call_id, "error": members})


def decode_outcome(form: BodyForm, body: bytes, call_id: int) -> Outcome:
    """Read a reply's body to the call `call_id`; raises WireError."""
    value = form.decode(body, limits.REPLY_BYTES)
    if not isinstance(value, dict) or value.get("jsonrpc", _VERSION) != _VERSION:
        raise WireError("the reply is not a JSON-RPC object")
    if ("result" in value) == ("error" in value):
        raise WireError("the reply holds neither a result nor an error, or both")
    if "error" in value:
        if value.get("id") not in (call_id, None):
            raise WireError("the reply is to another call")
        return _read_error(value["error"])
    if value.get("id") != call_id or isinstance(value["id"], bool):
        raise WireError("the reply is to another call")
    return Outcome(result=value["result"])


def _read_id(value: object) -> CallId:
    if value is None or (isinstance(value, str) and len(value) <= limits.CALL_ID_CHARACTERS):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise InvalidRequest("id must be a short string, an integer or null")


def _read_error(value: object) -> Outcome:
    data = value.get("data") if isinstance(value, dict) else None
    word = data.get("code") if isinstance(data, dict) else None
    message = value.get("message") if isinstance(value, dict) else None
    if not isinstance(data, dict) or not isinstance(message, str) or not isinstance(word, str):
        raise WireError("the reply's error does not say its code")
    if _WORD.fullmatch(word) is None:
        raise WireError("the reply's error does not say its code")
    challenge = data.get("challenge")
    if challenge is not None and not isinstance(challenge, str):
        raise WireError("the reply's challenge is not a string")
    return Outcome(error=word, message=message, challenge=challenge)


def _message(error: EnigmaError) -> str:
    return f"{error.what}: {error.detail}" if error.detail else error.what
