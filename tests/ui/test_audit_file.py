"""The audit log taken out as a file."""

import csv
import io
import json

import httpx
import pytest

from core.audit_log.queries import AuditFilter, list_entries
from data.enums import Role
from tests.conftest import Place
from tests.console import COOKIE, Console


def browser(console: Console, place: Place, role: Role = Role.OWNER) -> httpx.Client:
    email = console.owner_email(place) if role is Role.OWNER else console.add_person(place, role)
    return httpx.Client(base_url=console.url, cookies={COOKIE: console.token_for(email)})


def write(console: Console, place: Place, count: int, action: str = "thing.done") -> None:
    with console.runtime.unit(place.owner, write=True) as unit:
        for number in range(count):
            unit.record(action, f"thing:{number}", after={"name": "=cmd|'/c calc'!A1", "words": 'ü, "x"'})


def actions(console: Console, place: Place) -> list[str]:
    with console.runtime.unit(place.owner) as unit:
        return [row.action for row in list_entries(unit, AuditFilter()).items]


def test_p9_every_entry_that_matches_is_in_the_file_newest_first(
    console: Console, console_place: Place
) -> None:
    write(console, console_place, 1100)
    with browser(console, console_place) as client:
        answer = client.get("/audit/export", params={"form": "jsonl", "action": "thing.done"})
    assert answer.headers["content-type"] == "application/jsonl"
    assert "attachment" in answer.headers["content-disposition"]
    rows = [json.loads(line) for line in answer.text.splitlines()]
    assert [row["target"] for row in rows] == [f"thing:{number}" for number in reversed(range(1100))]
    assert rows[0]["after"] == {"name": "=cmd|'/c calc'!A1", "words": 'ü, "x"'}
    assert actions(console, console_place)[0] == "audit.exported"


def test_p9_no_cell_of_the_csv_is_a_formula(console: Console, console_place: Place) -> None:
    write(console, console_place, 1, action="=1+1")
    with browser(console, console_place) as client:
        answer = client.get("/audit/export", params={"form": "csv", "target": "thing:0"})
    (row,) = csv.DictReader(io.StringIO(answer.text, newline=""))
    assert row["action"] == "'=1+1"
    assert json.loads(row["after"])["words"] == 'ü, "x"'


def test_p9_a_manager_may_read_the_log_and_not_take_it_out(console: Console, console_place: Place) -> None:
    with browser(console, console_place, Role.MANAGER) as client:
        answer = client.get("/audit/export")
    assert answer.status_code == 403
    assert "audit.export" in answer.text
    assert actions(console, console_place)[0] == "refused"


def test_without_a_session_there_is_no_file(console: Console, console_place: Place) -> None:
    answer = httpx.get(f"{console.url}/audit/export")
    assert answer.status_code == 303
    key = {"Authorization": f"Bearer {console_place.keys[Role.OWNER]}"}
    assert httpx.get(f"{console.url}/audit/export", headers=key).status_code == 303


@pytest.mark.parametrize("query", ["form=xml", "form="])
def test_a_form_that_there_is_not_is_not_found(console: Console, console_place: Place, query: str) -> None:
    with browser(console, console_place) as client:
        assert client.get(f"/audit/export?{query}").status_code == 404


@pytest.mark.parametrize(
    "query", ["from=x&until=9999-12-31", "target=%00", "actor=" + "x" * 500, "from=0001-01-01"]
)
def test_whatever_the_address_asks_for_is_answered(
    console: Console, console_place: Place, query: str
) -> None:
    with browser(console, console_place) as client:
        assert client.get(f"/audit/export?{query}").status_code == 200
