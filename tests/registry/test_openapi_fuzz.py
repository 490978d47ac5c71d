"""A registry answers as its OpenAPI document says, to what the document allows and to what it does not."""

from __future__ import annotations

from enigma_fed.registry.routes import ROUTES
from enigma_fed.registry.settings import PowSettings
from tests.support.registryserver import settings
from tests.support.schemafuzz import fuzz

EVERYTHING = settings(
    allow_sync=True, nodes_open=True, older_routes=True, pow=PowSettings(difficulty=1, enabled=False)
)


def test_answers_are_as_the_document_says() -> None:
    assert fuzz(EVERYTHING, 6) > len(ROUTES)
