"""Keeping our copy of an account's templates like Meta's."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import col, select

from core.phones.history import Word
from core.templates import history, metrics, stops, submissions, versions
from core.templates.drafts import as_written
from core.templates.history import Newest
from core.templates.reading import TemplateNode, digest, read_template
from core.templates.rules import DELETED
from core.unit import Unit
from data.enums import ChangeSource, TemplateAspect
from data.sending import Template, Waba

SYNC_EVERY = timedelta(hours=1)
PAUSED = "PAUSED"


def store(
    unit: Unit,
    *,
    waba: Waba,
    nodes: list[dict[str, Any]],
    complete: bool,
    asked_at: datetime,
    source: ChangeSource = ChangeSource.SYNC,
) -> int:
    """Our copies are what ``nodes`` said at ``asked_at``, but for what Meta told since; what changed stands
    in the history. With ``complete``, templates that Meta no longer has are marked as deleted, and what was
    submitted before and not answered is settled. Returns how many there are in ``nodes``."""
    unit.session.flush()
    unit.session.refresh(waba, with_for_update={"key_share": True})
    known = {
        (row.name, row.language): row
        for row in unit.session.exec(select(Template).where(col(Template.waba_id) == waba.id))
    }
    found = [node for node in map(read_template, nodes) if node is not None]
    # First, so that words submitted here are not taken for Meta's.
    are_open = complete and submissions.settle_open(unit, waba, found, asked_at=asked_at)
    word = Word(asked_at, source)
    later, has_version = history.since(unit, waba, asked_at), versions.known(unit, waba)
    asked = _Asked(unit, waba, word, later, has_version)
    for node in found:
        template = known.pop((node.name, node.language), None)
        if template is None:
            _learn(asked, node)
        elif asked_at >= template.synced_at:
            _follow(asked, template, node)
    if complete:
        for template in known.values():
            if asked_at >= template.synced_at:
                _follow_to_the_grave(asked, template)
        waba.templates_due_at = unit.now + (submissions.look_after(unit) if are_open else SYNC_EVERY)
        waba.templates_error = None
    waba.templates_synced_at = unit.now
    unit.session.add(waba)
    return len(found)


def pause(unit: Unit, template: Template) -> None:
    """Meta refused a send because the template is paused: our copy says so too."""
    waba = unit.session.get_one(Waba, template.waba_id)
    word = Word(unit.now, ChangeSource.SEND)
    history.note(unit, waba, template, (TemplateAspect.STATUS, PAUSED), word=word)
    before, template.status = template.status, PAUSED
    unit.session.add(template)
    stops.follow(unit, template, before=before)


@dataclass(frozen=True, slots=True)
class _Asked:
    """One reading of an account's templates. ``later``: what Meta has told since it was asked.
    ``has_version``: the (name, language) of those whose words were kept before."""

    unit: Unit
    waba: Waba
    word: Word
    later: Newest
    has_version: set[tuple[str, str]]

    @property
    def at(self) -> datetime:
        return self.word.at

    def note(
        self, template: Template, aspect: TemplateAspect, said: str, detail: dict[str, Any] | None = None
    ) -> None:
        history.note(self.unit, self.waba, template, (aspect, said), word=self.word, detail=detail)

    def keep_words(self, template: Template) -> None:
        is_new = (template.name, template.language) not in self.has_version
        versions.keep(self.unit, self.waba, versions.words_of(template), word=self.word, is_new=is_new)


def _learn(asked: _Asked, node: TemplateNode) -> None:
    """The template is seen for the first time: its history begins with where it stands, or stood before."""
    template = Template(
        id=asked.unit.new_id("tpl"),
        workspace_id=asked.waba.workspace_id,
        waba_id=asked.waba.id,
        name=node.name,
        language=node.language,
        category=node.category,
        status=node.status,
        parameter_format=node.parameter_format,
        components=node.components,
        synced_at=asked.at,
        meta_id=node.meta_id,
        asked_category=node.asked_category,
        quality=node.quality,
        rejected_reason=node.rejected_reason,
    )
    metrics.note_found(asked.unit, asked.waba, node.meta_id or template.id, word=asked.word)
    asked.note(template, TemplateAspect.STATUS, node.status, _why(node))
    for (name, language, _), row in asked.later.items():
        if (name, language) == (node.name, node.language):
            history.take(template, row)
    asked.unit.session.add(template)
    if metrics.is_dated(asked.waba, asked.word):
        stops.follow(asked.unit, template, before="")
    asked.keep_words(template)


def _follow(asked: _Asked, template: Template, node: TemplateNode) -> None:
    """What Meta has told since it was asked holds against what it said then."""
    told = {
        aspect
        for (name, language, aspect) in asked.later
        if (name, language) == (template.name, template.language)
    }
    if TemplateAspect.STATUS not in told:
        if node.status != template.status:
            asked.note(template, TemplateAspect.STATUS, node.status, _why(node))
        before, template.status = template.status, node.status
        template.rejected_reason = node.rejected_reason
        stops.follow(asked.unit, template, before=before)
    if TemplateAspect.QUALITY not in told and node.quality is not None:
        if template.quality not in (None, node.quality):
            asked.note(template, TemplateAspect.QUALITY, node.quality)
        template.quality = node.quality
    if TemplateAspect.CATEGORY not in told and node.category != template.category:
        had = {"previous_category": template.category}
        asked.note(template, TemplateAspect.CATEGORY, node.category, detail=had)
        template.category = node.category
        template.planned_category = template.planned_at = None
    if TemplateAspect.COMPONENTS not in told:
        written = [as_written(node.category, each) for each in (template.components, node.components)]
        has_changed = bool(versions.differences(*written))
        if has_changed:
            said = digest(node.components)
            asked.note(template, TemplateAspect.COMPONENTS, said, {"before": template.components})
        template.components = node.components
        if has_changed:
            asked.keep_words(template)
    template.parameter_format = node.parameter_format
    template.meta_id = node.meta_id or template.meta_id
    template.asked_category = template.asked_category or node.asked_category
    template.synced_at = asked.at
    asked.unit.session.add(template)


def _why(node: TemplateNode) -> dict[str, Any] | None:
    return {"reason": node.rejected_reason} if node.rejected_reason else None


def _follow_to_the_grave(asked: _Asked, template: Template) -> None:
    """Meta has it no more; its history stays."""
    key = template.name, template.language, TemplateAspect.STATUS
    if template.status == DELETED or key in asked.later:
        return
    asked.note(template, TemplateAspect.STATUS, DELETED)
    before, template.status = template.status, DELETED
    template.synced_at = asked.at
    asked.unit.session.add(template)
    stops.follow(asked.unit, template, before=before)
