"""``python backlog.py MESSAGES PHONES``: a workspace with that many phones, and a backlog spread over them.

Works on the database that the environment names. Prints an API key of the workspace.
"""

import sys
from typing import Any

import bodies
import sqlite_utils

import main as waypost
from core.ids import new_id
from core.ports.vault import token_field
from core.runtime import Runtime
from core.team.keys import create_api_key
from core.team.owners import COMMAND, create_owner
from data.columns import to_micros
from data.enums import PlanName, Role
from data.people import Workspace

DAY_MICROS = 86_400 * 1_000_000


def load(runtime: Runtime, *, messages: int, phones: int) -> str:
    """The database holds the workspace, its phones and the backlog, all due now. Returns an owner's key."""
    with runtime.unit(COMMAND, write=True) as unit:
        workspace = create_owner(
            unit,
            workspace_name="Bench",
            email="bench@example.com",
            password_hash="nobody signs in",
            plan=PlanName.ENTERPRISE,
        )
        _, key = create_api_key(unit, workspace=workspace, role=Role.OWNER, name="bench")
    database = sqlite_utils.Database(runtime.database.path)
    _add_account(database, runtime, workspace, phones=phones)
    _add_backlog(database, runtime, workspace, messages=messages, phones=phones)
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return key


def _add_account(
    database: sqlite_utils.Database, runtime: Runtime, workspace: Workspace, *, phones: int
) -> None:
    now = to_micros(runtime.clock.now())
    database["waba"].insert(
        {"id": bodies.WABA_ID, "workspace_id": workspace.id, "name": "Bench", "connected_at": now}
    )
    database["access_token"].insert(
        {
            "id": new_id("tok", runtime.clock.now()),
            "workspace_id": workspace.id,
            "waba_id": bodies.WABA_ID,
            "sealed": runtime.vault.seal(
                bodies.TOKEN, workspace_id=workspace.id, field=token_field(bodies.WABA_ID)
            ),
            "replaced_at": now,
        }
    )
    database["template"].insert(
        {
            "id": new_id("tpl", runtime.clock.now()),
            "workspace_id": workspace.id,
            "waba_id": bodies.WABA_ID,
            "name": bodies.TEMPLATE,
            "language": bodies.LANGUAGE,
            "category": "UTILITY",
            "status": "APPROVED",
            "parameter_format": "POSITIONAL",
            "components": [{"type": "BODY", "text": "Hello {{1}}, your order {{2}} is on its way."}],
            "synced_at": now,
        }
    )
    database["phone"].insert_all(
        {
            "id": bodies.phone_id(number),
            "workspace_id": workspace.id,
            "waba_id": bodies.WABA_ID,
            "display_number": f"+49 30 5557 {1000 + number}",
            "verified_name": f"Bench {number}",
            "quality": "GREEN",
            "throughput_level": "HIGH",
            "status": "CONNECTED",
            "synced_at": now,
        }
        for number in range(phones)
    )
    database["lane"].insert_all(
        {"phone_number_id": bodies.phone_id(number), "workspace_id": workspace.id, "slots": b""}
        for number in range(phones)
    )


def _add_backlog(
    database: sqlite_utils.Database, runtime: Runtime, workspace: Workspace, *, messages: int, phones: int
) -> None:
    moment = runtime.clock.now()
    now = to_micros(moment)
    contacts = [new_id("con", moment) for _ in range(messages)]
    database["contact"].insert_all(
        {
            "id": contact,
            "workspace_id": workspace.id,
            "wa_id": bodies.recipient(number).removeprefix("+"),
            "created_at": now,
        }
        for number, contact in enumerate(contacts)
    )

    def message(number: int, contact: str) -> dict[str, Any]:
        return {
            "id": new_id("msg", moment),
            "workspace_id": workspace.id,
            "phone_number_id": bodies.phone_id(number % phones),
            "contact_id": contact,
            "direction": "outbound",
            "kind": "template",
            "recipient": bodies.recipient(number),
            "payload": bodies.payload(number),
            "template_name": bodies.TEMPLATE,
            "template_language": bodies.LANGUAGE,
            "state": "queued",
            "due_at": now,
            "expires_at": now + DAY_MICROS,
            "attempt": 0,
            "round": 1,
            "rung": 0,
            "rate_waits": 0,
            "leases_lost": 0,
            "may_duplicate": 0,
            "created_at": now,
        }

    database["message"].insert_all(message(number, contact) for number, contact in enumerate(contacts))


if __name__ == "__main__":
    settings = waypost._settings()
    waypost._migrate(settings)
    with waypost._runtime(settings) as runtime:
        print(load(runtime, messages=int(sys.argv[1]), phones=int(sys.argv[2])))
