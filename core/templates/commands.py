"""Keeping our copy of an account's templates like Meta's."""

from typing import Any

from sqlmodel import col, select

from core.unit import Unit
from data.sending import Template, Waba


def store(unit: Unit, *, waba: Waba, nodes: list[dict[str, Any]], complete: bool) -> int:
    """Our copies are what ``nodes`` say; with ``complete``, templates that Meta no longer has are deleted
    here too. Returns how many there are in ``nodes``."""
    known = {
        (row.name, row.language): row
        for row in unit.session.exec(select(Template).where(col(Template.waba_id) == waba.id))
    }
    for node in nodes:
        name, language = str(node["name"]), str(node["language"])
        described: dict[str, Any] = {
            "category": str(node.get("category", "")),
            "status": str(node.get("status", "")),
            "parameter_format": str(node.get("parameter_format") or "POSITIONAL"),
            "components": list(node.get("components") or []),
            "synced_at": unit.now,
        }
        template = known.pop((name, language), None)
        if template is None:
            unit.session.add(
                Template(
                    id=unit.new_id("tpl"),
                    workspace_id=waba.workspace_id,
                    waba_id=waba.id,
                    name=name,
                    language=language,
                    **described,
                )
            )
        else:
            unit.session.add(template.sqlmodel_update(described))
    if complete:
        for gone in known.values():
            unit.session.delete(gone)
    waba.templates_synced_at = unit.now
    unit.session.add(waba)
    return len(nodes)
