"""docs/THREATS.md: every line is tied to a test that exists, and no actor is left out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "THREATS.md").read_text(encoding="utf-8")
ACTORS = (
    "A stranger on the onion",
    "A caller of the registry",
    "A registry that is asked",
    "An invited peer",
    "A removed peer",
    "A neighbour on the LAN",
    "Another user of this machine",
    "A web page in the owner's browser",
    "A thief of the disk",
    "Tor itself",
)
NODE = re.compile(r"`([\w/]+\.py)::(test_\w+)`")


def lines_of(actor: str) -> list[list[str]]:
    """The rows of an actor's table: can or cannot, what, test."""
    section = TEXT.partition(f"## {actor}\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if re.match(r"\| can", line)]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]


def test_the_actors_are_those_of_the_page() -> None:
    assert tuple(re.findall(r"^## (.+)$", TEXT, re.MULTILINE)) == ACTORS


@pytest.mark.parametrize("actor", ACTORS)
def test_each_actor_can_something_and_cannot_something_and_the_owner_has_a_word(actor: str) -> None:
    section = TEXT.partition(f"## {actor}\n")[2].partition("\n## ")[0]
    assert {row[0] for row in lines_of(actor)} == {"can", "cannot"}
    assert "**The owner**: " in section


@pytest.mark.parametrize(
    "row", [row for actor in ACTORS for row in lines_of(actor)], ids=lambda row: row[1][:60]
)
def test_every_line_is_tied_to_a_test(row: list[str]) -> None:
    word, what, tied = row
    found = NODE.fullmatch(tied)
    if found is None:
        assert word == "can", f"what somebody cannot do needs a test: {what}"
        assert tied.startswith("no test: "), tied
        return
    file = ROOT / "tests" / found[1]
    assert file.is_file(), found[1]
    assert re.search(rf"^ *(async )?def {found[2]}\(", file.read_text(encoding="utf-8"), re.MULTILINE), found[
        0
    ]
