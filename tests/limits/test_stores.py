"""Counts and sizes of what is kept: members, invites, nonces, files, the log."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import Any

import pytest

from enigma_fed.base import limits, log
from enigma_fed.base.errors import ConfigError, Conflict, PeerUnreachable, StoreDamaged, WriteFailed
from enigma_fed.base.rpc_errors import Busy
from enigma_fed.config import load
from enigma_fed.federation import exchange, inviting, rules
from enigma_fed.federation.store import FederationStore
from enigma_fed.rpc.gate import Gate
from enigma_fed.rpc.noncetable import NonceTable
from enigma_fed.storage import secretfile
from enigma_fed.storage.jsonfile import JsonFile
from enigma_fed.wire.records import Node, Stage
from tests.support.identities import did
from tests.support.manualclock import ManualClock
from tests.support.members import NOW, incoming, member, outgoing, tombstone
from tests.support.memberships import HASH, accept, invite_of, join, membership
from tests.support.signedcalls import FakeDoorkeeper, Receiver, key


def crowd(count: int) -> tuple[Node, ...]:
    """So many members; only the first can be found by its DID."""
    return (member(20), *[member(21)] * (count - 1))


def test_members() -> None:
    """limits.PEERS, by a join and by an accepted code."""
    for count, full in ((limits.PEERS - 1, False), (limits.PEERS, True)):
        known = membership(nodes=crowd(count), out=[outgoing(5, token_hash=HASH)])
        if not full:
            assert len(inviting.receive(known, join(1), NOW).membership.nodes.nodes) == limits.PEERS
            assert len(accept(known, invite_of(1)).membership.nodes.nodes) == limits.PEERS
            continue
        with pytest.raises(Busy):
            inviting.receive(known, join(1), NOW)
        with pytest.raises(Conflict):
            accept(known, invite_of(1))


def test_removed_members_are_remembered_up_to_a_number_the_newest_first() -> None:
    """limits.TOMBSTONES."""
    graves = [tombstone(1, joined_with=())] + [tombstone(2, joined_with=())] * (limits.TOMBSTONES - 1)
    gone = rules.remove(membership(nodes=[member(3)], removed=graves), did(3), NOW).membership
    assert len(gone.nodes.removed) == limits.TOMBSTONES
    assert gone.nodes.removed[0] == graves[1]
    assert gone.nodes.removed[-1].did == did(3)


def test_open_invites_and_ended_ones() -> None:
    """limits.OPEN_INVITES, limits.INVITES_KEPT: of ours, and of the accepted."""
    at = [outgoing(1, token_hash=n.to_bytes(32, "big")) for n in range(limits.OPEN_INVITES - 1)]
    one_more = inviting.create(membership(out=at), outgoing(5, token_hash=HASH), NOW).membership
    with pytest.raises(Conflict):
        inviting.create(one_more, outgoing(6), NOW)
    ended = [incoming(n % 100 + 10, stage=Stage.REFUSED, code=None) for n in range(limits.INVITES_KEPT + 1)]
    kept = accept(membership(inc=ended), invite_of(1)).membership.invites.incoming
    assert len(kept) == limits.INVITES_KEPT + 1, "those that ended, and the one just accepted"


def _fill(table: NonceTable, count: int, start: int = 0, **more: Any) -> None:
    for number in range(start, start + count):
        table.use(b"%032d" % number, "n", until=10, now=0, **more)


def test_invariant_7_nonces_in_all_and_of_strangers() -> None:
    """limits.NONCES_IN_ALL, limits.NONCES_OF_STRANGERS."""
    table = NonceTable()
    for token in range(limits.NONCES_OF_STRANGERS // limits.NONCES_PER_TOKEN):
        _fill(table, limits.NONCES_PER_TOKEN, token * 1000, token_hash=b"%d" % token)
    with pytest.raises(Busy):
        table.use(b"k", "n", until=10, now=0, token_hash=b"another")
    _fill(table, limits.NONCES_IN_ALL - limits.NONCES_OF_STRANGERS, 10**9)
    with pytest.raises(Busy):
        table.use(b"k", "n", until=10, now=0)
    assert len(table) == limits.NONCES_IN_ALL


def test_invariant_7_nonces_of_a_key_and_of_a_token() -> None:
    """limits.NONCES_PER_KEY, limits.NONCES_PER_TOKEN."""
    table = NonceTable()
    for bound, token in ((limits.NONCES_PER_KEY, None), (limits.NONCES_PER_TOKEN, b"t")):
        for number in range(bound):
            table.use(b"k", f"{token}{number}", until=10, now=0, token_hash=token)
        with pytest.raises(Busy):
            table.use(b"k", f"{token}", until=10, now=0, token_hash=token)


def test_invariant_7_remembered_key_ids() -> None:
    """limits.DIDS_CACHED."""
    own = key(2)
    gate: Gate = Receiver(own, FakeDoorkeeper(own.did), ManualClock()).gate
    for number in range(limits.DIDS_CACHED + 1):
        gate._parse_keyid(key(10_000 + number).did.url)
    assert gate._parse_keyid.cache_info().currsize == limits.DIDS_CACHED


@pytest.fixture
def private(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path


def _write(path: Path, size: int) -> Path:
    path.touch(0o600)
    with path.open("wb") as file:
        file.truncate(size)
    return path


def test_a_key_file(private: Path) -> None:
    """limits.SECRET_FILE_BYTES."""
    path = _write(private / "node.key", limits.SECRET_FILE_BYTES)
    assert len(secretfile.read(path)) == limits.SECRET_FILE_BYTES
    with pytest.raises(StoreDamaged, match="larger"):
        secretfile.read(_write(path, limits.SECRET_FILE_BYTES + 1))


def test_a_store(private: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """limits.STORE_FILE_BYTES: a larger file is damaged, not read into memory."""
    FederationStore.create(private)
    size = max(file.stat().st_size for file in (private / "federation").iterdir())
    monkeypatch.setattr(limits, "STORE_FILE_BYTES", size)
    FederationStore(private).open()
    monkeypatch.setattr(limits, "STORE_FILE_BYTES", size - 1)
    with pytest.raises(StoreDamaged):
        FederationStore(private).open()


def test_a_store_that_could_not_be_read_back_is_not_written(
    private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """limits.STORE_FILE_BYTES, on the way to the disk."""
    path = private / "words.json"
    file: JsonFile[str] = JsonFile(path, lambda word: {"word": word}, lambda body: str(body["word"]))
    file.create("short")
    before = path.read_bytes()
    monkeypatch.setattr(limits, "STORE_FILE_BYTES", len(before) + 3)
    assert file.update(lambda word: "shorter!") == "shorter!"
    before = path.read_bytes()
    with pytest.raises(WriteFailed, match="larger"):
        file.update(lambda word: "shorter!!")
    assert path.read_bytes() == before
    assert file.read() == "shorter!"


def test_the_configuration(tmp_path: Path) -> None:
    """limits.CONFIG_BYTES."""
    path = tmp_path / "config.toml"
    path.write_text("#" * limits.CONFIG_BYTES)
    load(path, {})
    path.write_text("#" * (limits.CONFIG_BYTES + 1))
    with pytest.raises(ConfigError, match="larger"):
        load(path, {})


def test_an_error_text() -> None:
    """limits.ERROR_CHARACTERS."""
    for size in (limits.ERROR_CHARACTERS, limits.ERROR_CHARACTERS + 1):
        assert exchange._plain(PeerUnreachable("x" * size)) == "x" * limits.ERROR_CHARACTERS


@pytest.fixture
def logger() -> logging.Logger:
    return logging.getLogger("enigma_fed.test")


def test_a_log_line(logger: logging.Logger) -> None:
    """limits.LOG_LINE_CHARACTERS."""
    stream = io.StringIO()
    output = log.start("info", "text", None, stream)
    for size in (limits.LOG_LINE_CHARACTERS, limits.LOG_LINE_CHARACTERS + 1):
        logger.info("%s", "x" * size)
    output.close()
    lines = stream.getvalue().splitlines()
    assert [line.count("x") for line in lines] == [limits.LOG_LINE_CHARACTERS + lines[0].count(" tex")] * 2


def test_log_files(logger: logging.Logger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """limits.LOG_FILE_BYTES, limits.LOG_FILES_KEPT."""
    monkeypatch.setattr(limits, "LOG_FILE_BYTES", 1000)
    output = log.start("info", "text", tmp_path / "agent.log", io.StringIO())
    for _ in range(100):
        logger.info("x" * 300)
    output.close()
    assert len(list(tmp_path.iterdir())) == limits.LOG_FILES_KEPT + 1
    assert all(file.stat().st_size <= 1000 for file in tmp_path.iterdir())


def test_lines_that_wait_for_a_slow_disk(logger: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    """limits.LOG_QUEUE_LINES: one more is dropped, and nobody waits."""
    written: list[str] = []

    class Slow(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(record.getMessage())

    monkeypatch.setattr("enigma_fed.base.log.threading.Thread.start", lambda thread: None)
    monkeypatch.setattr("enigma_fed.base.log.threading.Thread.join", lambda thread, timeout: None)
    output = log.LogOutput("info", [Slow()])
    for number in range(limits.LOG_QUEUE_LINES + 1):
        logger.info("%d", number)
    assert output._lines.full()
    output._lines.get_nowait()
    output.close()
    output._write()
    assert len(written) == limits.LOG_QUEUE_LINES - 1
    assert written[-1] == str(limits.LOG_QUEUE_LINES - 1)
