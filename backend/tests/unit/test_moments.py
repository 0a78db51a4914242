"""Moments in requests and files: ISO 8601 with an offset, and nothing that is guessed."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.schemas.moments import parse_moment

NOON = datetime(2024, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-31T12:00:00Z",
        "2024-01-31t12:00z",
        "2024-01-31 12:00:00+00",  # PostgreSQL
        "2024-01-31 14:30:00.000000+0230",
        "2024-01-31T12:00:00,000-00:00",
        "2024-01-31T07:00:00.000000000-05:00",
        "20240131T120000Z",
        "20240131T1300+01",
    ],
)
def test_the_same_moment_in_its_forms(text):
    assert parse_moment(text) == NOON
    assert parse_moment(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        45322.5, 20240131, 2024, 1795563513, True, None, [], b"2024-01-31T12:00:00Z",
        "", "1795563513", "45322.5", "2024", "2024-01-31", "20240131", "12:00:00Z",
        "2024-01-31T12:00:00", "2024-01-31T12:00:00 Z", " 2024-01-31T12:00:00Z",
        "2024-01-31T12:00:00Z\n", "2024-01-31T24:00:00Z", "2024-01-31T12:00:60Z",
        "2024-02-30T12:00:00Z", "2024-13-01T12:00:00Z", "2024-01-31T12:00:00+25:00",
        "2024-W05-3T12:00:00Z", "31.01.2024 12:00:00Z", "01/31/2024 12:00Z",
        "Wed, 31 Jan 2024 12:00:00 GMT", "\u0662\u0660\u0662\u0664-01-31T12:00:00Z",
        "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-23:59", "infinity", "now",
    ],
)  # fmt: skip
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match=r"must|calendar"):
        parse_moment(text)


def test_a_zone_stands_in_for_a_missing_offset_alone():
    berlin = ZoneInfo("Europe/Berlin")
    assert parse_moment("2024-07-31 14:00:00", berlin) == datetime(2024, 7, 31, 12, tzinfo=UTC)
    assert parse_moment("2024-01-31T12:00:00Z", berlin) == NOON


@given(
    st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29)),  # noqa: DTZ001 - the zone is drawn
    st.timedeltas(timedelta(hours=-23), timedelta(hours=23)),
)
def test_what_python_writes_is_read(naive, offset):
    from datetime import timezone

    at = naive.replace(tzinfo=timezone(timedelta(minutes=offset // timedelta(minutes=1))))
    assert parse_moment(at.isoformat()) == at
    assert parse_moment(str(at)) == at
