"""What a metric is: its name, kind, help, labels, and how it is read at the moment of a scrape. Pure."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from enigma_fed.daemon.metricsscene import Scene

PREFIX: Final = "enigma_fed_"


class Kind(enum.StrEnum):
    """As Prometheus names them."""

    COUNTER = "counter"
    """Only rises, from 0 at the agent's start; its samples end with `_total`."""
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    """How many were within each bound: `_bucket`, `_count` and `_sum`."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A histogram's value."""

    bounds: tuple[float, ...]
    """Upper bounds, rising."""
    counts: tuple[int, ...]
    """How many within each and not the one before; the last: within none."""
    total: float
    """Sum of all."""


Labels: TypeAlias = tuple[str, ...]
Sample: TypeAlias = tuple[Labels, float | Spread]
Read: TypeAlias = "Callable[[Scene], Iterable[Sample]]"


@dataclass(frozen=True, slots=True)
class Family:
    """One metric with all its samples."""

    name: str
    """Without PREFIX and `_total`; ends with its unit."""
    kind: Kind
    help: str
    read: Read
    labels: Labels = ()
    unit: str = ""
    """seconds, bytes or ratio; none for plain counts."""

    @property
    def full_name(self) -> str:
        """As it is asked for."""
        total = "_total" if self.kind is Kind.COUNTER else ""
        return f"{PREFIX}{self.name}{total}"


@dataclass(frozen=True, slots=True)
class Found:
    """A family as it was read."""

    family: Family
    samples: tuple[Sample, ...]


def one(value: float | None) -> Iterable[Sample]:
    """A value without labels; nothing when it is not known."""
    return () if value is None else (((), float(value)),)


def by_word(counts: Mapping[str, float]) -> Iterable[Sample]:
    """A value for each word."""
    return [((word,), float(count)) for word, count in sorted(counts.items())]


def the_one(word: str, words: Iterable[str]) -> Iterable[Sample]:
    """1 for the word that holds and 0 for every other, so that each is always there to be asked for."""
    return [((each,), float(each == word)) for each in words]
