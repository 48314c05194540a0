"""Template webhooks: the copy follows, the history keeps the order of things at Meta."""

from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlmodel import col, select

from core.sandbox.webhooks import Update, compose
from core.templates.updates import SOON, apply_change
from core.templates.verdicts import VerdictView, history_of
from data.enums import ChangeSource, TemplateAspect, WaitingFor
from data.sending import Template, Waba
from data.templates import TemplateChange
from tests.conftest import NOW, WABA_ID
from tests.core.desk import WORKER, Desk

Told = tuple[str, dict[str, Any], datetime]
NAMED = {
    "message_template_id": 594425479261603,
    "message_template_name": "order_update",
    "message_template_language": "en_US",
}


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def status(minutes: float, event: str, **value: Any) -> Told:
    return "message_template_status_update", {**NAMED, "event": event, "reason": "NONE", **value}, at(minutes)


def quality(minutes: float, score: str) -> Told:
    return "message_template_quality_update", {**NAMED, "new_quality_score": score}, at(minutes)


def category(minutes: float, **value: Any) -> Told:
    return "template_category_update", {**NAMED, **value}, at(minutes)


def words(minutes: float, **value: Any) -> Told:
    return "message_template_components_update", {**NAMED, **value}, at(minutes)


def hear(desk: Desk, *told: Told) -> list[bool]:
    found = []
    with desk.runtime.unit(WORKER, write=True) as unit:
        for field, value, moment in told:
            waba = unit.session.get_one(Waba, WABA_ID)
            found.append(apply_change(unit, waba=waba, field=field, value=value, at=moment))
    return found


def template(desk: Desk, name: str = "order_update") -> Template:
    with desk.runtime.unit(WORKER) as unit:
        return unit.session.exec(select(Template).where(col(Template.name) == name)).one()


def verdicts(desk: Desk) -> list[VerdictView]:
    """Oldest first."""
    with desk.runtime.unit(desk.place.owner) as unit:
        return list(reversed(history_of(unit, template(desk).id).items))


def rows(desk: Desk) -> list[tuple[Any, ...]]:
    with desk.runtime.unit(WORKER) as unit:
        found = unit.session.exec(select(TemplateChange)).all()
        return sorted((one.at, one.aspect, one.said, one.source) for one in found)


def test_t1_a_verdict_changes_the_copy_and_stands_in_the_history_with_its_reason(desk: Desk) -> None:
    recommendation = "Say what the order is about."
    refused = {"reason": "INVALID_FORMAT", "recommendation": recommendation}
    hear(desk, status(-2, "REJECTED", reason="INVALID_FORMAT", rejection_info=refused))
    assert template(desk).status == "APPROVED"  # it was read later than that
    hear(desk, status(1, "REJECTED", reason="INVALID_FORMAT", rejection_info=refused))
    now = template(desk)
    assert (now.status, now.rejected_reason) == ("REJECTED", "INVALID_FORMAT")
    hear(desk, status(2, "APPROVED"))
    now = template(desk)
    assert (now.status, now.rejected_reason) == ("APPROVED", None)
    first, second = verdicts(desk)  # the second rejection says what the first one said
    assert (first.said, first.reason, first.words) == ("REJECTED", "INVALID_FORMAT", recommendation)
    assert (first.at, first.noticed_at, first.source) == (at(-2), NOW, ChangeSource.WEBHOOK)
    assert (second.said, second.before, second.reason) == ("APPROVED", "REJECTED", "")


def test_t1_the_same_webhook_twice_is_one_row(desk: Desk) -> None:
    for _ in range(3):
        hear(desk, status(1, "PAUSED"), quality(1, "RED"))
    assert [(row[1], row[2]) for row in rows(desk)] == [("quality", "RED"), ("status", "PAUSED")]


def test_new_category_means_two_things(desk: Desk) -> None:
    to_come = int(at(1440).timestamp())
    announced = {"new_category": "UTILITY", "correct_category": "MARKETING"}
    hear(desk, category(1, **announced, category_update_timestamp=to_come))
    now = template(desk)
    assert (now.category, now.planned_category, now.planned_at) == ("UTILITY", "MARKETING", at(1440))
    hear(desk, category(1440, previous_category="UTILITY", new_category="MARKETING"))
    now = template(desk)
    assert (now.category, now.planned_category, now.planned_at) == ("MARKETING", None, None)
    planned, given = verdicts(desk)
    assert (planned.aspect, planned.said) == (TemplateAspect.PLANNED_CATEGORY, "MARKETING")
    assert (given.aspect, given.said, given.before) == (TemplateAspect.CATEGORY, "MARKETING", "UTILITY")


def test_new_words_are_the_copys_words(desk: Desk) -> None:
    buttons = [
        {
            "message_template_button_type": "URL",
            "message_template_button_text": "Track it",
            "message_template_button_url": "https://x.example/{{1}}",
        }
    ]
    hear(
        desk,
        words(
            1,
            message_template_title="Your order",
            message_template_element="Hi {{1}}, order {{2}} left.",
            message_template_buttons=buttons,
        ),
    )
    assert template(desk).components == [
        {"type": "HEADER", "format": "TEXT", "text": "Your order"},
        {"type": "BODY", "text": "Hi {{1}}, order {{2}} left."},
        {
            "type": "BUTTONS",
            "buttons": [{"type": "URL", "text": "Track it", "url": "https://x.example/{{1}}"}],
        },
    ]


def test_a_quality_that_comes_under_the_name_of_a_status_is_a_quality(desk: Desk) -> None:
    hear(desk, ("message_template_status_update", {**NAMED, "new_quality_score": "YELLOW"}, at(1)))
    assert (template(desk).quality, template(desk).status) == ("YELLOW", "APPROVED")


def test_without_a_name_the_template_is_found_by_metas_id_which_is_a_number(desk: Desk) -> None:
    desk.change(Template, template(desk).id, meta_id="594425479261603")
    value = {"message_template_id": 594425479261603, "event": "PAUSED"}
    hear(desk, ("message_template_status_update", value, at(1)))
    assert template(desk).status == "PAUSED"


def test_what_is_told_of_an_unknown_template_waits_in_its_history(desk: Desk) -> None:
    value = {**NAMED, "message_template_name": "to_come", "event": "REJECTED"}
    desk.change(Waba, WABA_ID, templates_due_at=at(60))
    assert hear(desk, ("message_template_status_update", value, at(1))) == [False]
    assert [row[2] for row in rows(desk)] == ["REJECTED"]
    with desk.runtime.unit(WORKER) as unit:
        assert unit.session.get_one(Waba, WABA_ID).templates_due_at == NOW + SOON


def test_nonsense_changes_nothing(desk: Desk) -> None:
    before = template(desk)
    for value in ({}, {"event": 7}, {**NAMED}, {**NAMED, "event": {"a": 1}}, {"message_template_id": []}):
        for field in ("message_template_status_update", "template_category_update", "account_update"):
            assert hear(desk, (field, value, at(1))) == [False]
    hear(desk, words(1, message_template_buttons=[7, {}], message_template_element=[]))
    now = template(desk)
    assert (now.status, now.category, now.quality) == (before.status, before.category, before.quality)
    assert now.components[0] == before.components[0]


MANY = [
    status(1, "PAUSED", other_info={"title": "FIRST_PAUSE", "description": "Feedback"}),
    status(4, "APPROVED"),
    status(4, "PAUSED"),
    quality(2, "RED"),
    quality(3, "GREEN"),
    category(2, new_category="UTILITY", correct_category="MARKETING"),
    category(5, previous_category="UTILITY", new_category="MARKETING"),
    category(6, new_category="MARKETING", correct_category="UTILITY"),
    words(2, message_template_element="One {{1}}", message_template_footer="Bye"),
    words(3, message_template_element="Two {{1}}"),
]


def test_any_order_of_webhooks_comes_to_the_same(desk: Desk) -> None:
    row_id, before = template(desk).id, template(desk).model_dump(exclude={"id"})
    found = []
    for shift in range(len(MANY)):
        turned = MANY[shift:] + MANY[:shift]
        for order in (turned, turned[::-1], turned[::3] + turned[1::3] + turned[2::3]):
            desk.change(Template, row_id, **before)
            with desk.runtime.unit(WORKER, write=True) as unit:
                for row in unit.session.exec(select(TemplateChange)):
                    unit.session.delete(row)
            hear(desk, *order)
            hear(desk, *order[:4])
            found.append((template(desk).model_dump(), rows(desk)))
    assert all(one == found[0] for one in found)
    now = template(desk)
    assert (now.status, now.quality, now.category, now.planned_category) == (
        "PAUSED",
        "GREEN",
        "MARKETING",
        "UTILITY",
    )
    assert now.components == [{"type": "BODY", "text": "Two {{1}}"}]


def told(desk: Desk, field: str, value: dict[str, Any]) -> None:
    body = compose(WABA_ID, [Update(WABA_ID, "change", value, field=field)], now=int(desk.now.timestamp()))
    desk.hear(orjson.loads(body))


def test_t4_a_pause_told_by_webhook_parks_and_its_end_frees_at_once(desk: Desk) -> None:
    (message_id,) = desk.queue()
    told(desk, *status(0, "PAUSED")[:2])
    assert desk.claim() == []
    assert desk.message(message_id).waiting_for is WaitingFor.TEMPLATE
    desk.advance(3 * 3600)
    told(desk, *status(0, "APPROVED", other_info={"title": "UNPAUSE"})[:2])
    assert desk.message(message_id).waiting_for is None
    assert [ours.message_id for ours in desk.claim()] == [message_id]


def test_t4_what_waits_for_a_template_held_by_hand_is_not_freed_by_meta(desk: Desk) -> None:
    from core.lanes.commands import pause

    (message_id,) = desk.queue()
    told(desk, *status(0, "PAUSED")[:2])
    assert desk.claim() == []
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        pause(unit, template_id=template(desk).id, reason="Wrong price")
    desk.advance(60)
    told(desk, *status(0, "APPROVED")[:2])
    assert desk.message(message_id).waiting_for is WaitingFor.TEMPLATE


def test_t4_a_refusal_of_a_send_is_in_the_history_and_an_older_webhook_does_not_undo_it(desk: Desk) -> None:
    from core.ports.graph_replies import Reply, ReplyKind

    desk.advance(60)
    desk.send_and_get(Reply(ReplyKind.REFUSED, meta_code=132015, http_status=400, detail="Paused"))
    assert template(desk).status == "PAUSED"
    hear(desk, status(0.5, "APPROVED"))
    assert template(desk).status == "PAUSED"
    assert [(one.said, one.source) for one in verdicts(desk)] == [
        ("APPROVED", ChangeSource.WEBHOOK),
        ("PAUSED", ChangeSource.SEND),
    ]
