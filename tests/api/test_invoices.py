"""Invoices as scripts meet them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from core.ports.clock import FrozenClock
from core.runtime import Runtime
from data.enums import Role
from tests.api.conftest import Caller, assert_refusal
from tests.conftest import NOW, Place
from tests.core.billing.pdf_text import pdf_text
from tests.core.ledger import Ledger

FIRST = datetime(2026, 11, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def november(runtime: Runtime, place: Place, owner: Caller, clock: FrozenClock) -> str:
    """The id of the invoice of a month that ended an hour ago, with three overages on Pro."""
    Ledger(runtime, place).many(503, FIRST, apart=HOUR)
    clock.advance((datetime(2026, 12, 1, 1, tzinfo=UTC) - NOW).total_seconds())
    items = owner.get("/billing/invoices").json()["items"]
    assert [one["startDate"] for one in items] == ["2026-12-01", "2026-11-01"]
    found: str = items[1]["id"]
    return found


def test_an_invoice_as_json_csv_and_pdf(owner: Caller, november: str) -> None:
    body = owner.get(f"/billing/invoices/{november}").json()
    assert {key: body[key] for key in ("number", "state", "plan", "timezone", "hash", "finalisedAt")} == {
        "number": None,
        "state": "draft",
        "plan": "pro",
        "timezone": "UTC",
        "hash": None,
        "finalisedAt": None,
    }
    assert (body["startDate"], body["endDate"]) == ("2026-11-01", "2026-11-30")
    assert (body["amountUSD"], body["amountExact"]) == (0.02, "0.015")
    assert [(line["kind"], line["quantity"], line["amountExact"]) for line in body["lines"]] == [
        ("included", 500, "0.00"),
        ("overage", 3, "0.015"),
    ]
    csv = owner("GET", f"/billing/invoices/{november}", headers={"Accept": "text/csv"})
    assert csv.headers["content-type"] == "text/csv; charset=utf-8"
    assert csv.text.splitlines()[-1] == "Draft of 2026-11,draft,2026-11,total,Total,,,0.02"
    pdf = owner("GET", f"/billing/invoices/{november}", headers={"Accept": "application/pdf"})
    assert pdf.headers["content-type"] == "application/pdf"
    assert "Total, USD 0.02" in pdf_text(pdf.content)


def test_finalise_void_and_finalise_the_replacement(owner: Caller, november: str) -> None:
    done = owner.post(f"/billing/invoices/{november}/finalise")
    assert done.status_code == 200, done.text
    assert (done.json()["number"], done.json()["state"], len(done.json()["hash"])) == (1, "finalised", 64)
    assert done.json()["finalisedAt"] == "2026-12-01T01:00:00.000000Z"
    assert owner.get(f"/billing/invoices/{november}/verify").json() == {"whole": True, "findings": []}
    assert_refusal(owner.post(f"/billing/invoices/{november}/finalise"), 409, "not_draft")
    assert_refusal(owner.post(f"/billing/invoices/{november}/void", {}), 400)
    void = owner.post(f"/billing/invoices/{november}/void", {"reason": "Wrong"}).json()
    assert (void["state"], void["voidReason"], void["number"]) == ("void", "Wrong", 1)
    again = owner.post(f"/billing/invoices/{void['replacedBy']}/finalise", {"confirm": True}).json()
    assert (again["number"], again["replaces"], again["amountExact"]) == (2, november, "0.015")
    assert_refusal(owner.post(f"/billing/invoices/{november}/void", {"reason": "No"}), 409, "not_finalised")


def test_the_running_month_cannot_be_finalised(owner: Caller, november: str) -> None:
    (december, _) = owner.get("/billing/invoices").json()["items"]
    assert_refusal(owner.post(f"/billing/invoices/{december['id']}/finalise"), 409, "period_open")


def test_who_may_do_what_with_invoices(
    caller: Callable[[Role], Caller], stranger: Caller, november: str
) -> None:
    path = f"/billing/invoices/{november}"
    for role, status in ((Role.MANAGER, 200), (Role.AGENT, 403), (Role.VIEWER, 403), (Role.SUPPORT, 403)):
        assert caller(role).get(path).status_code == status
        assert_refusal(caller(role).post(f"{path}/finalise"), 403, "forbidden")
        assert_refusal(caller(role).post(f"{path}/void", {"reason": "No"}), 403, "forbidden")
    assert_refusal(stranger.get(path), 401)
    assert_refusal(caller(Role.OWNER).get("/billing/invoices/inv_none"), 404, "not_found")
    assert_refusal(caller(Role.OWNER).get("/billing/invoices", cursor="x"), 400)
