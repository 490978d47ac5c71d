"""Thousands of requests that the OpenAPI document allows, or does not, with and without proof of work."""

from __future__ import annotations

import pytest

from enigma_fed.registry.settings import PowSettings
from tests.support.registryserver import settings
from tests.support.schemafuzz import fuzz


@pytest.mark.parametrize("asks_for_work", [False, True])
def test_answers_are_as_the_document_says(asks_for_work: bool) -> None:
    work = PowSettings(enabled=asks_for_work, difficulty=1, register=asks_for_work)
    fuzz(settings(allow_sync=True, nodes_open=True, older_routes=True, pow=work), 100)
