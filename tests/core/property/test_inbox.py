"""Whatever order, batches and repetitions Meta chooses, what we know in the end is the same."""

import random
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from core.runtime import Runtime
from data.tables import METADATA
from tests.conftest import NOW, PHONE_ID, SECOND_PHONE_ID, WABA_ID, make_place
from tests.core.desk import PASSING, TIMEOUT, Desk, accepted, number, order, seconds, status
from tests.webhooks import deliver, work_off

PASSES, NEVER = 131016, 131026
JOURNEYS = [
    ("sent", "delivered", "read"),
    ("sent", "failed"),
    ("sent", "delivered", "failed"),
    ("delivered", "played", "read"),
    ("failed",),
    ("sent",),
]
CUSTOMERS = ("4915112300001", "4915112300002", "4915112300003")
MOVED_TO = "4915112399999"
KEPT_BY_TEST = {"plan", "audit_entry", "audit_head"}
SEEDS = [*range(3), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(3, 12))]
Item = tuple[str, dict[str, Any], Any]  # field, value, time of the entry


def sends(desk: Desk) -> list[str]:
    """Six messages, each with another answer, always the same ones; their ids in order."""
    ids = []
    for index, reply in enumerate(
        (accepted("wamid.0"), accepted("wamid.1"), TIMEOUT, accepted("wamid.3"), TIMEOUT, PASSING)
    ):
        (message_id,) = desk.queue(request=order(number(index)))
        (ours,) = desk.put_on_the_wire()
        desk.answer((ours, reply))
        ids.append(message_id)
    return ids


def history(dice: random.Random, ids: list[str]) -> list[Item]:
    """What happened, in its order."""
    told: list[Item] = []
    for index, message_id in enumerate(ids[:5]):
        code = dice.choice((PASSES, NEVER))
        for step, word in enumerate(dice.choice(JOURNEYS)):
            at = NOW + timedelta(seconds=10 * index + step)
            one = status(
                word,
                wamid=f"wamid.{index}",
                at=at,
                message_id=message_id,
                code=code if word == "failed" else None,
            )
            if word in ("sent", "delivered"):
                one["pricing"] = {"billable": True, "category": dice.choice(("utility", "a_word_to_come"))}
            told.append(("statuses", one, PHONE_ID))
    for index in range(12):
        sender = dice.choice((*CUSTOMERS, MOVED_TO))
        told.append(("messages", wrote(dice, sender, index), dice.choice((PHONE_ID, SECOND_PHONE_ID))))
    moved = {"from": CUSTOMERS[0], "id": "wamid.moved", "timestamp": seconds(NOW), "type": "system"}
    moved["system"] = {"type": "user_changed_number", "wa_id": MOVED_TO}  # type: ignore[assignment]
    told.append(("messages", {"item": moved, "name": None}, PHONE_ID))
    for index in range(4):
        decided = {
            "wa_id": dice.choice((CUSTOMERS[0], CUSTOMERS[1], MOVED_TO)),
            "category": "marketing_messages",
            "value": dice.choice(("stop", "resume")),
            "timestamp": seconds(NOW + timedelta(minutes=index)),
        }
        told.append(("user_preferences", {"user_preferences": [decided]}, None))
    for index, state in enumerate(dice.choices(("DISABLE", "REINSTATE"), k=3)):
        value = {"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": state}}
        told.append(("account_update", value, NOW + timedelta(minutes=index)))
    told.append(("a_field_to_come", {"event": dice.random()}, NOW))
    return told


def wrote(dice: random.Random, sender: str, index: int) -> dict[str, Any]:
    item: dict[str, Any] = {
        "from": sender,
        "id": f"wamid.in.{index}",
        "timestamp": seconds(NOW - timedelta(minutes=dice.randrange(600))),
    }
    kind = dice.choice(("text", "image", "reaction"))
    item |= {"type": kind, kind: {"body": f"Hello {index}"}}
    return {"item": item, "name": dice.choice(("Mara", "Mara V.", "M. Vogel"))}


def bodies(dice: random.Random, told: list[Item], *, messed_up: bool) -> list[dict[str, Any]]:
    """The history as webhooks: one by one in order; or shuffled, some of it twice, in batches of any size."""
    told = list(told)
    if messed_up:
        told += dice.choices(told, k=len(told) // 2)
        dice.shuffle(told)
    found = []
    while told:
        size = dice.randint(1, 9) if messed_up else 1
        batch, told = told[:size], told[size:]
        found.append({"object": "whatsapp_business_account", "entry": [entry(*one) for one in batch]})
    return found


def entry(field: str, value: dict[str, Any], more: Any) -> dict[str, Any]:
    if field in ("statuses", "messages"):
        metadata = {"messaging_product": "whatsapp", "metadata": {"phone_number_id": more}}
        if field == "messages":
            item, name = value["item"], value["name"]
            value = {**metadata, "messages": [item]}
            if name is not None:
                value["contacts"] = [{"profile": {"name": name}, "wa_id": item["from"]}]
        else:
            value = {**metadata, "statuses": [value]}
        return {"id": WABA_ID, "changes": [{"field": "messages", "value": value}]}
    made: dict[str, Any] = {"id": WABA_ID, "changes": [{"field": field, "value": value}]}
    return made if more is None else {**made, "time": int(more.timestamp())}


DUMP = {
    "outbound": "SELECT recipient, state, wamid, error_code, delivered_at, read_at, due_at IS NULL, "
    "CASE WHEN state = 'retry_queued' THEN rung ELSE 0 END, may_duplicate "
    "FROM message WHERE direction = 'outbound'",
    "inbound": "SELECT message.wamid, kind, meta_type, recipient, phone_number_id, sent_at, payload, "
    "contact.wa_id FROM message JOIN contact ON contact.id = contact_id WHERE direction = 'inbound'",
    "contacts": "SELECT wa_id, business_user_id, name, named_at, merged_into IS NULL FROM contact "
    "WHERE merged_into IS NULL",
    "windows": "SELECT phone_number_id, contact.wa_id, last_inbound_at FROM service_window "
    "JOIN contact ON contact.id = contact_id",
    "attempts": "SELECT recipient, number, outcome, attempt.wamid, finished_at IS NULL FROM attempt "
    "JOIN message ON message.id = message_id",
    "statuses": "SELECT message_status.wamid, status, at, recipient, message_status.error_code, pricing "
    "FROM message_status JOIN message ON message.id = message_id",
    "letters": "SELECT message.recipient, dead_letter.error_code FROM dead_letter "
    "JOIN message ON message.id = message_id WHERE dead_letter.state = 'open'",
    "opted out": "SELECT contact.wa_id, kind, suppression.error_code, lifted_at IS NULL, "
    "suppression.created_at FROM suppression JOIN contact ON contact.id = contact_id",
    "changes": "SELECT id, field, effect_at IS NULL FROM meta_update",
    "account": "SELECT id, restriction FROM waba",
    "holds": "SELECT DISTINCT scope, subject, cause FROM hold WHERE released_at IS NULL",
    "deliveries": "SELECT DISTINCT state FROM delivery",
}


def dump(runtime: Runtime) -> dict[str, list[str]]:
    """Everything that webhooks change, without ids of ours and moments of arrival."""
    with runtime.database.read.connect() as connection:
        return {
            name: sorted(repr(tuple(row)) for row in connection.execute(text(sql)))
            for name, sql in DUMP.items()
        }


def from_scratch(runtime: Runtime, password_hash: str) -> Desk:
    with runtime.database.write.begin() as connection:
        for table in reversed(METADATA.sorted_tables):
            if table.name not in KEPT_BY_TEST:
                connection.execute(table.delete())
    runtime.clock._at = NOW  # type: ignore[attr-defined]
    return Desk(runtime, make_place(runtime, password_hash))


@pytest.mark.parametrize("seed", SEEDS)
def test_any_order_batches_and_repetitions_end_the_same(
    runtime: Runtime, password_hash: str, seed: int
) -> None:
    ends = []
    for messed_up in (False, True, True):
        desk = from_scratch(runtime, password_hash)
        told = history(random.Random(seed), sends(desk))
        dice = random.Random(f"{seed} {len(ends)}")
        for body in bodies(dice, told, messed_up=messed_up):
            deliver(desk.runtime, body)
            if dice.random() < 0.3:
                work_off(desk.runtime)
        work_off(desk.runtime)
        ends.append(dump(desk.runtime))
    for end in ends[1:]:
        for name, rows in end.items():
            assert rows == ends[0][name], name
