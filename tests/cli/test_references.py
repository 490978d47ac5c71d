"""docs/CLI.md, docs/CONFIG.md and docs/METRICS.md are what the program says of itself."""

from __future__ import annotations

from pathlib import Path

from enigma_fed import config
from enigma_fed.cli import metricspage, reference

DOCS = Path(__file__).parents[2] / "docs"
REGENERATE = "write it again with: make docs"


def test_docs_cli_is_what_the_commands_say() -> None:
    assert (DOCS / "CLI.md").read_text(encoding="utf-8") == reference.cli_markdown(), REGENERATE


def test_docs_config_is_what_the_settings_say() -> None:
    generated = reference.config_markdown(config.describe())
    assert (DOCS / "CONFIG.md").read_text(encoding="utf-8") == generated, REGENERATE


def test_docs_metrics_is_what_the_help_texts_say() -> None:
    assert (DOCS / "METRICS.md").read_text(encoding="utf-8") == metricspage.metrics_markdown(), REGENERATE


def test_the_reference_has_every_command_and_every_key() -> None:
    commands, keys = reference.cli_markdown(), reference.config_markdown(config.describe())
    for title in (
        "\n## enigma-fed init\n",
        "\n### enigma-fed invite accept\n",
        "\n### enigma-fed peer trust\n",
    ):
        assert title in commands
    for option in config.describe():
        assert option.type == "list of tables" or f"`{option.variable}`" in keys
