from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import StatementError
from sqlmodel import Session, col, select

from data.columns import from_micros, to_micros
from data.engine import Database
from data.enums import HoldCause, HoldScope
from data.operations import Lease
from data.sending import Hold

moments = st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9000, 1, 1), timezones=st.just(UTC))


@given(moments)
def test_c1_a_moment_is_kept_to_the_microsecond(moment: datetime) -> None:
    assert from_micros(to_micros(moment)) == moment


@given(moments, moments)
def test_c1_moments_are_ordered_as_they_are_stored(first: datetime, second: datetime) -> None:
    assert (first < second) is (to_micros(first) < to_micros(second))


def test_c1_a_moment_without_a_zone_is_refused(database: Database) -> None:
    with pytest.raises(ValueError, match="time zone"):
        to_micros(datetime(2026, 11, 23))
    with Session(database.write) as session, pytest.raises(StatementError, match="time zone"):
        session.exec(select(Lease).where(col(Lease.until) < datetime(2026, 11, 23))).all()


def test_c1_a_moment_of_another_zone_is_read_back_in_utc(database: Database) -> None:
    berlin = timezone(timedelta(hours=1))
    with Session(database.write) as session:
        session.add(Lease(name="a", holder="h", until=datetime(2026, 11, 23, 10, 0, 0, 7, tzinfo=berlin)))
        session.commit()
        session.expire_all()
        read = session.get_one(Lease, "a").until
    assert read == datetime(2026, 11, 23, 9, 0, 0, 7, tzinfo=UTC)
    assert read.tzinfo is UTC


def test_an_enumeration_is_stored_by_its_value_and_nothing_else_is_read(database: Database) -> None:
    with Session(database.write) as session:
        session.add(
            Hold(
                id="hld_1",
                scope=HoldScope.EVERYTHING,
                subject="*",
                cause=HoldCause.PERSON,
                reason="r",
                held_at=datetime(2026, 11, 23, tzinfo=UTC),
            )
        )
        session.commit()
        assert session.connection().execute(text("SELECT scope, cause FROM hold")).one() == (
            "everything",
            "person",
        )
        session.connection().execute(text("UPDATE hold SET scope = 'galaxy'"))
        session.expire_all()
        with pytest.raises(LookupError, match="galaxy"):
            session.get_one(Hold, "hld_1")
