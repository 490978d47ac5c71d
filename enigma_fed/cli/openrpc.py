"""The generated description of the RPC, data/openrpc.json (OpenRPC 1.3), from the methods and the errors.

`make docs` writes it. It says what travels in a JSON body; how a request is signed is in PROTOCOL section 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from enigma_fed import __version__
from enigma_fed.base import limits, rpc_errors
from enigma_fed.base.rpc_errors import RpcError
from enigma_fed.federation.client import GET_STATE, PEER_JOINED
from enigma_fed.rpc.methods import Method
from enigma_fed.wire.httpsig import PATH
from enigma_fed.wire.records import TrustLevel

Schema = dict[str, Any]

_DID: Final = {"type": "string", "pattern": "^did:key:z6Mk[1-9A-HJ-NP-Za-km-z]{44}$"}
_ONION: Final = {"type": "string", "pattern": r"^[a-z2-7]{56}\.onion$"}
_NAME: Final = {"type": "string", "minLength": 1, "maxLength": limits.NODE_NAME_BYTES}
_COUNT: Final = {"type": "integer", "minimum": 0, "maximum": limits.INTEGER_MAX}
_APP_FIELD: Final = {"type": "string", "minLength": 1, "maxLength": limits.APP_FIELD_BYTES}
_SUMMARIES: Final = (
    (GET_STATE, "The state of this node, what changed in it, or that nothing did (PROTOCOL section 2)."),
    (PEER_JOINED, "A joiner's announcement with the token of its invite (PROTOCOL section 4)."),
    ("package.install", "Refused in this version: no app policy."),
)


def _hex(size: int) -> Schema:
    return {"type": "string", "pattern": f"^[0-9a-f]{{{2 * size}}}$"}


def _base64url(size: int) -> Schema:
    return {"type": "string", "pattern": f"^[A-Za-z0-9_-]{{{-(-size * 4 // 3)}}}$"}


def _object(required: Schema, optional: Schema | None = None, *, closed: bool = True) -> Schema:
    schema = {"type": "object", "required": list(required), "properties": {**required, **(optional or {})}}
    return {**schema, "additionalProperties": False} if closed else schema


def _have() -> Schema:
    return {"oneOf": [{"type": "null"}, _object({"epoch": _hex(8), "seq": _COUNT}, closed=False)]}


def _state() -> Schema:
    app = _object(
        {"id": _APP_FIELD, "status": _APP_FIELD}, {"version": {"oneOf": [_APP_FIELD, {"type": "null"}]}}
    )
    size = {**_COUNT, "multipleOf": 1024}
    sizes = ("mem_used_bytes", "mem_total_bytes", "disk_used_bytes", "disk_total_bytes")
    gauges = {
        "node_name": _NAME,
        "cpu_usage_percent": {"type": "number", "minimum": 0, "maximum": 100},
        **dict.fromkeys(sizes, size),
        "uptime_secs": _COUNT,
        "tor_active": {"type": "boolean"},
    }
    return _object({"apps": {"type": "array", "maxItems": limits.APPS_PER_STATE, "items": app}}, gauges)


def _full_state() -> Schema:
    return _object(
        {
            "epoch": _hex(8),
            "seq": _COUNT,
            "ts": {"type": "integer", "minimum": 0, "maximum": 2**32 - 1},
            "started": _COUNT,
            "state": _state(),
            "sig": _base64url(64),
        }
    )


def _delta() -> Schema:
    return _object({"delta": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"}, "sig": _base64url(64)})


def params_schema(method: str) -> tuple[Schema, Schema]:
    """The required and the optional params of a method, by name, as JSON Schemas."""
    if method == GET_STATE:
        return {}, {"have": _have()}
    if method == PEER_JOINED:
        keys = {"did": _DID, "onion": _ONION, "pubkey": _hex(32), "signature": _hex(64), "token": _hex(16)}
        return keys, {"name": _NAME}
    return {}, {}


def result_schema(method: str) -> Schema:
    """What a method returns, as a JSON Schema."""
    if method == GET_STATE:
        return {"oneOf": [_object({"unchanged": {"const": True}}), _delta(), _full_state()]}
    if method == PEER_JOINED:
        return _object({"joined": {"const": True}, "trust": {"enum": [str(level) for level in TrustLevel]}})
    return {}


def methods() -> tuple[Method, ...]:
    """Every method of an agent; their handlers are never called here."""
    from typing import cast

    from enigma_fed.federation.methods import peer_joined_method
    from enigma_fed.rpc.builtin import package_install
    from enigma_fed.state.methods import get_state_method

    nothing = cast(Any, None)
    return get_state_method(nothing), peer_joined_method(nothing), package_install()


def document() -> Schema:
    """The whole description."""
    described = [_describe(method) for method in methods()]
    return {
        "openrpc": "1.3.2",
        "info": {
            "title": "enigma-fed",
            "version": __version__,
            "description": f"Signed JSON-RPC 2.0 between homes, POST {PATH}; see docs/PROTOCOL.md. "
            "CBOR bodies have the same members, with bytes where these are hexadecimal or base64url.",
            "license": {"name": "MIT"},
        },
        "methods": sorted(described, key=lambda entry: str(entry["name"])),
        "components": {"errors": {error.code: _error(error) for error in errors()}},
    }


def _describe(method: Method) -> Schema:
    required, optional = params_schema(method.name)
    params = [
        {"name": name, "required": name in required, "schema": schema}
        for name, schema in {**required, **optional}.items()
    ]
    return {
        "name": method.name,
        "summary": dict(_SUMMARIES)[method.name],
        "paramStructure": "by-name",
        "params": params,
        "result": {"name": "result", "schema": result_schema(method.name)},
        "errors": [{"$ref": f"#/components/errors/{error.code}"} for error in errors()],
        "x-least-trust": None if method.trust is None else method.trust.value,
        "x-open-to-unknown": method.open_to_unknown,
        "x-always-challenged": method.challenge,
    }


def errors() -> Iterator[type[RpcError]]:
    """Every error of the RPC, in the order of PROTOCOL section 9."""
    for found in vars(rpc_errors).values():
        if isinstance(found, type) and issubclass(found, RpcError) and found is not RpcError:
            yield found


def _error(kind: type[RpcError]) -> Schema:
    first = (kind.__doc__ or "").strip().splitlines()[0]
    return {"code": kind.rpc_code, "message": first, "data": {"code": kind.code}}


def text() -> str:
    """The file's content."""
    return msgspec.json.format(msgspec.json.encode(document()), indent=2).decode("utf-8") + "\n"
