"""Changes of one kind that are made by one call: each caller gets its own answer all the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import NotFound, StoreDamaged, TryLater
from enigma_fed.storage.sqlite import Database
from enigma_fed.storage.sqlitefile import Connection
from tests.support.sqlitefiles import FIRST, add, made, words


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    folder = tmp_path / "store"
    folder.mkdir(mode=0o700)
    opened = Database(made(folder), FIRST)
    opened.open()
    yield opened
    await opened.close()


class Adding:
    """Adds words, all of them or none; `bad` is one that it does not take."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def all(self, items: Sequence[str], connection: Connection) -> list[str]:
        self.calls.append(list(items))
        for item in items:
            add(connection, item)
            if item == "bad":
                raise NotFound(item)
        return [item.upper() for item in items]


async def test_those_that_wait_are_made_by_one_call_and_each_is_told_its_own(database: Database) -> None:
    adding = Adding()
    told = await asyncio.gather(*(database.write_gathered(adding.all, word) for word in ("a", "b", "c")))
    assert told == ["A", "B", "C"]
    assert adding.calls == [["a", "b", "c"]]
    assert await database.write_gathered(adding.all, "d") == "D"
    assert words(database.path) == ["a", "b", "c", "d"]


async def test_they_share_a_transaction_with_changes_of_other_kinds(database: Database) -> None:
    adding, other = Adding(), Adding()
    told = await asyncio.gather(
        database.write_gathered(adding.all, "a"),
        database.write(lambda c: add(c, "b")),
        database.write_gathered(other.all, "c"),
        database.write_gathered(adding.all, "d"),
    )
    assert told == ["A", "b", "C", "D"]
    assert adding.calls == [["a", "d"]]


async def test_when_one_of_them_fails_the_others_are_made_alone(database: Database) -> None:
    adding = Adding()
    told = await asyncio.gather(
        *(database.write_gathered(adding.all, word) for word in ("a", "bad", "c")), return_exceptions=True
    )
    assert (told[0], type(told[1]), told[2]) == ("A", NotFound, "C")
    assert adding.calls == [["a", "bad", "c"], ["a"], ["bad"], ["c"]]
    assert words(database.path) == ["a", "c"], "what the failed ones did is undone"


async def test_invariant_7_they_count_one_by_one_among_the_changes_that_wait(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "DATABASE_WRITES_WAITING", 2)
    adding = Adding()
    told = await asyncio.gather(
        *(database.write_gathered(adding.all, word) for word in ("a", "b", "c")), return_exceptions=True
    )
    assert (told[:2], type(told[2])) == (["A", "B"], TryLater)
    assert await database.write_gathered(adding.all, "c") == "C"


async def test_several_rows_are_found_at_once_and_no_more_than_asked_for(database: Database) -> None:
    await database.write_gathered(Adding().all, "a")
    await database.write_gathered(Adding().all, "b")
    asked = "SELECT text FROM word WHERE text >= ? ORDER BY text"
    assert database.rows(asked, ("a",), 5) == [("a",), ("b",)]
    assert database.rows(asked, ("a",), 1) == [("a",)]
    assert database.rows(asked, ("c",), 5) == []


async def test_what_cannot_be_read_is_told_as_damage(database: Database) -> None:
    with pytest.raises(StoreDamaged):
        database.rows("SELECT text FROM elsewhere", (), 1)
