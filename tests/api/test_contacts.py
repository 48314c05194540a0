"""``/contacts`` as scripts meet it."""

from collections.abc import Callable

import pytest

from core.contacts.commands import find_or_add, suppress
from core.runtime import Runtime
from core.unit import Identity
from data.enums import Role, SuppressionKind
from tests.api.conftest import Caller, assert_refusal
from tests.conftest import Place

MARA = "4915112345678"


@pytest.fixture
def mara(runtime: Runtime, place: Place) -> str:
    with runtime.unit(Identity(process="webhook"), write=True) as unit:
        contact = find_or_add(unit, workspace_id=place.workspace.id, wa_id=MARA, name="Mara Vogel")
        suppress(
            unit,
            workspace_id=place.workspace.id,
            contact_id=contact.id,
            kind=SuppressionKind.MARKETING,
            error_code="meta_131050",
        )
        return contact.id


def test_contacts_are_listed_and_searched(owner: Caller, mara: str) -> None:
    body = owner.get("/contacts", q="vogel", optedOut="true").json()
    assert body["nextCursor"] is None
    [item] = body["items"]
    assert item["firstSeenAt"] == item["lastActivityAt"]
    assert {name: item[name] for name in ("id", "name", "number", "businessUserId", "suppressed")} == {
        "id": mara,
        "name": "Mara Vogel",
        "number": f"+{MARA}",
        "businessUserId": None,
        "suppressed": ["marketing"],
    }
    assert owner.get("/contacts", q="elif").json()["items"] == []


def test_a_viewer_reads_masked_and_may_not_search_by_number(
    caller: Callable[[Role], Caller], mara: str
) -> None:
    viewer = caller(Role.VIEWER)
    assert viewer.get(f"/contacts/{mara}").json()["number"] == "+49•••••5678"
    refused = assert_refusal(viewer.get("/contacts", q=MARA), 403, "forbidden")
    assert refused["permission"] == "contacts.reveal"


@pytest.mark.parametrize("asked", [{"limit": 0}, {"cursor": "x"}, {"optedOut": "perhaps"}, {"q": ""}])
def test_what_cannot_be_read_is_malformed(owner: Caller, asked: dict[str, object]) -> None:
    assert_refusal(owner.get("/contacts", **asked), 400)


def test_a_suppression_is_lifted_once(owner: Caller, mara: str) -> None:
    [suppression] = owner.get(f"/contacts/{mara}").json()["suppressions"]
    path = f"/contacts/{mara}/suppressions/{suppression['id']}/lift"
    assert_refusal(owner.post(path, {}), 400)
    found = owner.post(path, {"reason": "Asked for it"}).json()
    assert found["suppressed"] == []
    assert found["suppressions"][0]["liftReason"] == "Asked for it"
    assert_refusal(owner.post(path, {"reason": "Again"}), 409, "not_in_force")


def test_a_contact_is_exported_and_erased(owner: Caller, mara: str) -> None:
    assert owner.get(f"/contacts/{mara}/export").json()["contact"]["waId"] == MARA
    answer = owner.post(f"/contacts/{mara}/erase", {"reason": "Asked for it"})
    assert answer.status_code == 202
    assert answer.json()["id"].startswith("era_")
    assert_refusal(owner.get(f"/contacts/{mara}"), 404, "not_found")
    assert owner.get("/contacts").json()["items"] == []
