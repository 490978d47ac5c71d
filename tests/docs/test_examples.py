"""The example configuration loads."""

from __future__ import annotations

from pathlib import Path

from enigma_fed import config

EXAMPLE = Path(__file__).parents[2] / "examples" / "config.toml"


def test_the_example_configuration_loads() -> None:
    loaded = config.load(EXAMPLE, {}, {})
    assert loaded.settings.node.name == "attic"
