"""Prometheus' text format, each worker's series under its own label.

A worker that ends takes its series along and a new one begins at zero under another label, so that
`rate()` is right for each of them, and `sum()` over it for all.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from app.core.metrics.families import Family, Reading, Type
from app.core.metrics.tally import Counts

WORKER = "worker"

Told = dict[str, list[Any]]
"""A worker's readings as JSON has them: {family: [[labels, value], ...]}."""


def tell(readings: Iterable[Reading]) -> Told:
    """The readings, for another process to show."""
    told: Told = {}
    for family, labels, value in readings:
        told.setdefault(family.name, []).append([labels, value])
    return told


def render(families: Iterable[Family], by_worker: Mapping[str, Told]) -> bytes:
    """What all workers told, as text. A family without series still has its head."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(families, by_worker))
    return generate_latest(registry)


class _Collector(Collector):
    def __init__(self, families: Iterable[Family], by_worker: Mapping[str, Told]) -> None:
        self._families = families
        self._by_worker = by_worker

    def collect(self) -> Iterator[Metric]:
        for family in self._families:
            yield _metric(family, self._by_worker)


def _metric(family: Family, by_worker: Mapping[str, Told]) -> Metric:
    names = (*family.labels, WORKER)
    series = [
        ((*labels, worker), value)
        for worker, told in by_worker.items()
        for labels, value in told.get(family.name, ())
    ]
    if family.type is Type.HISTOGRAM:
        histogram = HistogramMetricFamily(family.name, family.help, labels=names)
        for labels, value in series:
            bounds, counts, total = Counts(*value)
            ends = [*map(str, bounds), "+Inf"]
            reached = list(zip(ends, accumulate(counts), strict=True))
            histogram.add_metric(labels, reached, total)
        return histogram
    kind = CounterMetricFamily if family.type is Type.COUNTER else GaugeMetricFamily
    metric = kind(family.name, family.help, labels=names)
    for labels, value in series:
        metric.add_metric(labels, value)
    return metric
