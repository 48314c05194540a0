"""The list of templates, and how much each is used."""

import re
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import event
from sqlmodel import col

from core.errors import Malformed, NotFound
from core.lanes.commands import pause
from core.templates.figures import failures, figures
from core.templates.lists import TemplateFilter, TemplateView, languages, list_templates, template_of
from data.enums import MessageState, Role
from data.messages import Message
from data.sending import Template
from tests.conftest import SECOND_PHONE_ID, Place
from tests.core.desk import HOPELESS, Desk, number, order

DAY = 86_400


def more(desk: Desk, *languages: str, name: str = "order_update", **values: Any) -> None:
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        row = unit.session.exec(unit.scoped(Template).where(col(Template.name) == "order_update")).one()
        for language in languages:
            like = row.model_dump(exclude={"id"}) | {"name": name, "language": language} | values
            unit.session.add(Template(id=unit.new_id("tpl"), **like))


def listed(desk: Desk, wanted: TemplateFilter | None = None, **page: Any) -> list[tuple[str, str]]:
    with desk.runtime.unit(desk.place.owner) as unit:
        return [(one.name, one.language) for one in list_templates(unit, wanted, **page).items]


def named(desk: Desk, name: str = "order_update", language: str = "en_US") -> TemplateView:
    with desk.runtime.unit(desk.place.owner) as unit:
        found = list_templates(unit).items
    return next(one for one in found if (one.name, one.language) == (name, language))


def test_the_list_goes_by_name_and_language_and_on_by_cursor(desk: Desk, other_place: Place) -> None:
    more(desk, "de", "en_GB")
    whole = listed(desk)
    assert whole == sorted(whole)
    assert len(whole) == 6
    pages, cursor = [], None
    while True:
        with desk.runtime.unit(desk.place.owner) as unit:
            page = list_templates(unit, cursor=cursor, limit=2)
        pages += [(one.name, one.language) for one in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert pages == whole
    with desk.runtime.unit(other_place.owner) as unit:
        theirs = list_templates(unit).items[0].id
    for cursor in ("x", theirs):
        with desk.runtime.unit(desk.place.owner) as unit, pytest.raises(Malformed):
            list_templates(unit, cursor=cursor)


def test_every_filter_narrows(desk: Desk) -> None:
    more(desk, "de", quality="RED", category="MARKETING", status="PAUSED", name="a_%b")
    assert listed(desk, TemplateFilter(q="SALE")) == [("spring_sale", "en_US"), ("winter_sale", "en_US")]
    assert listed(desk, TemplateFilter(q="%")) == [("a_%b", "de")]
    assert listed(desk, TemplateFilter(status="PAUSED", language="de")) == [("a_%b", "de")]
    assert listed(desk, TemplateFilter(category="UTILITY")) == [
        ("hello_world", "en_US"),
        ("order_update", "en_US"),
    ]
    assert listed(desk, TemplateFilter(quality="RED")) == [("a_%b", "de")]
    with desk.runtime.unit(desk.place.owner) as unit:
        assert languages(unit) == ["de", "en_US"]


def test_a_hold_stands_beside_its_template(desk: Desk) -> None:
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        pause(unit, template_id=named(desk).id, reason="Wrong price")
    hold = named(desk).hold
    assert hold is not None
    assert hold.reason == "Wrong price"
    assert named(desk, "hello_world").hold is None


def test_another_workspaces_template_is_not_found(desk: Desk, other_place: Place) -> None:
    with desk.runtime.unit(other_place.acting(Role.VIEWER)) as unit, pytest.raises(NotFound):
        template_of(unit, named(desk).id)


def test_the_figures_are_those_of_seven_days_and_this_language_alone(desk: Desk) -> None:
    more(desk, "de")
    old = desk.queue(2)
    desk.advance(7 * DAY + 60)
    failed = desk.send_and_get(HOPELESS)
    assert old[0] < failed
    desk.queue(3, first=10)
    desk.queue(2, first=20, phone_number_id=SECOND_PHONE_ID)
    german = order(number(30), phone_number_id=SECOND_PHONE_ID)
    german.payload["template"]["language"] = "de"
    desk.queue(1, request=german)
    with desk.runtime.unit(desk.place.owner) as unit:
        templates = list_templates(unit).items
        found = figures(unit, templates)
        by_key = {(one.name, one.language): found[one.id] for one in templates}
        rows = unit.session.exec(unit.scoped(Message)).all()
    english, de = by_key["order_update", "en_US"], by_key["order_update", "de"]
    counted = Counter(row.template_language for row in rows if row.id not in old)
    assert (english.messages, de.messages) == (counted["en_US"], counted["de"]) == (6, 1)
    deaths = sum(row.state in (MessageState.DEAD, MessageState.FAILED) for row in rows if row.id not in old)
    assert (english.failures, de.failures) == (deaths, 0)
    assert english.last_used_at == max(row.created_at for row in rows if row.template_language == "en_US")
    unused = by_key["hello_world", "en_US"]
    assert (unused.messages, unused.failures, unused.last_used_at) == (0, 0, None)
    with desk.runtime.unit(desk.place.owner) as unit:
        groups = [(one.code, one.count) for one in failures(unit, named(desk))]
        assert sum(count for _, count in groups) == deaths
        assert ("meta_131026", 1) in groups
        assert failures(unit, named(desk, language="de")) == []


def test_figures_are_counted_in_indexes_alone(desk: Desk) -> None:
    if not desk.runtime.database.is_sqlite:
        pytest.skip("EXPLAIN QUERY PLAN is SQLite's; PostgreSQL chooses by statistics")
    desk.queue(3)
    ran: list[tuple[str, Any]] = []

    def note(_conn: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if re.search(r"\bFROM (message|template)\b", statement):
            ran.append((statement, parameters))

    engine = desk.runtime.database.read
    event.listen(engine, "before_cursor_execute", note)
    try:
        with desk.runtime.unit(desk.place.owner) as unit:
            page = list_templates(unit, TemplateFilter(q="o", status="APPROVED"))
            figures(unit, page.items)
            failures(unit, page.items[0])
    finally:
        event.remove(engine, "before_cursor_execute", note)
    plans = []
    with engine.connect() as connection:
        for statement, parameters in ran:
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans.append([str(row[3]) for row in rows])
    lists, counts, failed, last, groups = plans
    assert lists == ["SEARCH template USING INDEX ix_template_named (workspace_id=?)"]
    assert (
        "USING COVERING INDEX ix_message_template (workspace_id=? AND template_name=? AND id>?)" in counts[0]
    )
    assert "USING COVERING INDEX ix_message_template_failed" in failed[0]
    assert any("USING INDEX ix_message_template (workspace_id=? AND template_name=?" in one for one in last)
    assert any("USING COVERING INDEX ix_message_template_failed" in one for one in groups)
