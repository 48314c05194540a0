"""Templates submitted to Meta, edited and deleted: what it takes, what it refuses, what gets lost between."""

import asyncio
import socket
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from core.errors import Conflict, Forbidden, Impossible, NotFound, TooMany, Unavailable
from core.ports.graph import Graph
from core.ports.graph_tokens import MetaApp
from core.runtime import Runtime
from core.templates import metrics, submissions
from core.templates.creating import Made, create
from core.templates.deleting import delete, languages_of
from core.templates.drafts import Draft, DraftButton, components_of
from core.templates.editing import edit, editable
from core.templates.example_files import upload_example
from core.templates.versions import versions_of
from data.enums import ChangeSource, Role, SubmissionKind, SubmissionState, TemplateEvent
from data.operations import AuditEntry
from data.sending import Template, Waba
from data.templates import TemplateSubmission
from tests.conftest import WABA_ID, Place
from tests.core.desk import WORKER, Desk, Meta, carry_out
from tests.core.phones.test_sync import explained
from tests.core.templates.test_draft_rules import CODE, GOOD
from tests.core.templates.test_sync import copies, fresh, sayings, synced

NEWS = replace(GOOD, name="pending_news", category="MARKETING")


def run(desk: Desk, work: Any) -> Any:
    """``work(runtime)``, a coroutine, with a client of Meta's for a loop of its own."""
    runtime = fresh(desk)
    return carry_out(runtime, work(runtime))[0]


def made(desk: Desk, draft: Draft = NEWS, *, role: Role = Role.OWNER) -> Made:
    answer: Made = run(desk, lambda runtime: create(runtime, desk.place.acting(role), draft))
    return answer


def edited(desk: Desk, template_id: str, draft: Draft) -> None:
    run(desk, lambda runtime: edit(runtime, desk.place.acting(Role.OWNER), template_id, draft))


def rows(desk: Desk) -> list[TemplateSubmission]:
    with desk.runtime.unit(WORKER) as unit:
        statement = select(TemplateSubmission).order_by(col(TemplateSubmission.asked_at))
        return list(unit.session.exec(statement))


def approve(desk: Desk, meta: Meta, name: str, *, status: str = "APPROVED") -> None:
    """Meta's verdict, read by a sync a little later."""
    meta.client.post(f"/sandbox/templates/{name}/status", json={"status": status}).raise_for_status()
    desk.advance(60)
    synced(desk)


def test_a_template_is_made_at_meta_and_pending_until_its_verdict(desk: Desk, meta: Meta) -> None:
    answer = made(desk)
    assert (answer.status, answer.category, answer.name) == ("PENDING", "MARKETING", "pending_news")
    assert answer.meta_id is not None
    copy = copies(desk)["pending_news", "en_US"]
    assert (copy.meta_id, copy.status, copy.asked_category) == (answer.meta_id, "PENDING", "MARKETING")
    assert sayings(desk, "pending_news") == [("status", "PENDING", ChangeSource.API)]
    (row,) = rows(desk)
    assert (row.state, row.kind, row.answered_at) == (
        SubmissionState.ACCEPTED,
        SubmissionKind.CREATE,
        desk.now,
    )
    with desk.runtime.unit(desk.place.owner) as unit:
        entries = unit.session.exec(
            select(AuditEntry.target).where(col(AuditEntry.action) == "template.submitted")
        )
        assert entries.one() == "template:pending_news/en_US"
        (version,) = versions_of(unit, answer.template_id)
        assert (version.made_by, version.source, version.is_first) == ("owner", ChangeSource.API, True)
    approve(desk, meta, "pending_news")
    assert copies(desk)["pending_news", "en_US"].status == "APPROVED"
    with desk.runtime.unit(desk.place.owner) as unit:
        assert len(versions_of(unit, answer.template_id)) == 1  # a sync brings nothing new


def test_a_template_for_codes_that_meta_words_is_still_the_one_that_was_written(
    desk: Desk, meta: Meta
) -> None:
    answer = made(desk, replace(CODE, name="pending_code"))
    approve(desk, meta, "pending_code")
    assert "verification code" in copies(desk)["pending_code", "en_US"].components[0]["text"]
    with desk.runtime.unit(desk.place.owner) as unit:
        assert len(versions_of(unit, answer.template_id)) == 1
        assert editable(unit, answer.template_id).draft == replace(CODE, name="pending_code")
    assert [aspect for aspect, _, _ in sayings(desk, "pending_code")] == ["status", "status"]


def test_named_variables_are_told_to_meta(desk: Desk, meta: Meta) -> None:
    named = replace(NEWS, body="Hello {{who}}, it is here.", examples={"body.who": "Mara"})
    made(desk, named)
    desk.advance(60)
    synced(desk)
    copy = copies(desk)["pending_news", "en_US"]
    assert copy.parameter_format == "NAMED"
    assert copy.components[0]["example"] == {
        "body_text_named_params": [{"param_name": "who", "example": "Mara"}]
    }


def test_what_breaks_metas_rules_never_reaches_it(desk: Desk, meta: Meta) -> None:
    with pytest.raises(Impossible) as refused:
        made(desk, replace(NEWS, body="{{1}}", footer="f" * 61))
    assert refused.value.code == "template_invalid"
    assert {each["field"] for each in refused.value.facts["fields"]} == {"body", "footer"}
    assert rows(desk) == []


def test_the_same_name_and_language_is_made_once(desk: Desk, meta: Meta) -> None:
    with pytest.raises(Conflict) as ours:
        made(desk, replace(GOOD, name="order_update"))
    assert ours.value.code == "template_exists"
    with pytest.raises(Conflict) as metas:  # Meta has it, and we have not read it yet
        made(desk, replace(GOOD, name="feedback_request", language="en"))
    assert metas.value.code == "template_exists"
    (row,) = rows(desk)
    assert (row.state, row.error_code) == (SubmissionState.REFUSED, "template_exists")
    with desk.runtime.unit(WORKER) as unit:
        assert unit.session.get_one(Waba, WABA_ID).templates_due_at is None  # not read by itself, so not now


def test_two_at_the_same_moment_make_one(desk: Desk, meta: Meta) -> None:
    runtime = fresh(desk)

    async def both() -> list[Made | BaseException]:
        work = (create(runtime, desk.place.owner, NEWS) for _ in range(2))
        return await asyncio.gather(*work, return_exceptions=True)

    (answers,) = carry_out(runtime, both())
    assert sorted(type(each).__name__ for each in answers) == ["Conflict", "Made"]
    assert [row.state for row in rows(desk)] == [SubmissionState.ACCEPTED]


def test_agents_may_not_and_another_workspaces_is_not_found(
    desk: Desk, meta: Meta, other_place: Place
) -> None:
    for work in (
        lambda runtime: create(runtime, desk.place.acting(Role.AGENT), NEWS),
        lambda runtime: edit(runtime, desk.place.acting(Role.AGENT), "tpl_x", NEWS),
        lambda runtime: delete(runtime, desk.place.acting(Role.AGENT), "tpl_x"),
    ):
        with pytest.raises(Forbidden):
            run(desk, work)
    theirs = copies(desk)["order_update", "en_US"].id
    stranger = other_place.acting(Role.OWNER)
    for work in (
        lambda runtime: create(runtime, stranger, NEWS, waba_id=WABA_ID),
        lambda runtime: edit(runtime, stranger, theirs, NEWS),
        lambda runtime: delete(runtime, stranger, theirs),
    ):
        with pytest.raises(NotFound):
            run(desk, work)
    assert rows(desk) == []


def die_on_the_way(desk: Desk, *, meta_took_it: bool) -> None:
    """What a process leaves that dies before the call, or before Meta's answer is written down."""
    components = components_of(NEWS)
    named = {"name": NEWS.name, "language": NEWS.language, "category": NEWS.category}
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        waba = unit.session.get_one(Waba, WABA_ID)
        submissions.open_one(unit, waba, kind=SubmissionKind.CREATE, components=components, **named)
    if meta_took_it:
        runtime, body = fresh(desk), {**named, "components": components}
        carry_out(runtime, runtime.graph.create_template(waba_id=WABA_ID, token="test-token", body=body))


@pytest.mark.parametrize("meta_took_it", [True, False])
def test_what_dies_on_the_way_is_found_or_known_to_be_lost_and_never_doubled(
    desk: Desk, meta: Meta, meta_took_it: bool
) -> None:
    desk.change(Waba, WABA_ID, templates_due_at=desk.now + timedelta(hours=1))
    die_on_the_way(desk, meta_took_it=meta_took_it)
    assert [row.state for row in rows(desk)] == [SubmissionState.SENDING]
    with desk.runtime.unit(desk.place.owner) as unit:
        look_after = submissions.look_after(unit)
        assert unit.session.get_one(Waba, WABA_ID).templates_due_at == desk.now + look_after
        assert submissions.unsettled(unit) == []  # somebody may still wait for it
    with pytest.raises(Conflict) as refused:
        made(desk)
    assert refused.value.code == "template_in_submission"
    synced(desk)  # too early to tell
    assert [row.state for row in rows(desk)] == [SubmissionState.SENDING]
    with desk.runtime.unit(WORKER) as unit:
        assert unit.session.get_one(Waba, WABA_ID).templates_due_at == desk.now + look_after
    desk.advance(look_after.total_seconds())
    synced(desk)
    (row,) = rows(desk)
    with desk.runtime.unit(desk.place.owner) as unit:
        shown = submissions.unsettled(unit)
    if meta_took_it:
        assert (row.state, shown) == (SubmissionState.ACCEPTED, [])
        copy = copies(desk)["pending_news", "en_US"]
        assert copy.status == "PENDING"
        with desk.runtime.unit(desk.place.owner) as unit:
            assert [each.source for each in versions_of(unit, copy.id)] == [ChangeSource.API]
        return
    assert (row.state, [each.can_dismiss for each in shown]) == (SubmissionState.LOST, [True])
    with desk.runtime.unit(desk.place.owner) as unit:
        assert submissions.submission_of(unit, row.id).components == shown[0].components
    made(desk)  # the same once more
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        submissions.put_aside(unit, row.id)
        assert submissions.unsettled(unit) == []


@pytest.mark.parametrize("meta_took_it", [True, False])
def test_an_edit_that_died_on_the_way_is_known_by_its_words(
    desk: Desk, meta: Meta, meta_took_it: bool
) -> None:
    synced(desk)
    copy = copies(desk)["loyalty_offer", "en_US"]
    named = {"name": copy.name, "language": copy.language, "category": copy.category}
    words = [{**copy.components[0], "text": "Hello {{1}}, a gift waits."}]
    desk.advance(60)
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        waba = unit.session.get_one(Waba, WABA_ID)
        submissions.open_one(unit, waba, kind=SubmissionKind.EDIT, components=words, **named)
    if meta_took_it:
        runtime = fresh(desk)
        call = {"template_id": str(copy.meta_id), "token": "test-token", "body": {"components": words}}
        carry_out(runtime, runtime.graph.edit_template(**call))
    desk.advance(60)
    synced(desk)
    (row,) = rows(desk)
    with desk.runtime.unit(desk.place.owner) as unit:
        versions = versions_of(unit, copy.id)
    if meta_took_it:
        assert (row.state, len(versions)) == (SubmissionState.ACCEPTED, 2)
        assert (versions[0].components, versions[0].source) == (words, ChangeSource.API)
    else:
        assert (row.state, len(versions)) == (SubmissionState.LOST, 1)


def through(desk: Desk, url: str, *, timeout_s: float) -> Runtime:
    """The runtime with Meta at that address."""
    return replace(desk.runtime, graph=Graph(base_url=url, version="v23.0", timeout_s=timeout_s))


def test_an_answer_that_never_comes_is_looked_for(desk: Desk, meta: Meta) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        runtime = through(desk, f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.3)
        with pytest.raises(Unavailable) as unknown:
            carry_out(runtime, create(runtime, desk.place.owner, NEWS))
        hello = copies(desk)["hello_world", "en_US"].id
        with pytest.raises(Unavailable):
            carry_out(runtime, delete(runtime, desk.place.owner, hello, all_languages=True))
    assert unknown.value.code == "template_outcome_unknown"
    with desk.runtime.unit(desk.place.owner) as unit:
        assert [each.state for each in submissions.unsettled(unit)] == [SubmissionState.UNKNOWN]
    desk.advance(60)
    synced(desk)
    assert [row.state for row in rows(desk)] == [SubmissionState.LOST]
    assert copies(desk)["hello_world", "en_US"].status == "APPROVED"


def test_a_call_that_never_left_is_no_riddle(desk: Desk) -> None:
    runtime = through(desk, "http://127.0.0.1:1", timeout_s=10)
    with pytest.raises(Impossible) as refused:
        carry_out(runtime, create(runtime, desk.place.owner, NEWS))
    assert refused.value.code == "connection_failed"
    assert [row.state for row in rows(desk)] == [SubmissionState.REFUSED]


def insert(desk: Desk, count: int, *, minutes_ago: float, **values: Any) -> None:
    with desk.runtime.unit(WORKER, write=True) as unit:
        for number in range(count):
            row = {
                "kind": SubmissionKind.CREATE,
                "state": SubmissionState.ACCEPTED,
                "name": f"made_{number}_{minutes_ago}",
                "language": "en",
                **values,
            }
            unit.session.add(
                TemplateSubmission(
                    id=unit.new_id("tsu"),
                    workspace_id=desk.place.workspace.id,
                    waba_id=WABA_ID,
                    category="UTILITY",
                    components=[],
                    asked_at=unit.now - timedelta(minutes=minutes_ago),
                    asked_by="test",
                    **row,
                )
            )


def test_the_101st_template_of_an_hour_waits_until_the_first_is_an_hour_old(desk: Desk, meta: Meta) -> None:
    insert(desk, 1, minutes_ago=59)
    insert(desk, 99, minutes_ago=10)
    insert(desk, 50, minutes_ago=5, state=SubmissionState.REFUSED)
    with pytest.raises(TooMany) as refused:
        made(desk)
    assert (refused.value.code, refused.value.facts["retry_after_s"]) == ("template_limit", 60)
    assert "in 60 seconds" in refused.value.sentence
    desk.advance(60)
    assert made(desk).status == "PENDING"


def test_an_approved_template_is_edited_once_a_day_and_ten_times_in_thirty(desk: Desk, meta: Meta) -> None:
    synced(desk)
    template_id = copies(desk)["order_update", "en_US"].id
    edits = {"kind": SubmissionKind.EDIT, "name": "order_update", "language": "en_US", "was_approved": True}
    changed = replace(GOOD, body="Hello {{1}}, your order {{2}} left.")
    insert(desk, 1, minutes_ago=60 * 23, **edits)
    with pytest.raises(TooMany, match="one edit of an approved template in 24 hours") as refused:
        edited(desk, template_id, changed)
    assert refused.value.facts["retry_after_s"] == 3600
    desk.advance(3600)
    insert(desk, 9, minutes_ago=60 * 24 * 10, **edits)
    with pytest.raises(TooMany, match="10 edits") as refused:
        edited(desk, template_id, changed)
    assert refused.value.facts["retry_after_s"] == 20 * 86_400
    desk.advance(20 * 86_400)
    edited(desk, template_id, changed)
    assert copies(desk)["order_update", "en_US"].status == "PENDING"


def test_an_edit_replaces_the_words_and_keeps_those_before(desk: Desk, meta: Meta) -> None:
    synced(desk)
    template_id = copies(desk)["loyalty_offer", "en_US"].id
    with desk.runtime.unit(desk.place.owner) as unit:
        before = editable(unit, template_id)
    assert (before.why_not, before.category_is_fixed) == ("", False)
    desk.advance(60)
    button = DraftButton("QUICK_REPLY", "Tell me more")
    edited(desk, template_id, replace(before.draft, body="Hello {{1}}, a gift waits.", buttons=(button,)))
    copy = copies(desk)["loyalty_offer", "en_US"]
    assert (copy.status, copy.rejected_reason, copy.components[0]["text"]) == (
        "PENDING",
        None,
        "Hello {{1}}, a gift waits.",
    )
    with desk.runtime.unit(desk.place.owner) as unit:
        newest, first = versions_of(unit, template_id)
        assert [(each.part, each.after) for each in newest.differences] == [
            ("Body", "Hello {{1}}, a gift waits."),
            ("Buttons", "Tell me more"),
        ]
        assert (newest.made_by, first.made_by, first.is_first) == ("owner", None, True)
        assert (
            "review" in editable(unit, template_id).why_not
            or "pending" in editable(unit, template_id).why_not
        )
    with pytest.raises(Conflict) as refused:
        edited(desk, template_id, before.draft)
    assert refused.value.code == "template_not_editable"


def test_what_is_no_change_and_what_meta_fixed_is_not_submitted(desk: Desk, meta: Meta) -> None:
    synced(desk)
    template_id = copies(desk)["order_update", "en_US"].id
    with desk.runtime.unit(desk.place.owner) as unit:
        same = editable(unit, template_id).draft
    with pytest.raises(Impossible) as refused:  # nor can the category of an approved one be another
        edited(desk, template_id, replace(same, name="other", category="MARKETING"))
    assert refused.value.code == "template_unchanged"
    assert rows(desk) == []


def test_a_template_is_deleted_in_one_language_or_in_all(desk: Desk, meta: Meta) -> None:
    synced(desk)
    desk.advance(60)
    german = copies(desk)["appointment_reminder", "de"].id
    owner = desk.place.acting(Role.OWNER)
    with desk.runtime.unit(owner) as unit:
        assert languages_of(unit, german) == ["de", "en_US"]
    assert run(desk, lambda runtime: delete(runtime, owner, german)) == 1
    found = copies(desk)
    assert found["appointment_reminder", "de"].status == "DELETED"
    assert found["appointment_reminder", "en_US"].status == "APPROVED"
    assert sayings(desk, "appointment_reminder")[-1] == ("status", "DELETED", ChangeSource.API)
    with pytest.raises(Conflict):
        run(desk, lambda runtime: delete(runtime, owner, german))
    english = found["appointment_reminder", "en_US"].id
    assert run(desk, lambda runtime: delete(runtime, owner, english, all_languages=True)) == 1
    desk.advance(60)
    synced(desk)
    assert {copies(desk)["appointment_reminder", each].status for each in ("de", "en_US")} == {"DELETED"}
    with desk.runtime.unit(owner) as unit:
        entries = select(AuditEntry.after).where(col(AuditEntry.action) == "template.deleted")
        assert [each["languages"] for each in unit.session.exec(entries) if each] == ["de", "all"]


def test_a_template_that_meta_has_no_more_counts_as_deleted(desk: Desk, meta: Meta) -> None:
    synced(desk)
    template_id = copies(desk)["winter_sale", "en_US"].id
    gone = meta.client.delete(
        f"/v23.0/{WABA_ID}/message_templates",
        params={"name": "winter_sale"},
        headers={"Authorization": "Bearer test-token"},
    )
    gone.raise_for_status()
    assert run(desk, lambda runtime: delete(runtime, desk.place.owner, template_id)) == 1
    assert copies(desk)["winter_sale", "en_US"].status == "DELETED"


def test_t3_a_flagged_workspace_submits_nothing_and_others_notice_nothing(
    desk: Desk, meta: Meta, other_place: Place
) -> None:
    synced(desk)
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        for number in range(5):
            metrics.record(unit, f"90000000000000{number}", TemplateEvent.REJECTED)
    template_id = copies(desk)["loyalty_offer", "en_US"].id
    for work in (lambda: made(desk), lambda: edited(desk, template_id, GOOD)):
        with pytest.raises(Forbidden) as refused:
            work()
        assert refused.value.code == "workspace_flagged"
    assert rows(desk) == []
    theirs = run(desk, lambda runtime: create(runtime, other_place.acting(Role.OWNER), NEWS))
    assert theirs.status == "PENDING"


def test_what_was_submitted_is_found_by_index(desk: Desk) -> None:
    table = "template_submission"
    assert "ix_template_submission_state" in explained(desk, submissions.unsettled, table=table)
    with desk.runtime.unit(desk.place.owner) as unit:
        template_id = unit.session.exec(unit.scoped(Template)).all()[0].id
    plan = explained(desk, lambda unit: versions_of(unit, template_id), table="template_version")
    assert "ix_template_version_template" in plan


def test_a_files_handle_comes_from_meta_and_what_it_would_not_take_is_refused(desk: Desk, meta: Meta) -> None:
    def uploaded(
        *, header: str = "IMAGE", kind: str = "image/png", content: bytes = b"png", app: bool = True
    ) -> str:
        graph = Graph(
            base_url=desk.runtime.settings.waypost_graph_url,
            version="v23.0",
            timeout_s=5,
            app=MetaApp("300200100900800", "test-app-secret") if app else None,
        )
        runtime = replace(desk.runtime, graph=graph)
        asked = {"waba_id": WABA_ID, "header": header, "name": "a.png", "kind": kind, "content": content}
        (handle,) = carry_out(runtime, upload_example(runtime, desk.place.owner, **asked))
        return str(handle)

    handle = uploaded()
    assert handle.startswith("4::aW1hZ2UvcG5n:")
    assert made(desk, replace(NEWS, header="IMAGE", handle=handle)).status == "PENDING"
    for wrong in ({"kind": "image/gif"}, {"content": b""}, {"content": b"x" * 700_001}, {"header": "TEXT"}):
        with pytest.raises(Impossible) as refused:
            uploaded(**wrong)
        assert refused.value.code == "example_file"
    with pytest.raises(Conflict, match="WAYPOST_META_APP_ID"):
        uploaded(app=False)
