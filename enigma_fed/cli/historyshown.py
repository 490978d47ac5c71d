"""A history of gauges as a small table with lines of blocks, or as CSV (RFC 4180)."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, TypeAlias

from enigma_fed.cli.humane import duration, printable, size
from enigma_fed.wire import timestamps
from enigma_fed.wire.historyview import HistoryPoint, HistoryView

COLUMNS: Final = ("GAUGE", "LAST", "LEAST", "MEAN", "MOST", "OVER TIME")
CSV_COLUMNS: Final = (
    "name",
    "did",
    "time",
    "heard",
    "cpu_percent",
    "mem_used_bytes",
    "disk_used_bytes",
    "apps_running",
    "samples",
)
BLOCKS: Final = "▁▂▃▄▅▆▇█"
ASCII: Final = "_.:-=+*#"
WIDEST: Final = 48
"""Marks of a line, at most."""
BESIDE: Final = 46
"""Columns of a terminal that the rest of a row takes."""
_FORMULA: Final = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
"""What a spreadsheet takes for the beginning of a formula."""
_HEARD: Final = {True: "yes", False: "no", None: ""}

Values: TypeAlias = Sequence[float | None]


def title(view: HistoryView) -> str:
    """Whose history it is, and of which time."""
    began, ended = (_local(when) for when in (view.points[0].at, view.until))
    return f"{view.name}, from {began} to {ended}, kept in steps of {duration(view.resolution_s)}"


def notes(view: HistoryView) -> str:
    """Of when the column LAST is, and how much memory and disk there is."""
    number = _last_heard(view)
    when = (
        "LAST: not known"
        if number is None
        else f"LAST: the mean of the step from {_local(view.points[number].at)}"
    )
    totals = (("memory", view.mem_total_bytes), ("disk", view.disk_total_bytes))
    known = [f"{word} of {size(total)}" for word, total in totals if total]
    return "; ".join([when, *known])


def _last_heard(view: HistoryView) -> int | None:
    """Which of the points is the newest that holds anything."""
    return next((n for n in reversed(range(len(view.points))) if view.points[n].samples), None)


def rows(view: HistoryView, marks: str, width: int = WIDEST) -> list[tuple[str, ...]]:
    """A row for each gauge that was told, under COLUMNS.

    `marks` are those of a line, the lowest first; `width` is how many of them it may have.
    """
    points = view.points
    heard = [None if point.heard is None else float(point.heard) for point in points]
    gauges = (
        ("CPU", [point.cpu_usage_percent for point in points], 100.0, lambda v: f"{v:.1f} %"),
        ("Memory", [point.mem_used_bytes for point in points], view.mem_total_bytes, _size),
        ("Disk", [point.disk_used_bytes for point in points], view.disk_total_bytes, _size),
        ("Apps", [point.apps_running for point in points], None, lambda v: f"{v:g}"),
    )
    share = [value for value in heard if value is not None]
    mean = f"{100 * sum(share) / len(share):.0f} %" if share else "-"
    last = _last_heard(view)
    when = "-" if last is None else _local(points[last].at)[-5:]
    found: list[tuple[str, ...]] = [("Heard", when, "", mean, "", line(heard, 1.0, marks, width))]
    found += [
        _row(name, values, last, top, show, partial(line, marks=marks, width=width))
        for name, values, top, show in gauges
        if any(value is not None for value in values)
    ]
    return found


def line(values: Values, top: float, marks: str, width: int = WIDEST) -> str:
    """At most `width` marks from 0 to `top`, each the mean of as many values; blank where none is known."""
    count = min(len(values), width)
    cuts = [round(number * len(values) / count) for number in range(count + 1)]
    return "".join(_mark(values[cuts[n] : cuts[n + 1]], top, marks) for n in range(count))


def csv_text(view: HistoryView) -> str:
    """A line for each slot, times in UTC, sizes in bytes; a name that came from a peer does no harm in it."""
    text = io.StringIO()
    writer = csv.writer(text)  # the dialect of RFC 4180
    writer.writerow(CSV_COLUMNS)
    writer.writerows(_csv_row(view, point) for point in view.points)
    return text.getvalue()


def _csv_row(view: HistoryView, point: HistoryPoint) -> list[object]:
    return [
        _cell(view.name),
        _cell(view.did),
        point.at,
        _HEARD[point.heard],
        point.cpu_usage_percent,
        point.mem_used_bytes,
        point.disk_used_bytes,
        point.apps_running,
        point.samples,
    ]


def _cell(text: str) -> str:
    """Text that neither steers a terminal nor is a formula to a spreadsheet."""
    shown = printable(text)
    return f"'{shown}" if shown.lstrip().startswith(_FORMULA) else shown


def _row(
    name: str,
    values: Values,
    newest: int | None,
    top: float | None,
    show: Callable[[float], str],
    draw: Callable[[Values, float], str],
) -> tuple[str, ...]:
    known = [value for value in values if value is not None]
    last, highest = None if newest is None else values[newest], max(known)
    return (
        name,
        "-" if last is None else show(last),
        show(min(known)),
        show(sum(known) / len(known)),
        show(highest),
        draw(values, max(top or 0, highest)),
    )


def _mark(values: Values, top: float, marks: str) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return " "
    share = sum(known) / len(known) / top if top else 0.0
    return marks[min(int(share * len(marks)), len(marks) - 1)]


def _size(value: float) -> str:
    return size(int(value))


def _local(when: str) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(timestamps.from_text(when)))
