"""`history.db`: the rings of state/history.py in SQLite. It may be lost (docs/FILES.md).

Rows of one slot lie side by side, whoever's they are: a flush touches few pages, however many nodes it is of.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Final

from enigma_fed.base import limits
from enigma_fed.base.errors import StoreDamaged
from enigma_fed.base.ids import Did
from enigma_fed.state.history import RINGS, Key, Ring, Sums, Totals, read_sums
from enigma_fed.storage import sqlitefile
from enigma_fed.storage.sqlite import Database, Work
from enigma_fed.storage.sqlitefile import Connection, Schema, Synchronous

NAME: Final = "history.db"
_MAGIC: Final = b"SQLite format 3\x00"
_COLUMNS: Final = Sums._fields
_NODES: Final = (
    "CREATE TABLE node (id INTEGER PRIMARY KEY, did TEXT NOT NULL UNIQUE,"
    " mem_total INTEGER NOT NULL DEFAULT 0, disk_total INTEGER NOT NULL DEFAULT 0) STRICT"
)
_SLOTS: Final = (
    "CREATE TABLE slot (slot INTEGER NOT NULL, node INTEGER NOT NULL, period INTEGER NOT NULL,"
    " heard INTEGER NOT NULL, cpu_count INTEGER NOT NULL, cpu INTEGER NOT NULL, mem_count INTEGER NOT NULL,"
    " mem INTEGER NOT NULL, disk_count INTEGER NOT NULL, disk INTEGER NOT NULL, apps INTEGER NOT NULL,"
    " PRIMARY KEY (slot, node)) STRICT, WITHOUT ROWID"
)
SCHEMA: Final = Schema(application_id=0x65664869, migrations=((_NODES, _SLOTS),))
"""`efHi`. A row has the sums of `period`, counted since 1970 in slots; another period replaces them."""
_ADD: Final = (
    f"INSERT INTO slot (slot, node, period, {', '.join(_COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - names of ours
    " ON CONFLICT (slot, node) DO UPDATE SET period = excluded.period, "
    + ", ".join(f"{name} = iif(period = excluded.period, {name}, 0) + excluded.{name}" for name in _COLUMNS)
)
_READ: Final = f"SELECT {', '.join(_COLUMNS)} FROM slot WHERE slot = ? AND node = ? AND period = ?"  # noqa: S608
_TOTALS: Final = (
    "UPDATE node SET mem_total = ?1, disk_total = ?2"
    " WHERE did = ?3 AND (mem_total, disk_total) IS NOT (?1, ?2)"
)
_NODE: Final = "SELECT id FROM node WHERE did = ?"


class HistoryStore:
    """The database of the agent; `open` it before, `close` it after."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / NAME
        self._database = Database(self._path, SCHEMA, synchronous=Synchronous.NORMAL, may_be_lost=True)

    @property
    def set_aside(self) -> str | None:
        """The name of the damaged file in whose place this one was begun."""
        return self._database.set_aside

    @property
    def is_open(self) -> bool:
        """Whether it can be used."""
        return self._database.is_open

    def open(self, *, distrust: bool = False) -> None:
        """Blocks; `distrust` begins anew. Raises StoreNewer, LooseModes, LockBusy, WriteFailed."""
        self._database.open(distrust=distrust)

    def examine(self) -> None:
        """Look at the beginning of the file: SQLite keeps it in memory. Blocks; raises StoreDamaged."""
        try:
            with self._path.open("rb") as file:
                sound = file.read(len(_MAGIC)) == _MAGIC
        except OSError as error:
            raise StoreDamaged(f"{NAME}: {error.strerror}") from error
        if not sound:
            raise StoreDamaged(f"{NAME} is no database any more")

    async def close(self) -> None:
        """Let go of the file."""
        await self._database.close()

    async def add(self, heard: Mapping[Key, Sums], totals: Mapping[Did, Totals] | None = None) -> None:
        """Add to the slots, in one transaction, of at most limits.PEERS nodes and this one.

        Raises WriteFailed, StoreDamaged, LockBusy, TryLater.
        """
        await self._change(lambda connection: _add(connection, heard, totals or {}))

    async def keep_only(self, dids: Collection[Did]) -> None:
        """Delete the rows of everybody else; raises what `add` raises."""
        kept = frozenset(map(str, dids))
        await self._change(lambda connection: _keep_only(connection, kept))

    async def forget(self, did: Did) -> None:
        """Delete all rows of a node; raises what `add` raises."""
        await self._change(lambda connection: _forget(connection, str(did)))

    async def _change(self, work: Work[None]) -> None:
        try:
            await self._database.write(work)
        except sqlitefile.FAULTS as error:  # a sound file refuses none of our statements
            raise StoreDamaged(f"{NAME}: {error}") from error

    async def read(self, did: Did, ring: Ring, periods: range) -> dict[int, Sums]:
        """The slots of a node that have samples of these periods; raises StoreDamaged, LockBusy."""
        return await self._database.read(lambda connection: read(connection, did, ring, periods))


def read(connection: Connection, did: Did, ring: Ring, periods: range) -> dict[int, Sums]:
    """The slots of a node that have samples of these periods; a row that makes no sense is left out."""
    node = connection.execute(_NODE, (str(did),)).fetchone()
    if node is None:
        return {}
    found: dict[int, Sums] = {}
    for period in periods:
        row = connection.execute(_READ, (ring.slot(period), node[0], period)).fetchone()
        sums = None if row is None else read_sums(row)
        if sums is not None:
            found[period] = sums
    return found


def totals_in_file(data_dir: Path, did: Did) -> Totals:
    """What a node last told of its sizes, without an agent. Blocks; raises what `look` raises."""
    if look(data_dir) is None:
        return Totals()
    with sqlitefile.reading(data_dir / NAME) as connection:
        asked = "SELECT mem_total, disk_total FROM node WHERE did = ?"
        row = connection.execute(asked, (str(did),)).fetchone()
    sound = row is not None and all(type(number) is int and 0 <= number <= 2**33 for number in row)
    return Totals(*row) if sound else Totals()


def look(data_dir: Path) -> int | None:
    """How many nodes the file has a history of, without an agent; None when there is no file.

    Blocks and changes nothing. Raises StoreDamaged, StoreNewer, LooseModes, LockBusy.
    """
    path = data_dir / NAME
    try:
        sqlitefile.check(path, SCHEMA)
    except FileNotFoundError:
        return None
    with sqlitefile.reading(path) as connection:
        [number] = connection.execute("SELECT count(*) FROM node").fetchone()
    return int(number)


def read_file(
    data_dir: Path, dids: Iterable[Did], ring: Ring, periods: range
) -> list[dict[int, Sums]] | None:
    """What `read` finds of each node, without an agent; None when there is no file. As `look` otherwise."""
    if look(data_dir) is None:
        return None
    with sqlitefile.reading(data_dir / NAME) as connection:
        return [read(connection, did, ring, periods) for did in dids]


def forget_in_file(data_dir: Path, did: Did) -> None:
    """Delete all rows of a node while no agent runs. Blocks; raises what `look` raises, WriteFailed."""
    if look(data_dir) is not None:
        sqlitefile.change(data_dir / NAME, SCHEMA, lambda connection: _forget(connection, str(did)))


def _add(connection: Connection, heard: Mapping[Key, Sums], totals: Mapping[Did, Totals]) -> None:
    ids = dict(connection.execute("SELECT did, id FROM node"))
    new = {str(key.did) for key in heard} - ids.keys()
    for did in sorted(new)[: max(0, limits.PEERS + 1 - len(ids))]:
        ids[did] = connection.execute("INSERT INTO node (did) VALUES (?)", (did,)).lastrowid
    rows = (_row(key, ids.get(str(key.did)), sums) for key, sums in heard.items())
    connection.executemany(_ADD, (row for row in rows if row[1] is not None))
    connection.executemany(_TOTALS, ((*each, str(did)) for did, each in totals.items()))


def _row(key: Key, node: int | None, sums: Sums) -> tuple[int | None, ...]:
    return (key.ring.slot(key.period), node, key.period, *sums)


def _keep_only(connection: Connection, kept: Collection[str]) -> None:
    for (did,) in connection.execute("SELECT did FROM node").fetchall():
        if did not in kept:
            _forget(connection, did)


def _forget(connection: Connection, did: str) -> None:
    node = connection.execute(_NODE, (did,)).fetchone()
    if node is None:
        return
    slots = range(sum(ring.slots for ring in RINGS))
    connection.executemany(
        "DELETE FROM slot WHERE slot = ? AND node = ?", [(slot, node[0]) for slot in slots]
    )
    connection.execute("DELETE FROM node WHERE id = ?", node)
