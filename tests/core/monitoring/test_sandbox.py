from typing import Any

import pytest
from sqlmodel import col, select

from core.errors import Forbidden, Impossible, NotFound, Unavailable
from core.monitoring import sandbox
from core.runtime import Runtime
from core.unit import Identity
from data.enums import Role
from data.operations import AuditEntry
from tests.conftest import PHONE_ID, WABA_ID, Place, with_settings
from tests.core.desk import Meta


@pytest.fixture
def demo(runtime: Runtime, meta: Meta) -> Runtime:
    """With the sandbox as after a start."""
    return with_settings(runtime, waypost_demo=True)


def actions(runtime: Runtime) -> list[tuple[str, str]]:
    with runtime.unit(Identity(process="test")) as unit:
        statement = select(AuditEntry).where(col(AuditEntry.action).startswith("sandbox."))
        return [(entry.action, entry.target) for entry in unit.session.exec(statement)]


def test_a_fault_is_made_switched_and_deleted(demo: Runtime, place: Place) -> None:
    owner = place.acting(Role.OWNER)
    sandbox.create_fault(demo, owner, kind="slow", to="0001", seconds=3, share=0.25, times=2)
    fault = sandbox.look(demo, owner).state.faults[0]
    assert (fault.kind, fault.to, fault.seconds, fault.share, fault.times) == ("slow", "0001", 3, 0.25, 2)
    sandbox.switch_fault(demo, owner, fault.id, enabled=False)
    assert not sandbox.look(demo, owner).state.faults[0].enabled
    sandbox.delete_fault(demo, owner, fault.id)
    assert fault.id not in [each.id for each in sandbox.look(demo, owner).state.faults]
    assert actions(demo) == [
        (f"sandbox.{verb}", f"sandbox:{fault.id}") for verb in ("fault_made", "fault_off", "fault_deleted")
    ]


def test_a_fault_that_cannot_be_is_refused_in_words(demo: Runtime, place: Place) -> None:
    with pytest.raises(Impossible, match=r"match\.to must hold digits"):
        sandbox.create_fault(demo, place.acting(Role.OWNER), kind="error", to="everybody")
    assert actions(demo) == []


def test_a_customer_writes(demo: Runtime, place: Place) -> None:
    sandbox.write_inbound(
        demo,
        place.acting(Role.OWNER),
        phone_number_id=PHONE_ID,
        sender="+49 1511 2300001",
        name="Mara",
        text="Hi",
    )
    assert actions(demo) == [("sandbox.customer_wrote", f"sandbox:{PHONE_ID}")]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"type": "text", "text": {"body": "Hello"}}, "Hello"),
        (
            {
                "type": "template",
                "template": {
                    "name": "order_update",
                    "language": {"code": "en_US"},
                    "components": [
                        {
                            "type": "body",
                            "parameters": [
                                {"type": "text", "text": "Mara"},
                                {"type": "text", "text": "NW-1"},
                            ],
                        }
                    ],
                },
            },
            "Mara · NW-1",
        ),
    ],
)
def test_a_request_is_shown_with_its_words_and_our_id(
    demo: Runtime, place: Place, meta: Meta, body: dict[str, Any], words: str
) -> None:
    whole = {
        "messaging_product": "whatsapp",
        "to": "+4915112300001",
        "biz_opaque_callback_data": "msg_0abc",
        **body,
    }
    meta.client.post(
        f"/v23.0/{PHONE_ID}/messages", json=whole, headers={"Authorization": "Bearer test-token"}
    )
    (request,) = sandbox.look(demo, place.acting(Role.OWNER)).requests
    assert (request.words, request.message_id, request.body) == (words, "msg_0abc", whole)


def test_only_who_may_change_settings_and_only_in_the_demo(
    demo: Runtime, runtime: Runtime, place: Place
) -> None:
    for role in (Role.MANAGER, Role.AGENT, Role.VIEWER, Role.SUPPORT):
        with pytest.raises(Forbidden):
            sandbox.look(demo, place.acting(role))
        with pytest.raises(Forbidden):
            sandbox.switch_fault(demo, place.acting(role), "demo-rate", enabled=True)
    with pytest.raises(NotFound):
        sandbox.look(runtime, place.acting(Role.OWNER))


def test_a_sandbox_that_does_not_answer_is_unavailable(demo: Runtime, place: Place) -> None:
    gone = with_settings(demo, waypost_graph_url="http://127.0.0.1:9")
    with pytest.raises(Unavailable):
        sandbox.look(gone, place.acting(Role.OWNER))


def test_meta_changes_its_mind(demo: Runtime, place: Place, meta: Meta) -> None:
    owner = place.acting(Role.OWNER)
    sandbox.change_phone(demo, owner, PHONE_ID, aspect="quality", word="RED")
    sandbox.change_account(demo, owner, WABA_ID, aspect="verification", word="rejected")
    told = meta.client.get("/sandbox/state").json()
    assert (told["phones"][0]["quality"], told["accounts"][0]["verification"]) == ("RED", "rejected")
    assert actions(demo) == [
        ("sandbox.number_changed", f"sandbox:{PHONE_ID}"),
        ("sandbox.account_changed", f"sandbox:{WABA_ID}"),
    ]
    with pytest.raises(Impossible):
        sandbox.change_account(demo, owner, WABA_ID, aspect="restriction", word="SOME")
