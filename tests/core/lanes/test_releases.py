"""What the end of a cause lets go is said on its alert, and offered where a person must act (Q7)."""

import pytest
from sqlmodel import col, select

from core.alerts.queries import get_alert
from core.lanes.commands import pause, resume
from core.lanes.holding import hold, release
from core.lanes.releases import Offer, OfferKind, offers
from core.unit import Identity
from data.alerts import Alert
from data.enums import HoldCause, HoldScope, Role
from tests.conftest import PHONE_ID
from tests.core.desk import Desk, order

PROBE = Identity(process="probe")
LANE = {"scope": HoldScope.LANE, "subject": PHONE_ID}


def held(desk: Desk, cause: HoldCause = HoldCause.PAYMENT) -> None:
    with desk.runtime.unit(PROBE, write=True) as unit:
        workspace_id = desk.place.workspace.id
        hold(unit, **LANE, cause=cause, reason="Payment is missing.", workspace_id=workspace_id)


def released(desk: Desk, cause: HoldCause = HoldCause.PAYMENT) -> None:
    desk.advance(60)
    with desk.runtime.unit(PROBE, write=True) as unit:
        release(unit, **LANE, cause=cause)


def alert(desk: Desk) -> Alert:
    with desk.runtime.unit(PROBE) as unit:
        return unit.session.exec(select(Alert).where(col(Alert.kind) == "lane_held")).one()


def offered(desk: Desk, role: Role = Role.OWNER) -> tuple[Offer, ...]:
    with desk.runtime.unit(desk.place.acting(role)) as unit:
        return offers(unit, get_alert(unit, alert(desk).id))


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (HoldCause.PAYMENT, "Payment fixed: 12 messages were released."),
        (HoldCause.TOKEN, "Token renewed: 12 messages were released."),
        (HoldCause.RESTRICTION, "Restriction lifted: 12 messages were released."),
    ],
)
def test_q7_a_release_by_itself_says_how_many_messages_go(desk: Desk, cause: HoldCause, words: str) -> None:
    desk.queue(12)
    held(desk, cause)
    assert offered(desk) == ()
    released(desk, cause)
    assert (alert(desk).outcome, offered(desk)) == (words, ())
    assert len(desk.claim()) == 12


def test_q7_that_nothing_waited_is_said_too(desk: Desk) -> None:
    held(desk)
    released(desk)
    assert alert(desk).outcome == "Payment fixed; no message waited."


def test_q7_a_person_who_releases_it_is_said_to_have(desk: Desk) -> None:
    desk.queue(1)
    held(desk)
    with desk.runtime.unit(desk.place.acting(Role.OWNER), write=True) as unit:
        resume(unit, phone_number_id=PHONE_ID)
    assert alert(desk).outcome == "Released by hand: 1 message was released."


@pytest.mark.parametrize("phone", [PHONE_ID, None])
def test_q7_where_a_pause_by_hand_remains_resuming_is_offered_to_those_who_may(
    desk: Desk, phone: str | None
) -> None:
    desk.queue(3)
    held(desk)
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        pause(unit, phone_number_id=phone, reason="Stocktaking")
    released(desk)
    what = "number" if phone else "sending"
    assert alert(desk).outcome == f"Payment fixed; the {what} is paused, so 3 messages wait on."
    assert offered(desk) == (Offer(OfferKind.RESUME, 3, phone),)
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        resume(unit, phone_number_id=phone)
    assert offered(desk) == ()
    assert len(desk.claim()) == 3


def test_q7_what_ran_out_of_time_meanwhile_is_offered_to_be_looked_at(desk: Desk) -> None:
    desk.queue(2, request=order(ttl_s=300))
    desk.queue(1, first=10)
    held(desk)
    desk.advance(301)
    released(desk)
    desk.claim()
    assert offered(desk) == (Offer(OfferKind.LETTERS, 2, PHONE_ID),)
