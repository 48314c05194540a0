"""Invoices of named stories, as JSON, CSV and PDF text: what is in ``golden/`` was read by a person.

``WAYPOST_WRITE_GOLDEN=1`` writes them anew; look at the difference before committing it.
"""

import json
import os
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from core.billing.invoice_queries import InvoiceView, list_invoices
from core.billing.pdf import invoice_pdf
from core.billing.verify import verify_workspace
from core.conversations.verify import verify as verify_conversations
from core.runtime import Runtime
from data.enums import InvoiceState, PlanName
from tests.conftest import NOW, Place
from tests.core.billing.pdf_text import pdf_text
from tests.core.billing.stories import STORIES, Story
from tests.core.ledger import CLERK, Ledger
from ui.api.invoices import invoice_csv, invoice_json

GOLDEN = Path(__file__).parent / "golden"
BLANK = InvoiceView(
    id="inv_1",
    number=None,
    state=InvoiceState.DRAFT,
    workspace_name="",
    period="2026-11",
    first_day=date(2026, 11, 1),
    last_day=date(2026, 11, 30),
    timezone="UTC",
    plan=PlanName.PRO,
    conversations=0,
    included=500,
    billable=0,
    lines=[],
    amount_micros=0,
    hash=None,
    parked_reason=None,
    drafted_at=NOW,
    finalised_at=None,
    finalised_by=None,
    voided_at=None,
    void_reason=None,
    replaces_id=None,
    replaced_by_id=None,
    mailed_at=None,
    can_finalise=False,
    can_void=False,
)


@pytest.mark.parametrize("name", STORIES)
def test_b10_the_invoices_of_a_story_are_the_golden_ones(runtime: Runtime, place: Place, name: str) -> None:
    story = Story(Ledger(runtime, place))
    STORIES[name](story)
    story.invoices()
    with runtime.unit(place.owner) as unit:
        found = sorted(list_invoices(unit).items, key=lambda one: (one.period, one.number or 99))
    told = [said(invoice) for invoice in found]
    path = GOLDEN / f"{name}.json"
    if os.environ.get("WAYPOST_WRITE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    assert told == json.loads(path.read_text())
    with runtime.unit(CLERK) as unit:
        assert verify_workspace(unit, place.workspace.id) == []
        if name != "enterprise":  # its conversations are rows without messages
            assert verify_conversations(unit, place.workspace.id) == []


@pytest.mark.parametrize(
    "name",
    ["Nordwind Gewürze · Ηχώ · Эхо", "北方物流有限公司", "東京データ株式会社", "한국 물류", "ไทยเดลิเวอรี่"],
)
def test_names_in_any_script_are_drawn(name: str) -> None:
    drawn = pdf_text(invoice_pdf(replace(BLANK, workspace_name=name)))
    assert f"For {name}" in drawn
    assert "cannot be drawn here" not in drawn


@pytest.mark.parametrize(
    ("name", "is_whole"),
    [("דואר ישראל", True), ("شركة النور", True), ("दिल्ली ट्रेडिंग", True), ("Rockets 🚀", False)],
)
def test_what_no_font_has_is_said(name: str, is_whole: bool) -> None:
    """Letters of these scripts are joined and turned around as they are drawn."""
    drawn = pdf_text(invoice_pdf(replace(BLANK, workspace_name=name)))
    assert ("cannot be drawn here" in drawn) is not is_whole


def said(invoice: InvoiceView) -> dict[str, Any]:
    """The three forms, without what differs from run to run."""
    shown = invoice_json(invoice)
    for key in ("id", "replaces", "replacedBy", "hash"):
        shown[key] = None if shown[key] is None else "…"
    return {
        "json": shown,
        "csv": invoice_csv(invoice).splitlines(),
        "pdf": [line for line in pdf_text(invoice_pdf(invoice)).splitlines() if "SHA-256" not in line],
    }
