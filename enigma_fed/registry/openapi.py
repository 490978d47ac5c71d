"""The OpenAPI 3.1 document of a registry, made from its table of routes.

It is served at `/openapi.json`, and `make docs` writes docs/openapi-registry.json. It describes every route,
also those that a registry's settings switch off.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final

import msgspec

from enigma_fed import __version__
from enigma_fed.base.registry_errors import CLASSES
from enigma_fed.registry.routes import ROUTES, Proof, Route, When
from enigma_fed.wire import registryschema as schemas

Members = dict[str, Any]

_OPENAPI: Final = "3.1.0"
_JSON: Final = "application/json"
_EVERYWHERE: Final = (
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
_OF_BODIES: Final = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
)
_LATER: Final = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_PROOFS: Final = {
    Proof.WORK: "A solved challenge of `/pow/challenge`, where one is asked for: `challenge:solution`.",
    Proof.PEER: "With a peer's signature (RFC 9421) over the request.",
    Proof.PEER_OR_CERTIFICATE: "With a peer's signature (RFC 9421) over the request, or over mutual TLS.",
    Proof.OWNER: "With a statement that the registered key signed.",
}


def document(version: str = __version__) -> Members:
    """The document as plain values."""
    paths: dict[str, Members] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": _OPENAPI,
        "info": {
            "title": "Identity registry",
            "version": version,
            "description": "Identities in encrypted envelopes; docs/REGISTRY.md says what each route means.",
        },
        "paths": paths,
        "components": {"schemas": dict(schemas.SCHEMAS)},
    }


def text() -> str:
    """The document as the file in docs/ has it."""
    return msgspec.json.format(msgspec.json.encode(document()), indent=2).decode() + "\n"


def compact() -> bytes:
    """The document as it is served."""
    return msgspec.json.encode(document())


def _operation(route: Route) -> Members:
    operation: Members = {
        "operationId": route.name,
        "summary": route.summary,
        "responses": {"200": _success(route)}
        | {str(status): _failure(status) for status in _statuses(route)},
    }
    about = [_PROOFS[route.proof]] if route.proof.refuses else []
    about += {When.POW: ["Where proof of work is on."], When.OLDER: ["Where older routes are on."]}.get(
        route.when, []
    )
    if about:
        operation["description"] = " ".join(about)
    parameters = list(_parameters(route))
    if parameters:
        operation["parameters"] = parameters
    if route.reads is not None:
        operation["requestBody"] = {"required": True, "content": _json(route.reads)}
    return operation


def _parameters(route: Route) -> Iterable[Members]:
    if route.parameter is not None:
        yield _parameter(route.parameter, "path", schemas.one_of("UserId"), "The user's id.", required=True)
    if route.proof is Proof.WORK:
        yield _parameter("x-enigma-pow", "header", {"type": "string"}, _PROOFS[Proof.WORK])
    if route.when is When.POW:
        priced = sorted({each.head for each in ROUTES if each.proof is Proof.WORK})
        yield _parameter("route", "query", {"enum": priced}, "The route it is to be good for, and no other.")


def _parameter(name: str, place: str, schema: Members, about: str, *, required: bool = False) -> Members:
    return {"name": name, "in": place, "required": required, "description": about, "schema": schema}


def _statuses(route: Route) -> list[int]:
    found = {*_EVERYWHERE, *route.fails}
    if route.reads is not None:
        found.update(_OF_BODIES)
    if route.parameter is not None or route.proof is Proof.WORK or route.when is When.POW:
        found.add(HTTPStatus.BAD_REQUEST)
    if route.when is not When.ALWAYS:
        found.add(HTTPStatus.NOT_FOUND)
    if route.proof.refuses:
        found.add(HTTPStatus.UNAUTHORIZED)
    return sorted(found)


def _success(route: Route) -> Members:
    success: Members = {"description": "Done.", "content": _json(route.answers)}
    if route.name == "announce":
        success["headers"] = {"Reannounce-After": _seconds("After which to announce again.")}
    return success


def _failure(status: int) -> Members:
    codes = " or ".join(kind.registry_code for kind in CLASSES if kind.http_status == status)
    failure: Members = {"description": f"{codes}.", "content": _json("Error")}
    if status in _LATER:
        failure["headers"] = {"Retry-After": _seconds("After which to try again.")}
    return failure


def _seconds(about: str) -> Members:
    return {"description": about, "schema": {"type": "integer", "minimum": 1}}


def _json(schema: str) -> Members:
    return {_JSON: {"schema": schemas.one_of(schema)}}
