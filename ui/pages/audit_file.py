"""The audit log as a file: CSV or JSON lines, streamed a page at a time, for the browser of who asked."""

import asyncio
import json
from collections.abc import Callable, Generator, Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from core.audit_log.commands import record_export
from core.audit_log.queries import AuditFilter, EntryRow, list_entries
from core.errors import DomainError
from core.runtime import Runtime
from core.unit import Identity
from ui.api.route import needs, runtime_of
from ui.api.shapes import moment
from ui.bare import bare_page
from ui.csv_text import csv_line
from ui.pages.audit_words import asked_for
from ui.session import identity_in
from ui.streamed import Streamed

PATH = "/audit/export"
BATCH = 500
# form → (what is shown, media type)
FORMS = {
    "csv": ("CSV, for spreadsheets", "text/csv; charset=utf-8"),
    "jsonl": ("JSON lines, for scripts", "application/jsonl"),
}

router = APIRouter(include_in_schema=False)


@router.get(PATH)
@needs("audit.export")
async def export(request: Request) -> Response:
    """What matches the address's filters, newest first. That it was taken out is an entry itself."""
    runtime, identity = runtime_of(request), identity_in(request.state)
    form = request.query_params.get("form", "csv")
    if form not in FORMS:
        return bare_page("Not found", "The log can be taken out as csv or as jsonl.", status=404)
    try:
        wanted = await asyncio.to_thread(_begin, runtime, identity, dict(request.query_params), form)
    except DomainError as refusal:
        return bare_page("The log was not exported", refusal.sentence, status=refusal.status)
    name = f"audit-{runtime.clock.now():%Y-%m-%d}.{form}"
    return Streamed(
        _lines(runtime, identity, wanted, form),
        media_type=FORMS[form][1],
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _begin(runtime: Runtime, identity: Identity, asked: Mapping[str, str], form: str) -> AuditFilter:
    with runtime.unit(identity, write=True) as unit:
        return record_export(unit, asked_for(unit, asked), form=form)


def _lines(
    runtime: Runtime, identity: Identity, wanted: AuditFilter, form: str
) -> Generator[str, None, None]:
    line: Callable[[EntryRow], str] = _csv if form == "csv" else _json
    if form == "csv":
        yield csv_line(_COLUMNS)
    cursor: str | None = None
    while True:
        with runtime.unit(identity) as unit:  # a unit a page: whoever is removed meanwhile gets no further
            page = list_entries(unit, wanted, cursor=cursor, limit=BATCH)
        yield "".join(line(row) for row in page.items)
        cursor = page.next_cursor
        if cursor is None:
            return


_COLUMNS = (
    *("number", "at", "actor", "actorName", "action", "target", "targetName"),
    *("before", "after", "address", "requestId"),
)


def _values(row: EntryRow) -> tuple[Any, ...]:
    return (
        *(row.number, moment(row.at), row.actor, row.actor_name, row.action, row.target, row.target_name),
        *(row.before, row.after, row.address, row.request_id),
    )


def _csv(row: EntryRow) -> str:
    return csv_line(json.dumps(cell) if isinstance(cell, dict) else cell for cell in _values(row))


def _json(row: EntryRow) -> str:
    return json.dumps(dict(zip(_COLUMNS, _values(row), strict=True)), ensure_ascii=False) + "\n"
