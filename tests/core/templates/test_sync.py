"""Reading templates from Meta: what is kept, what becomes history, what fails and is said."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from core.errors import Forbidden, Impossible
from core.messaging.aside import unpark
from core.messaging.checks import TemplateUnknown, check_template
from core.phones.due import AGAIN_AFTER
from core.runtime import Runtime
from core.templates import sync
from core.templates.commands import SYNC_EVERY, store
from core.templates.sync import sync_templates
from core.templates.updates import apply_change
from core.unit import Identity
from data.enums import ChangeSource, Role, WaitingFor
from data.operations import AuditEntry
from data.sending import AccessToken, Template, Waba
from data.templates import TemplateChange
from jobs.schedule import sync_templates as tick
from tests.conftest import NOW, WABA_ID, Place
from tests.core.desk import WORKER, Desk, Meta, carry_out


def fresh(desk: Desk) -> Runtime:
    """The runtime with a client of Meta's for a loop of its own."""
    return replace(desk.runtime, graph=desk.runtime.graph.again())


def synced(desk: Desk, identity: Identity | None = None) -> int:
    runtime = fresh(desk)
    (count,) = carry_out(runtime, sync_templates(runtime, identity or desk.place.owner))
    return int(count)


def copies(desk: Desk) -> dict[tuple[str, str], Template]:
    with desk.runtime.unit(WORKER) as unit:
        found = unit.session.exec(select(Template).where(col(Template.waba_id) == WABA_ID))
        return {(one.name, one.language): one for one in found}


def sayings(desk: Desk, name: str) -> list[tuple[str, str, ChangeSource]]:
    with desk.runtime.unit(WORKER) as unit:
        found = select(TemplateChange).where(col(TemplateChange.name) == name)
        ordered = unit.session.exec(found.order_by(col(TemplateChange.at), col(TemplateChange.id)))
        return [(one.aspect.value, one.said, one.source) for one in ordered]


def node(name: str = "order_update", **values: Any) -> dict[str, Any]:
    body = {"type": "BODY", "text": "Hello {{1}}, your order {{2}} is on its way."}
    said = {"name": name, "language": "en_US", "status": "APPROVED", "category": "UTILITY"}
    return {**said, "components": [body], **values}


def keep(desk: Desk, *nodes: dict[str, Any], seconds: float = 0, complete: bool = False) -> int:
    """What Meta said that long ago is stored now."""
    with desk.runtime.unit(WORKER, write=True) as unit:
        waba = unit.session.get_one(Waba, WABA_ID)
        asked_at = unit.now - timedelta(seconds=seconds)
        return store(unit, waba=waba, nodes=list(nodes), complete=complete, asked_at=asked_at)


def test_a_sync_makes_our_copies_metas_and_marks_what_is_gone(desk: Desk, meta: Meta) -> None:
    with desk.runtime.unit(WORKER, write=True) as unit:
        gone = Template(
            id="tpl_gone",
            workspace_id=desk.place.workspace.id,
            waba_id=WABA_ID,
            name="gone",
            language="en_US",
            category="UTILITY",
            status="APPROVED",
            parameter_format="POSITIONAL",
            components=[],
            synced_at=unit.now,
        )
        unit.session.add(gone)
    desk.advance(60)
    count = synced(desk)
    found = copies(desk)
    assert len(found) == count + 1
    spring, loyalty = found["spring_sale", "en_US"], found["loyalty_offer", "en_US"]
    assert (spring.status, spring.quality, spring.meta_id is not None) == ("PAUSED", "RED", True)
    assert (loyalty.status, loyalty.rejected_reason) == ("REJECTED", "PROMOTIONAL")
    assert (found["gone", "en_US"].status, sayings(desk, "gone")) == (
        "DELETED",
        [("status", "DELETED", ChangeSource.SYNC)],
    )
    with desk.runtime.unit(desk.place.owner) as unit:
        payload = {"template": {"name": "gone", "language": "en_US"}}
        with pytest.raises(TemplateUnknown):
            check_template(unit, payload, waba_id=WABA_ID)
        entries = unit.session.exec(
            select(AuditEntry.after).where(col(AuditEntry.action) == "templates.synced")
        )
        assert entries.one() == {"templates": count}
        waba = unit.session.get_one(Waba, WABA_ID)
        assert (waba.templates_due_at, waba.templates_synced_at) == (desk.now + SYNC_EVERY, desk.now)
    again = sayings(desk, "order_update")
    desk.advance(60)
    synced(desk)
    assert sayings(desk, "order_update") == again  # nothing new, nothing said


def test_a_deleted_template_that_meta_has_again_is_there_again(desk: Desk) -> None:
    keep(desk, complete=True)
    assert {one.status for one in copies(desk).values()} == {"DELETED"}
    desk.advance(60)
    assert keep(desk, node()) == 1
    assert copies(desk)["order_update", "en_US"].status == "APPROVED"
    assert [said for _, said, _ in sayings(desk, "order_update")] == ["DELETED", "APPROVED"]


def test_what_a_sync_finds_changed_stands_in_the_history(desk: Desk) -> None:
    keep(desk, node(quality_score={"score": "GREEN"}))
    desk.advance(60)
    changed = node(
        status="PAUSED",
        category="MARKETING",
        previous_category="UTILITY",
        quality_score={"score": "RED"},
        components=[{"type": "BODY", "text": "Other words {{1}}"}],
    )
    keep(desk, changed)
    said = sayings(desk, "order_update")
    assert {(aspect, word) for aspect, word, _ in said if aspect != "components"} == {
        ("status", "PAUSED"),
        ("quality", "RED"),
        ("category", "MARKETING"),
    }
    assert len(said) == 4
    copy = copies(desk)["order_update", "en_US"]
    assert (copy.category, copy.asked_category) == ("MARKETING", "UTILITY")


def test_what_meta_told_while_it_was_asked_holds(desk: Desk) -> None:
    desk.advance(60)
    value = {"message_template_name": "order_update", "message_template_language": "en_US", "event": "PAUSED"}
    field = "message_template_status_update"
    with desk.runtime.unit(WORKER, write=True) as unit:
        apply_change(unit, waba=unit.session.get_one(Waba, WABA_ID), field=field, value=value, at=desk.now)
    desk.advance(2)
    keep(desk, node(status="APPROVED"), seconds=5)
    assert copies(desk)["order_update", "en_US"].status == "PAUSED"
    desk.advance(10)
    keep(desk, node(status="APPROVED"))
    assert copies(desk)["order_update", "en_US"].status == "APPROVED"


def test_a_verdict_told_before_the_copy_was_made_holds_for_the_copy(desk: Desk) -> None:
    value = {"message_template_name": "fresh", "message_template_language": "en_US", "event": "APPROVED"}
    field = "message_template_status_update"
    with desk.runtime.unit(WORKER, write=True) as unit:
        apply_change(unit, waba=unit.session.get_one(Waba, WABA_ID), field=field, value=value, at=desk.now)
    keep(desk, node("fresh", status="PENDING"), seconds=1)
    assert copies(desk)["fresh", "en_US"].status == "APPROVED"
    assert [said for _, said, _ in sayings(desk, "fresh")] == ["PENDING", "APPROVED"]


def test_an_older_reading_never_undoes_a_newer_one(desk: Desk) -> None:
    desk.advance(60)
    keep(desk, node(status="PAUSED"))
    keep(desk, node(status="APPROVED"), seconds=30, complete=True)
    assert copies(desk)["order_update", "en_US"].status == "PAUSED"


def test_t4_a_pause_found_by_a_sync_parks_and_its_end_frees(desk: Desk) -> None:
    (message_id,) = desk.queue()
    desk.advance(60)
    keep(desk, node(status="PAUSED"))
    assert desk.claim() == []
    assert desk.message(message_id).waiting_for is WaitingFor.TEMPLATE
    desk.advance(3 * 3600)
    keep(desk, node(status="APPROVED"))
    with desk.runtime.unit(WORKER, write=True) as unit:
        assert unpark(unit) == 1
    assert [ours.message_id for ours in desk.claim()] == [message_id]


def test_nodes_that_mean_nothing_are_left_out(desk: Desk) -> None:
    strange = node("strange", status=7, category=None, components="x", quality_score=[], language="tlh")
    assert keep(desk, {}, {"name": "x"}, {"name": [], "language": "en"}, strange) == 1
    copy = copies(desk)["strange", "tlh"]
    assert (copy.status, copy.category, copy.components) == ("7", "", [])


def test_a_viewer_may_not_and_another_workspace_is_not_touched(
    desk: Desk, meta: Meta, other_place: Place
) -> None:
    with pytest.raises(Forbidden) as refused:
        synced(desk, desk.place.acting(Role.AGENT))
    assert refused.value.facts["permission"] == "templates.manage"
    synced(desk)
    with desk.runtime.unit(WORKER) as unit:
        theirs = unit.session.exec(select(TemplateChange.waba_id).distinct()).all()
    assert list(theirs) == [WABA_ID]


def test_metas_refusal_is_said(desk: Desk, meta: Meta) -> None:
    revoke(meta)
    with pytest.raises(Impossible) as refused:
        synced(desk)
    assert refused.value.code == "meta_190"


def test_the_clock_reads_what_is_due_and_comes_again_after_a_failure(desk: Desk, meta: Meta) -> None:
    tick(desk.runtime)
    assert ("loyalty_offer", "en_US") not in copies(desk)  # nobody is due
    desk.change(Waba, WABA_ID, templates_due_at=desk.now)
    tick(desk.runtime)
    assert ("loyalty_offer", "en_US") in copies(desk)
    with desk.runtime.unit(WORKER) as unit:
        assert not sync.READING.has_due(unit)
    revoke(meta)
    desk.advance(3600)
    tick(desk.runtime)
    with desk.runtime.unit(WORKER) as unit:
        waba = unit.session.get_one(Waba, WABA_ID)
    assert waba.templates_due_at == desk.now + AGAIN_AFTER
    assert waba.templates_error is not None
    assert "token" in waba.templates_error


def test_an_account_without_a_token_says_so(desk: Desk) -> None:
    with desk.runtime.unit(WORKER, write=True) as unit:
        for token in unit.session.exec(select(AccessToken)):
            unit.session.delete(token)
    desk.change(Waba, WABA_ID, templates_due_at=NOW)
    tick(desk.runtime)
    with desk.runtime.unit(WORKER) as unit:
        error = unit.session.get_one(Waba, WABA_ID).templates_error
    assert error == "This account has no token. Connect it again."


def revoke(meta: Meta) -> None:
    app = {"client_id": "300200100900800", "client_secret": "test-app-secret"}
    meta.client.get(
        "/v23.0/oauth/revoke",
        params={"revoke_token": "test-token", **app},
        headers={"Authorization": "Bearer t"},
    ).raise_for_status()
