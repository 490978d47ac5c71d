"""The OpenAPI document is that of the routes, and of docs/."""

from __future__ import annotations

from pathlib import Path

from enigma_fed.registry import openapi
from enigma_fed.registry.routes import ROUTES, Proof
from enigma_fed.wire.registryschema import SCHEMAS
from tests.support.registryserver import registry

DOCS = Path(__file__).parents[2] / "docs"


def test_the_document_in_docs_is_the_one_that_is_served() -> None:
    assert (DOCS / "openapi-registry.json").read_text(encoding="utf-8") == openapi.text(), "run `make docs`"


def test_every_route_is_described_with_schemas_that_are_there() -> None:
    described = openapi.document()["paths"]
    assert {(path, method) for path, methods in described.items() for method in methods} == {
        (route.path, route.method.lower()) for route in ROUTES
    }
    for route in ROUTES:
        assert route.answers in SCHEMAS
        assert route.reads is None or route.reads in SCHEMAS


def test_what_a_caller_has_to_bring_is_described() -> None:
    described = openapi.document()["paths"]
    for route in ROUTES:
        operation = described[route.path][route.method.lower()]
        names = {each["name"] for each in operation.get("parameters", ())}
        assert ("x-enigma-pow" in names) == (route.proof is Proof.WORK)
        assert (route.parameter in names) == (route.parameter is not None)
        assert ("401" in operation["responses"]) == (route.proof not in {Proof.NONE, Proof.WORK})


async def test_it_is_served() -> None:
    async with registry() as caller:
        answer = await caller.ask("GET", "/openapi.json")
        assert answer.json == openapi.document()
        assert (await caller.ask("GET", "/openapi.json")).body == answer.body


def test_every_route_stands_in_the_tables_of_the_page() -> None:
    page = (DOCS / "REGISTRY.md").read_text(encoding="utf-8")
    for route in ROUTES:
        assert f"`{route.method} {route.path}`" in page
