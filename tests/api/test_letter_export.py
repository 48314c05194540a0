"""``/dead-letters/export``: what matches, as a file that spreadsheets and scripts read back unharmed."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

from sqlmodel import select

from core.dead_letters import export
from core.runtime import Runtime
from data.enums import Role
from data.messages import DeadLetter
from data.operations import AuditEntry
from tests.api.conftest import Caller, assert_refusal, dead_letter
from tests.conftest import Place

PATH = "/dead-letters/export"
CORPUS = [
    *("=1+1", "+49", "-2", "@SUM(A1)", "\t=x", "\r=x", "'=x", '=HYPERLINK("http://x","y")'),
    *('a "quoted", comma', "two\nlines", "two\r\nlines", '"', ",", ";", "", " leading", "trailing "),
    *("Grüße", "Ελληνικά", "العربية", "עברית", "हिन्दी", "ไทย", "日本語", "한국어", "👩‍👩‍👧 🇩🇪", "é vs é"),
    *("\u202eright to left", "zero\u200bwidth", "\x7f\x1b[31m", "NULL", "x" * 300),
]


def as_shown(cell: str) -> str:
    """A cell that begins like a formula has a quote before it."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def many(owner: Caller, runtime: Runtime, place: Place) -> dict[str, Any]:
    """One letter for each text of the corpus, which stands where the template's name does; and one more."""
    line = dead_letter(owner)
    with runtime.unit(place.owner, write=True) as unit:
        first = unit.session.get_one(DeadLetter, line["id"])
        for number, word in enumerate(CORPUS):
            kept = {name: getattr(first, name) for name in DeadLetter.model_fields}
            copy = {**kept, "id": f"dl_x{number:03}", "round": 10 + number, "template_name": word}
            unit.session.add(DeadLetter(**copy))
    return line


def test_a_csv_reads_back_as_what_was_written(owner: Caller, runtime: Runtime, place: Place) -> None:
    line = many(owner, runtime, place)
    answer = owner.get(PATH, errorCode="meta_131026")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "dead-letters-2026-11-23.csv" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert list(rows[0]) == list(line)
    found = {row["id"]: row for row in rows}
    assert [found[f"dl_x{n:03}"]["templateName"] for n in range(len(CORPUS))] == list(map(as_shown, CORPUS))
    mine = found[line["id"]]
    assert (mine["to"], mine["attempts"], mine["mayDuplicate"]) == (line["to"][1:], "1", "false")
    assert (mine["deadAt"], mine["assigneeId"]) == (line["deadAt"], "")


def test_json_is_one_object_a_line_and_has_all_pages(owner: Caller, runtime: Runtime, place: Place) -> None:
    many(owner, runtime, place)
    before, export.BATCH = export.BATCH, 10
    try:
        answer = owner.get(PATH, format="json")
    finally:
        export.BATCH = before
    assert answer.headers["content-type"].startswith("application/jsonl")
    lines = [json.loads(line) for line in answer.text.split("\n") if line]
    assert {line["id"]: line["templateName"] for line in lines if line["id"].startswith("dl_x")} == {
        f"dl_x{number:03}": word for number, word in enumerate(CORPUS)
    }
    assert len(lines) == len(CORPUS) + 1
    listed = owner.get("/dead-letters", limit=200).json()["items"]
    assert lines == listed


def test_taking_out_needs_its_permission_and_is_on_record(
    owner: Caller, caller: Callable[[Role], Caller], runtime: Runtime, place: Place
) -> None:
    for role in (Role.SUPPORT, Role.AGENT, Role.VIEWER):
        refused = assert_refusal(caller(role).get(PATH), 403, "forbidden")
        assert refused["permission"] == "dead_letters.export"
    assert_refusal(owner.get(PATH, format="xml"), 400)
    assert owner.get(PATH, errorCode="meta_1", format="json").text == ""
    with runtime.unit(place.owner) as unit:
        entries = [
            entry.after
            for entry in unit.session.exec(select(AuditEntry))
            if entry.action == "dead_letters.exported"
        ]
    assert entries == [{"form": "json", "error_code": "meta_1"}]
