"""The schema of the configuration in data/ is what the settings say."""

from __future__ import annotations

from pathlib import Path

from enigma_fed import config
from enigma_fed.cli import configschema

SCHEMA = Path(__file__).parents[2] / "data" / "schemas" / "config.schema.json"


def test_the_schema_in_data_is_the_one_of_the_code() -> None:
    written = SCHEMA.read_text(encoding="utf-8")
    assert written == configschema.text(config.describe()), "write it again with: make docs"
