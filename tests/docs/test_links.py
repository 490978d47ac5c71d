"""Every relative link of the documents leads somewhere, and every command that they show exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from enigma_fed.cli import reference

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_exist(page: Path) -> None:
    known = re.findall(r"^#+ enigma-fed (.+)$", reference.cli_markdown(), re.MULTILINE)
    for block in re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        for words in re.findall(
            r"^(?:\.venv/bin/)?enigma-fed ([a-z][a-z -]*?)(?: [^a-z].*| *)$", block, re.MULTILINE
        ):
            assert any(words == name or words.startswith(f"{name} ") for name in known), words
