import re
from datetime import timedelta

import pytest
from sqlmodel import insert

from core.contacts import lists
from core.contacts.commands import change_number, find_or_add, suppress
from core.contacts.lists import ContactFilter, list_contacts
from core.errors import Forbidden, Malformed
from core.unit import Unit
from data.enums import Role, SuppressionKind
from data.messages import Contact
from tests.conftest import Place
from tests.core.desk import WORKER, Desk, envelope, inbound, order

PEOPLE = {
    "Mara Vogel": "4915112300001",
    "Elif Şahin-Öz": "4915112300002",
    "Łukasz Mara": "48501230003",
    "دينا حسن": "201001230004",
}
EVERYBODY = ContactFilter()


@pytest.fixture
def people(desk: Desk) -> dict[str, str]:
    """name → contact id; each a minute after the one before."""
    found = {}
    for name, wa_id in PEOPLE.items():
        desk.advance(60)
        with desk.runtime.unit(WORKER, write=True) as unit:
            found[name] = find_or_add(unit, workspace_id=desk.place.workspace.id, wa_id=wa_id, name=name).id
    return found


def names(desk: Desk, wanted: ContactFilter = EVERYBODY, role: Role = Role.AGENT) -> list[str | None]:
    with desk.runtime.unit(desk.place.acting(role)) as unit:
        return [row.name for row in list_contacts(unit, wanted).items]


def test_newest_activity_comes_first(desk: Desk, people: dict[str, str]) -> None:
    assert names(desk) == list(reversed(PEOPLE))
    desk.advance(60)
    desk.queue(request=order(f"+{PEOPLE['Elif Şahin-Öz']}"))
    assert names(desk)[0] == "Elif Şahin-Öz"
    desk.advance(60)
    desk.hear(envelope(messages=[inbound(wamid="wamid.1", at=desk.now, sender=PEOPLE["Mara Vogel"])]))
    assert names(desk)[1:3] == ["Elif Şahin-Öz", "دينا حسن"]


def test_pages_follow_each_other_without_gap_or_repetition(desk: Desk, people: dict[str, str]) -> None:
    for wanted in (EVERYBODY, ContactFilter(q="mar"), ContactFilter(q="+4")):
        found: list[str | None] = []
        cursor: str | None = None
        while True:
            with desk.runtime.unit(desk.place.owner) as unit:
                page = list_contacts(unit, wanted, cursor=cursor, limit=1)
            found += [row.name for row in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert found == names(desk, wanted)


@pytest.mark.parametrize("few", [lists.FEW, 0], ids=["by their ids", "on the way from the newest"])
@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("mara", ["Łukasz Mara", "Mara Vogel"]),
        ("VOG", ["Mara Vogel"]),
        ("vogel mar", ["Mara Vogel"]),
        ("sahin", ["Elif Şahin-Öz"]),
        ("Şahin-Öz", ["Elif Şahin-Öz"]),
        ("حسن", ["دينا حسن"]),
        ("nobody", []),
        ("%", []),
        ("+49 151", ["Elif Şahin-Öz", "Mara Vogel"]),
        ("48501230003", ["Łukasz Mara"]),
        ("501230003", []),
    ],
)
def test_a_search_finds_names_by_their_words_and_numbers_by_their_beginning(
    desk: Desk, people: dict[str, str], monkeypatch: pytest.MonkeyPatch, few: int, q: str, found: list[str]
) -> None:
    monkeypatch.setattr(lists, "FEW", few)
    assert names(desk, ContactFilter(q=q)) == found


def test_a_search_finds_a_contact_by_its_former_number_and_by_its_user_id(
    desk: Desk, people: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with desk.runtime.unit(WORKER, write=True) as unit:
        place = desk.place.workspace.id
        change_number(unit, workspace_id=place, old_wa_id=PEOPLE["Mara Vogel"], new_wa_id="33123456789")
        find_or_add(unit, workspace_id=place, wa_id="33123456789", business_user_id="FR.a1B2")
    for few in (lists.FEW, 0):
        monkeypatch.setattr(lists, "FEW", few)
        for q in (PEOPLE["Mara Vogel"], "33123456789", "FR.a1B2"):
            with desk.runtime.unit(desk.place.owner) as unit:
                [row] = list_contacts(unit, ContactFilter(q=q)).items
                assert (row.name, row.number) == ("Mara Vogel", "+33123456789")


def test_those_who_opted_out_are_found(desk: Desk, people: dict[str, str]) -> None:
    with desk.runtime.unit(WORKER, write=True) as unit:
        suppress(
            unit,
            workspace_id=desk.place.workspace.id,
            contact_id=people["Mara Vogel"],
            kind=SuppressionKind.MARKETING,
            error_code="meta_131050",
        )
    assert names(desk, ContactFilter(opted_out=True)) == ["Mara Vogel"]
    assert names(desk, ContactFilter(opted_out=True, q="mara")) == ["Mara Vogel"]
    assert names(desk, ContactFilter(opted_out=True, q="elif")) == []
    with desk.runtime.unit(desk.place.owner) as unit:
        [row] = list_contacts(unit, ContactFilter(opted_out=True)).items
        assert row.suppressed == {SuppressionKind.MARKETING}


def test_a_viewer_sees_names_and_masked_numbers_and_may_not_search_by_number(
    desk: Desk, people: dict[str, str]
) -> None:
    with desk.runtime.unit(desk.place.acting(Role.VIEWER)) as unit:
        row = list_contacts(unit, ContactFilter(q="vogel")).items[0]
        assert (row.number, row.number_pretty) == ("+49•••••0001", "+49•••••0001")
        for q in ("+4915", "DE.abc"):
            with pytest.raises(Forbidden) as refusal:
                list_contacts(unit, ContactFilter(q=q))
            assert refusal.value.facts["permission"] == "contacts.reveal"
    with desk.runtime.unit(desk.place.acting(Role.SUPPORT)) as unit, pytest.raises(Forbidden):
        list_contacts(unit, EVERYBODY)


def test_the_window_of_a_row_is_the_one_they_wrote_in_last(desk: Desk) -> None:
    wrote_at = desk.now.replace(microsecond=0)
    desk.hear(envelope(messages=[inbound(wamid="wamid.1", at=wrote_at)]))
    with desk.runtime.unit(desk.place.owner) as unit:
        [row] = list_contacts(unit, EVERYBODY).items
    assert row.window_ends_at == wrote_at + timedelta(hours=24)


def test_p5_contacts_of_another_workspace_are_not_there(
    desk: Desk, people: dict[str, str], other_place: Place
) -> None:
    with desk.runtime.unit(other_place.owner) as unit:
        for wanted in (
            EVERYBODY,
            ContactFilter(q="mara"),
            ContactFilter(q="+49"),
            ContactFilter(opted_out=True),
        ):
            assert list_contacts(unit, wanted).items == []


@pytest.mark.parametrize("cursor", ["", "x", "1", "1.", ".con_1", "-1.con_1", "9" * 30 + ".con_1"])
def test_a_cursor_that_is_none_of_ours_is_malformed(desk: Desk, cursor: str) -> None:
    with desk.runtime.unit(desk.place.owner) as unit, pytest.raises(Malformed):
        list_contacts(unit, EVERYBODY, cursor=cursor)


def plan(unit: Unit, statement: object) -> list[str]:
    sql = statement.compile(unit.session.get_bind(), compile_kwargs={"literal_binds": True})  # type: ignore[attr-defined]
    sql = re.sub(r"'\U0010ffff'", "'~'", str(sql))
    return [str(row[3]) for row in unit.session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}")]


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (EVERYBODY, ""),
        (ContactFilter(q="mara"), "ix_contact_word"),
        (ContactFilter(q="+4915"), "autoindex_contact"),
        (ContactFilter(q="DE.abc"), "autoindex_contact"),
        (ContactFilter(opted_out=True), "ix_suppression_opted_out"),
    ],
)
def test_every_filter_has_an_index_and_the_list_sorts_nothing(
    desk: Desk, wanted: ContactFilter, index: str
) -> None:
    if not desk.runtime.database.is_sqlite:
        pytest.skip("EXPLAIN QUERY PLAN is SQLite's; PostgreSQL chooses by statistics")
    with desk.runtime.unit(desk.place.owner) as unit:
        criteria = lists._criteria(unit, wanted)
        walked = plan(unit, lists.walk(unit, criteria, after=(desk.now, "con_1")))
        assert any(each in step for step in walked for each in ("ix_contact_activity", index or "-")), walked
        assert not any("TEMP B-TREE" in step or step.startswith("SCAN") for step in walked), walked
        for criterion in criteria:
            ids = plan(unit, criterion.ids.limit(10))
            assert any(index in step for step in ids), ids
            assert not any(step.startswith("SCAN") for step in ids), ids


def test_of_more_matches_than_are_sorted_by_hand_the_newest_come_first(desk: Desk) -> None:
    with desk.runtime.unit(WORKER, write=True) as unit:
        rows = [
            {
                "id": unit.new_id("con"),
                "workspace_id": desk.place.workspace.id,
                "wa_id": str(4_917_000_000_000 + index),
                "created_at": unit.now,
                "last_activity_at": unit.now + timedelta(seconds=index),
            }
            for index in range(lists.FEW + 10)
        ]
        unit.session.exec(insert(Contact), params=rows)
    with desk.runtime.unit(desk.place.owner) as unit:
        page = list_contacts(unit, ContactFilter(q="+4917"), limit=2)
        assert [row.number for row in page.items] == ["+4917000002009", "+4917000002008"]
