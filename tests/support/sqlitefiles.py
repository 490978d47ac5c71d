"""A small database for tests, and what can happen to its file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from enigma_fed.storage import sqlitefile
from enigma_fed.storage.sqlitefile import Connection, Schema

FIRST: Final = Schema(0x74657374, (("CREATE TABLE word (text TEXT NOT NULL UNIQUE) STRICT",),))
SECOND: Final = Schema(
    FIRST.application_id,
    (*FIRST.migrations, ("ALTER TABLE word ADD COLUMN said INTEGER NOT NULL DEFAULT 0",)),
)


def made(folder: Path, *words: str, schema: Schema = FIRST) -> Path:
    """A closed database with these words."""
    path = folder / "words.db"
    sqlitefile.create(path, schema)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany("INSERT INTO word (text) VALUES (?)", [(word,) for word in words])
    return path


def add(connection: Connection, word: str) -> str:
    """Put one word in."""
    connection.execute("INSERT INTO word (text) VALUES (?)", (word,))
    return word


def words(path: Path) -> list[str]:
    """What a reader finds."""
    with sqlitefile.reading(path) as connection:
        return [text for (text,) in connection.execute("SELECT text FROM word ORDER BY text")]


def put(path: Path, at: int, data: bytes) -> None:
    """Overwrite some bytes of a file."""
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)
