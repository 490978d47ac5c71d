"""Metrics as text, by Prometheus' own library, which is loaded at the first scrape.

Nothing is registered with the library's global registry; a registry of ours lives for one text.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from enigma_fed.daemon.metricsvalues import Found, Kind, Sample, Spread

if TYPE_CHECKING:
    from prometheus_client import Metric


class Form(enum.StrEnum):
    """A text format, with the content type that it goes out as."""

    PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

    @classmethod
    def wanted(cls, accept: str) -> Form:
        """What the field `Accept` asks for."""
        return cls.OPENMETRICS if "application/openmetrics-text" in accept.lower() else cls.PROMETHEUS


def render(found: Sequence[Found], form: Form) -> bytes:
    """The text; takes milliseconds, so call it in a worker thread."""
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(found))
    generate: Callable[[CollectorRegistry], bytes]
    generate = generate_latest if form is Form.PROMETHEUS else generate_openmetrics
    return generate(registry)


class _Collector:
    """What the library asks for metrics."""

    def __init__(self, found: Sequence[Found]) -> None:
        self._found = found

    def collect(self) -> Iterator[Metric]:
        """One library value for each family."""
        return map(_metric, self._found)

    def describe(self) -> Iterable[Metric]:
        """Nothing: the registry lives for one text."""
        return ()


def _metric(found: Found) -> Metric:
    from prometheus_client import Metric

    family = found.family
    name = family.full_name.removesuffix("_total") if family.kind is Kind.COUNTER else family.full_name
    metric = Metric(name, family.help, family.kind.value, family.unit)
    for labels, value in found.samples:
        marked = dict(zip(family.labels, labels, strict=True))
        for suffix, more, number in _lines(family.kind, (labels, value)):
            metric.add_sample(name + suffix, {**marked, **more}, number)
    return metric


def _lines(kind: Kind, sample: Sample) -> Iterator[tuple[str, dict[str, str], float]]:
    """Suffix, labels besides those of the family, and number of each line of a sample."""
    value = sample[1]
    if not isinstance(value, Spread):
        yield ("_total" if kind is Kind.COUNTER else ""), {}, value
        return
    so_far = 0
    for bound, count in zip((*value.bounds, float("inf")), value.counts, strict=True):
        so_far += count
        yield "_bucket", {"le": "+Inf" if bound == float("inf") else str(bound)}, so_far
    yield "_count", {}, so_far
    yield "_sum", {}, value.total
