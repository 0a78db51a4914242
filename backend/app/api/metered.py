"""Requests by route and status class, with their latencies."""

from bisect import bisect_left
from collections.abc import Iterator
from time import perf_counter

from starlette.routing import Route
from starlette.types import Scope

from app.core.metrics.families import Family, Reading, Source, Type
from app.core.metrics.tally import SECONDS, Counts

REQUESTS = Family(
    "leaderboard_http_request_seconds",
    Type.HISTOGRAM,
    "Requests and the time until they were answered. Status is 2xx and the like; none: cut off.",
    ("method", "route", "status"),
)

_CLASSES = ("none", "1xx", "2xx", "3xx", "4xx", "5xx")


class RequestMeter:
    """One route's requests, as it answers them: for each class of status a list of how many took
    how long, with the sum of all times at its end. Plainer than a `Histogram`, because of what
    this costs a hot route."""

    __slots__ = ("_by_class", "method", "route")

    def __init__(self, method: str, route: str) -> None:
        self.method = method
        self.route = route
        self._by_class: list[list[float]] = [[0] * (len(SECONDS) + 2) for _ in _CLASSES]

    def count(self, status: int, started: float) -> None:
        """`status` 0 says that nothing was answered; `started` is of `time.perf_counter`."""
        seconds = perf_counter() - started
        cells = self._by_class[status // 100]
        cells[bisect_left(SECONDS, seconds)] += 1
        cells[-1] += seconds

    def read(self) -> Iterator[Reading]:
        """Only of what there was."""
        for status, cells in zip(_CLASSES, self._by_class, strict=True):
            counts = [int(count) for count in cells[:-1]]
            if any(counts):
                read = Counts(SECONDS, counts, cells[-1])
                yield Reading(REQUESTS, (self.method, self.route, status), read)


class RequestMeters:
    """An app's meters. What no route took has one together: the browser app's files, and
    addresses and methods that there are not, of which callers may invent as many as they like."""

    def __init__(self) -> None:
        self.others = RequestMeter("*", "*")
        self._by_route: dict[tuple[str, str], RequestMeter] = {}

    def of_route(self, method: str, path: str) -> RequestMeter:
        """The meter of a route as it is declared."""
        return self._by_route.setdefault((method, path), RequestMeter(method, path))

    def of(self, scope: Scope) -> RequestMeter:
        """The meter of a request, once it was routed."""
        route, method = scope.get("route"), scope["method"]
        if isinstance(route, Route) and method in (route.methods or ()):
            return self.of_route(method, route.path)
        return self.others

    @property
    def source(self) -> Source:
        """What all of them have counted."""
        return Source((REQUESTS,), self._read)

    def _read(self) -> Iterator[Reading]:
        for meter in (self.others, *self._by_route.values()):
            yield from meter.read()
