"""A comparison: samples of ours and of a floor, their medians, the ratio against its target."""

from __future__ import annotations

import platform
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
import psutil


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Ours against a floor, samples interleaved, in one unit."""

    name: str
    ours: tuple[float, ...]
    floor: tuple[float, ...]
    floor_name: str
    unit: str
    target: float | None

    @property
    def ratio(self) -> float:
        """Median of ours over median of the floor."""
        return statistics.median(self.ours) / statistics.median(self.floor)

    @property
    def line(self) -> str:
        """One row of the table."""
        target = "-"
        if self.target is not None:
            target = f"≤ {self.target} {'met' if self.ratio <= self.target else 'MISSED'}"
        return (
            f"| {self.name} | {_figure(self.ours)} {self.unit} "
            f"| {self.floor_name}: {_figure(self.floor)} {self.unit} "
            f"| {self.ratio:.3f} | {target} | {len(self.ours)} pairs |"
        )


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """One figure against a bound; a `target` of None is for information."""

    name: str
    value: float
    unit: str
    target: float | None
    samples: str

    @property
    def line(self) -> str:
        """One row of the table."""
        target = "-"
        if self.target is not None:
            target = f"≤ {self.target:g} {'met' if self.value <= self.target else 'MISSED'}"
        return f"| {self.name} | {self.value:.2f} {self.unit} | - | - | {target} | {self.samples} |"


def _figure(samples: Sequence[float]) -> str:
    ordered = sorted(samples)
    p90 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.9))]
    return f"{statistics.median(ordered):.1f} (p90 {p90:.1f})"


def print_table(rows: Sequence[Comparison | Reading]) -> None:
    """Print the rows as Markdown, with date and machine."""
    memory = psutil.virtual_memory().total // 2**30
    print(
        f"\n{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {psutil.cpu_count()} cores, {memory} GiB, "
        f"Python {platform.python_version()}, Linux {platform.release().split('-')[0]}\n"
    )
    print("| what | ours, median | floor, median | ratio | target | samples |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        print(row.line)
