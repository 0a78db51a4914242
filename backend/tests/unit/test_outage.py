"""When health says that scores can't be stored."""

import asyncpg
import pytest

from app.core.errors import DatabaseAway
from app.services.submit import outage
from app.services.submit.outage import Outage, reason


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(outage, "time", made)
    return made


def away(cause: BaseException | None = None) -> DatabaseAway:
    error = DatabaseAway("The score was not stored.")
    error.__cause__ = cause
    return error


def test_a_hiccup_is_no_outage(clock):
    found = Outage()
    found.failed(away())
    assert found.why is None
    clock.now += 1
    found.failed(away())
    assert found.why is None


def test_an_outage_is_told_with_its_reason_until_scores_are_stored(clock):
    found = Outage()
    for _ in range(4):
        found.failed(away(asyncpg.DiskFullError("no space")))
        clock.now += 1
    assert found.why == "disk full"
    found.ended()  # a score that still fitted in
    assert found.why == "disk full"
    clock.now += outage.CALM_SECONDS
    found.ended()
    assert found.why is None


def test_an_outage_is_forgotten_without_traffic(clock):
    found = Outage()
    found.failed(away())
    clock.now += 3
    found.failed(away())
    assert found.why is not None
    clock.now += outage.FORGOTTEN_SECONDS
    assert found.why is None
    # The next failure is the first of a new one.
    clock.now += 1
    found.failed(away())
    assert found.why is None


@pytest.mark.parametrize(
    ("cause", "why"),
    [
        (asyncpg.DiskFullError("x"), "disk full"),
        (asyncpg.ReadOnlySQLTransactionError("x"), "database is read-only"),
        (asyncpg.TooManyConnectionsError("x"), "too many connections"),
        (asyncpg.CannotConnectNowError("x"), "database is stopping or starting"),
        (TimeoutError(), "database does not answer in time"),
        (None, "database does not answer in time"),
        (ConnectionRefusedError(), "database can't be reached"),
    ],
)
def test_reasons_are_few_and_plain(cause, why):
    assert reason(away(cause)) == why


def test_a_burst_after_which_nothing_was_tried_is_an_outage(clock):
    found = Outage()
    found.failed(away(asyncpg.DiskFullError("no space")))
    clock.now += outage.SUDDEN_SECONDS
    assert found.why == "disk full"


def test_a_burst_after_which_scores_were_stored_is_none(clock):
    found = Outage()
    found.failed(away())
    clock.now += 1
    found.ended()
    clock.now += 5
    assert found.why is None
