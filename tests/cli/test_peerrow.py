"""`peer list` and `peer show` as they are printed: whole tables at 80 and 120 columns."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from enigma_fed.cli import output, tables
from enigma_fed.cli.peerrow import COLUMNS, SHAPE, apps, fact, gauge, problem, row, share
from enigma_fed.cli.peershown import details
from enigma_fed.wire.timestamps import from_text
from enigma_fed.wire.views import AppView, PeerView, SnapshotView

DID = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
TWIN = "did:key:z6MkqPUZjsqNotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
NOW = from_text("2026-11-20T09:00:00Z")
STATE = SnapshotView(
    timestamp="2026-11-20T08:59:52Z",
    cpu_usage_percent=12.5,
    mem_used_bytes=3 * 2**30,
    mem_total_bytes=8 * 2**30,
    disk_used_bytes=950 * 2**30,
    disk_total_bytes=1000 * 2**30,
    uptime_secs=90061,
    tor_active=True,
    apps=[
        AppView(id="blog", status="running", version="1.2"),
        AppView(id="photos", status="stopped"),
        AppView(id="mail", status="Running", version="4"),
    ],
)
ATTIC = PeerView(
    did=DID,
    pubkey="",
    onion="x.onion",
    name="attic",
    alias=None,
    trust_level="observer",
    added_at="2026-11-19T08:49:00Z",
    stage="confirmed",
    stage_at="2026-11-19T08:50:00Z",
    last_seen="2026-11-20T08:59:52Z",
    last_state=STATE,
    liveness="up",
    liveness_reason="heard 8 s ago",
    latency_ms=340.4,
    via="stream",
    stream_since="2026-11-20T08:00:00Z",
    age_s=8.0,
    bytes_in=1_200_000,
    bytes_out=300_000,
    next_poll_at="2026-11-20T09:50:00Z",
    skew_s=0,
)
CELLAR = replace(
    ATTIC,
    name="Grandma's cellar",
    trust_level="trusted",
    stage="confirmed-both",
    via="poll",
    stream_since=None,
    liveness="offline",
    liveness_reason="7 polls failed: this onion does not answer; next try in 12 min",
    last_error="this onion does not answer",
    last_error_at="2026-11-20T08:59:00Z",
    age_s=7300.0,
    state_old=True,
)
IMPOSTOR = replace(
    ATTIC,
    name="Attic",
    name_like="peer",
    did=TWIN,
    via="poll",
    stream_since=None,
    state_refused="bad-signature",
    state_old=True,
)
BARN = replace(
    ATTIC,
    name="barn",
    liveness="offline-expected",
    liveness_reason="expected to be off until 07:00",
    via="poll",
    stream_since=None,
    age_s=90000.0,
    state_old=True,
    bytes_in=0,
    bytes_out=0,
    last_state=replace(STATE, cpu_usage_percent=None, apps=[]),
)
BOB = PeerView(
    did=DID,
    pubkey="",
    onion="",
    name="bob",
    alias=None,
    trust_level="untrusted",
    added_at="",
    stage="awaiting-approval",
    stage_at="",
    joined_as="inviter",
)
AT_80 = """
NAME                  LIVENESS          CPU    MEM    DISK   APPS  AGE
attic                 up                ▂ 12%  ▄ 38%  █ 95%  2/3   8 s
Grandma's cellar      offline           ▂ 12%  ▄ 38%  █ 95%  2/3   2 h (old)
  7 polls failed: this onion does not answer; next try in 12 min
Attic [z6MkqPUZjsqN]  up                ▂ 12%  ▄ 38%  █ 95%  2/3   8 s (old)
  it has the name of another peer, or nearly; its newest state was refused
  (bad-signature); the one before is shown
barn                  offline-expected  -      ▄ 38%  █ 95%  -     1 d (old)
  expected to be off until 07:00
bob                   waiting           -      -      -      -     -
  it waits for your approval: enigma-fed peer approve
  did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK
"""
AT_120 = """
NAME                  TRUST      LIVENESS          CPU    MEM    DISK   APPS  AGE        PATH        24 H
attic                 observer   up                ▂ 12%  ▄ 38%  █ 95%  2/3   8 s        tor stream  1.4 MiB
Grandma's cellar      trusted    offline           ▂ 12%  ▄ 38%  █ 95%  2/3   2 h (old)  tor poll    1.4 MiB
  7 polls failed: this onion does not answer; next try in 12 min
Attic [z6MkqPUZjsqN]  observer   up                ▂ 12%  ▄ 38%  █ 95%  2/3   8 s (old)  tor poll    1.4 MiB
  it has the name of another peer, or nearly; its newest state was refused (bad-signature); the one before is shown
barn                  observer   offline-expected  -      ▄ 38%  █ 95%  -     1 d (old)  tor poll    0 B
  expected to be off until 07:00
bob                   untrusted  waiting           -      -      -      -     -          -           -
  it waits for your approval: enigma-fed peer approve did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK
"""  # noqa: E501 - as wide as it is printed
SHOWN = """
Name:                attic
DID:                 did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK
Onion address:       x.onion
Trust here:          observer
Stage:               confirmed, since 2026-11-19 08:50 (1 d ago)
Liveness:            up (heard 8 s ago)
Last seen:           2026-11-20 08:59 (8 s ago)
Path:                tor stream, since 2026-11-20 08:00 (1 h ago)
Next poll:           2026-11-20 09:50 (in 50 min; its stream stands)
Latency:             340 ms
Clock:               as ours
Last 24 h:           1.1 MiB from it, 293 KiB to it
State of:            2026-11-20 08:59 (8 s ago)
CPU:                 12.5 %
Memory:              3.0 GiB of 8.0 GiB (▄ 38%)
Disk:                950 GiB of 1000 GiB (█ 95%)
Up for:              1 d 1 h
Its Tor:             works
Apps:                2 of 3 running
                     blog    running  1.2
                     photos  stopped
                     mail    Running  4
"""


@pytest.mark.parametrize(("width", "expected"), [(80, AT_80), (120, AT_120)])
def test_the_list_on_a_terminal(width: int, expected: str) -> None:
    rows = [row(entry, NOW, bars=True) for entry in (ATTIC, CELLAR, IMPOSTOR, BARN, BOB)]
    lines = tables.fitted(COLUMNS, rows, SHAPE, width)
    assert "\n".join(lines) == textwrap.dedent(expected).strip("\n")
    assert max(map(len, lines)) <= width


def test_the_list_in_a_file_has_every_column() -> None:
    head, line = tables.plain(COLUMNS, [row(ATTIC, NOW)])
    assert [name for name in COLUMNS if name not in head] == []
    for part in ("z6MkhaXgBZDv…", "observer", "confirmed", "12%", "95%", "2/3", "1.4 MiB", "340 ms"):
        assert part in line


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("utc")
def test_everything_about_one() -> None:
    lines = output.detail_lines(details(ATTIC, NOW, bars=True))
    assert "\n".join(lines) == SHOWN.strip("\n")


def value(entry: PeerView, label: str) -> str:
    [found] = [text for name, text in details(entry, NOW) if name == label]
    return found


def test_what_is_old_says_why() -> None:
    assert value(ATTIC, "Old") == ""
    assert value(CELLAR, "Old") == "yes: nothing newer has come"
    assert value(IMPOSTOR, "Old") == "yes: its newest state was refused (bad-signature)"
    assert value(IMPOSTOR, "Mind the name").startswith("it has the name of another peer")


def test_windows_are_told_apart_by_who_said_them() -> None:
    entry = replace(ATTIC, offline_windows=["23:00-07:00"], announced_windows=["12:00-13:00", "02:00-03:00"])
    assert value(entry, "Expected to be off") == "23:00-07:00"
    assert value(entry, "Announced to be off") == "12:00-13:00, 02:00-03:00"


def test_what_a_state_leaves_out_is_left_out() -> None:
    bare = replace(ATTIC, last_state=SnapshotView(timestamp=STATE.timestamp), via=None, bytes_in=None)
    found = {label: text for label, text in details(bare, NOW) if text}
    assert found["Apps"] == "none"
    assert not found.keys() & {"CPU", "Memory", "Disk", "Up for", "Its Tor", "Path", "Last 24 h"}
    half = replace(bare, last_state=SnapshotView(timestamp=STATE.timestamp, mem_used_bytes=2**30))
    assert value(half, "Memory") == "1.0 GiB of -"
    assert value(replace(bare, last_state=None), "State") == "none yet"
    assert row(replace(bare, last_state=None), NOW)[5:9] == ("-",) * 4


@pytest.mark.parametrize(
    ("percent", "bar"),
    [
        (0.0, "▁  0%"),
        (12.4, "▁ 12%"),
        (12.5, "▂ 12%"),
        (99.9, "█ 100%"),
        (100.0, "█ 100%"),
        (800.0, "█ 800%"),
    ],
)
def test_gauges(percent: float, bar: str) -> None:
    assert gauge(percent, bars=True) == bar
    assert gauge(percent, bars=False) == bar[2:].strip()


def test_a_share_of_nothing_is_none() -> None:
    assert (share(1, 0), share(None, 5), share(1, None), share(1, 4)) == (None, None, None, 25.0)
    assert gauge(None, bars=True) == apps(None) == "-"


PROBLEMS = {
    "": ATTIC,
    "they forgot this node": replace(ATTIC, they_forgot_us=True, last_error="x"),
    "it failed.": replace(ATTIC, last_error="it failed. And more."),
    "its clock is 95 s behind ours": replace(ATTIC, skew_s=-95),
    "refused": replace(
        ATTIC, stage="refused", liveness="offline", liveness_reason="no", last_error="refused"
    ),
    "it has the name of this node, or nearly": replace(ATTIC, name_like="this-node"),
}


@pytest.mark.parametrize("said", PROBLEMS)
def test_problems(said: str) -> None:
    assert problem(PROBLEMS[said]) == said


def test_what_a_watch_tells() -> None:
    what, line = fact(ATTIC)
    assert line == "attic: up, confirmed, tor stream, 2/3 apps run"
    assert fact(replace(ATTIC, age_s=99.0, latency_ms=1.0, liveness_reason="heard 9 s ago"))[0] == what
    assert fact(replace(ATTIC, stream_since=None))[0] != what
    assert fact(CELLAR)[0] == fact(replace(CELLAR, liveness_reason="8 polls failed"))[0]
    assert "7 polls failed" in fact(CELLAR)[1]


def test_an_entry_that_is_not_valid_has_as_many_cells() -> None:
    cells = row(replace(BOB, invalid="{}", did="", name=None), NOW)
    assert len(cells) == len(COLUMNS)
    assert (cells[0], cells[-1]) == ("-", "not valid")
