"""`enigma-fed peer history` against a node that answers from memory."""

from __future__ import annotations

import csv
import io
import time
from pathlib import Path

import msgspec
import pytest

from enigma_fed.cli import historyshown, output
from enigma_fed.wire import timestamps
from enigma_fed.wire.historyview import HistoryPoint, HistoryView
from tests.cli.fakes import DID, HISTORY, FakeNode, invoke
from tests.cli.homes import make_home

DAY = 86400


def changed(**changes: object) -> HistoryView:
    return msgspec.structs.replace(HISTORY, **changes)


@pytest.mark.parametrize(
    ("words", "call"),
    [
        (["cellar"], ("history", "cellar", 300, DAY)),
        (["--self"], ("history", None, 300, DAY)),
        (["cellar", "--since", "2h"], ("history", "cellar", 300, 7200)),
        (["cellar", "--since", "30d"], ("history", "cellar", 3600, 30 * DAY)),
        (["cellar", "--since", "2h", "--resolution", "1h"], ("history", "cellar", 3600, 7200)),
        (["cellar", "--since", "2d", "--resolution", "5m"], ("history", "cellar", 300, 2 * DAY)),
    ],
)
def test_the_finer_steps_are_taken_that_go_back_so_far(words: list[str], call: tuple[object, ...]) -> None:
    node = FakeNode()
    assert invoke("peer", "history", *words, node=node).exit_code == 0
    assert call in node.calls
    assert invoke("peer", "history", *words, "--json", node=node).json == msgspec.to_builtins(HISTORY)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([], "name a PEER, or --self"),
        (["cellar", "--self"], "name a PEER, or --self"),
        (["cellar", "--csv", "--json"], "take one"),
        (["cellar", "--since", "soon"], "not a time like 24h"),
        (["cellar", "--resolution", "1s"], "1s"),
        (["cellar", "--since", "31d"], "'31d' is too long: at most 30d"),
        (["cellar", "--since", "5"], "'5' is too short: at least 5m, in a form like 24h, 30m, 7d"),
    ],
)
def test_what_cannot_be_meant_is_said(words: list[str], why: str) -> None:
    node = FakeNode()
    said = invoke("peer", "history", *words, node=node)
    assert said.exit_code == 2
    assert why in said.err
    assert node.calls == []


def test_a_table_has_a_row_for_each_gauge_that_was_told_with_a_line_over_time() -> None:
    shown = invoke("peer", "history", "cellar", node=FakeNode())
    title, notes, head, *rows = shown.out.splitlines()
    assert title.startswith("cellar, from 2026-11-20 ")
    assert title.endswith("kept in steps of 5 min")
    assert head.split() == ["GAUGE", "LAST", "LEAST", "MEAN", "MOST", "OVER", "TIME"]
    assert [row.split()[0] for row in rows] == ["Heard", "CPU", "Memory", "Apps"]
    when = time.strftime("%H:%M", time.localtime(timestamps.from_text("2026-11-20T08:50:00Z")))
    assert notes == f"LAST: the mean of the step from 2026-11-20 {when}; memory of 4.0 GiB"
    assert rows[0].split() == ["Heard", when, "67", "%", "█", "▁█"]
    assert rows[1].endswith("▂  █")
    assert "12.5 %" in rows[1]
    assert rows[2].endswith("▃"), "a quarter of all memory"


def test_a_terminal_without_blocks_gets_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("enigma_fed.cli.historyshown.BLOCKS", "\udc80")
    shown = invoke("peer", "history", "cellar", node=FakeNode())
    assert "# _#" in shown.out


def test_csv_is_one_line_for_each_slot_with_times_in_utc() -> None:
    shown = invoke("peer", "history", "cellar", "--csv", node=FakeNode())
    assert shown.err == ""
    assert shown.out.count("\r\n") == shown.out.count("\n") == 5
    head, *rows = csv.reader(io.StringIO(shown.out, newline=""))
    assert tuple(head) == historyshown.CSV_COLUMNS
    assert rows[0] == ["cellar", DID, "2026-11-20T08:35:00Z", "yes", "12.5", str(2**30), "", "3.0", "5"]
    assert [row[3] for row in rows] == ["yes", "", "no", "yes"]


@pytest.mark.parametrize(
    "name",
    [
        '=cmd|"/c calc"!A1',
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "  =1",
        "\uff1d1",
        "\x1b[31m",
        "a\r\nb",
        'a",b',
        "\u202eb",
    ],
)
def test_a_name_in_csv_is_no_formula_no_second_line_and_steers_no_terminal(name: str) -> None:
    shown = invoke("peer", "history", "x", "--csv", node=FakeNode(past=changed(name=name)))
    assert shown.out.count("\n") == 5
    for row in list(csv.reader(io.StringIO(shown.out, newline="")))[1:]:
        assert len(row) == len(historyshown.CSV_COLUMNS)
        assert row[0].isprintable()
        assert row[0].strip()[0] not in "=+-@\uff1d"


def test_a_name_in_the_title_steers_no_terminal() -> None:
    shown = invoke("peer", "history", "x", node=FakeNode(past=changed(name="\x1b[31m\nevil")))
    assert shown.out.startswith("?[31m?evil, from")


def test_an_empty_history_says_why_and_what_to_do() -> None:
    nothing = changed(points=[])
    for words, next_steps in (
        (["cellar"], [f"enigma-fed peer show {DID}", f"enigma-fed peer history {DID} --since 30d"]),
        (["cellar", "--since", "30d"], [f"enigma-fed peer show {DID}"]),
        (["--self"], ["enigma-fed run"]),
    ):
        shown = invoke("peer", "history", *words, node=FakeNode(past=nothing))
        assert (shown.exit_code, shown.out) == (0, "")
        assert "There is no history" in shown.err
        assert all(step in shown.err for step in next_steps)
    assert "--since" not in shown.err
    as_csv = invoke("peer", "history", "cellar", "--csv", node=FakeNode(past=nothing))
    assert as_csv.out == ",".join(historyshown.CSV_COLUMNS) + "\r\n"
    assert "There is no history" in as_csv.err


def test_what_is_wrong_with_the_file_is_said_beside_what_there_is() -> None:
    shown = invoke("peer", "history", "cellar", node=FakeNode(past=changed(problem="history.db was damaged")))
    assert "Warning: history.db was damaged" in shown.err
    assert "CPU" in shown.out


def test_a_line_has_at_most_48_marks_each_the_mean_of_as_many_values() -> None:
    assert historyshown.line([0.0, 50.0, 100.0], 100, "_-#") == "_-#"
    assert historyshown.line([0.0, 100.0] * 48, 100, "_-#") == "-" * 48
    assert historyshown.line([None] * 480 + [1.0] * 240, 1.0, "_#") == " " * 32 + "#" * 16
    assert historyshown.line([0.0, 0.0], 0.0, "_#") == "__"
    assert len(historyshown.line([1.0] * 100, 1.0, "_#")) == 48


@pytest.mark.parametrize(("columns", "marks"), [(50, 16), (80, 34), (200, 48)])
def test_a_line_is_as_long_as_the_terminal_lets_it_be(
    monkeypatch: pytest.MonkeyPatch, columns: int, marks: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(output, "at_a_terminal", lambda: True)
    points = [
        HistoryPoint(
            at="2026-11-20T08:00:00Z", heard=True, cpu_usage_percent=100.0, mem_used_bytes=999 * 2**20
        )
    ]
    shown = invoke("peer", "history", "x", node=FakeNode(past=changed(points=points * 288)))
    _, _, head, *rows = shown.out.splitlines()
    assert all(len(row) <= columns for row in (head, *rows))
    assert rows[1].count("█") == marks
    assert ("LEAST" in head) == (columns > 50)


def test_a_history_of_hours_in_which_nothing_is_known_of_now() -> None:
    points = [
        HistoryPoint(at="2026-11-20T08:00:00Z", heard=None),
        HistoryPoint(at="2026-11-20T09:00:00Z", heard=None),
    ]
    [row] = historyshown.rows(changed(points=points), historyshown.ASCII)
    assert row == ("Heard", "-", "", "-", "", "  ")
    assert historyshown.notes(changed(points=points, mem_total_bytes=None)) == "LAST: not known"


def test_of_a_peer_that_fell_silent_the_last_word_is_shown_with_its_time_and_the_line_goes_on() -> None:
    silent = [HistoryPoint(at=f"2026-11-20T09:{n:02}:00Z", heard=n < 10 or None) for n in (5, 10, 15)]
    points = [*HISTORY.points[:1], *silent]
    heard, cpu, *_ = historyshown.rows(changed(points=points), historyshown.ASCII)
    assert heard[1] == time.strftime("%H:%M", time.localtime(timestamps.from_text("2026-11-20T08:35:00Z")))
    assert (cpu[1], cpu[-1]) == ("12.5 %", ".   ")


def test_a_new_home_has_no_history_and_a_time_that_is_too_long_is_refused(tmp_path: Path) -> None:
    home = make_home(tmp_path, "attic")
    shown = home("peer", "history", "--self")
    assert (shown.exit_code, shown.out) == (0, "")
    assert f"{home.hinted} run" in shown.err
    refused = home("peer", "history", "--self", "--since", "2d", "--resolution", "5m")
    assert refused.exit_code == 2
    assert "--resolution 1h" in refused.err
    assert home("peer", "history", "nobody").exit_code == 5
