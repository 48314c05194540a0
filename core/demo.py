"""The demo: a believable workspace made by the real commands, and calm traffic through the sandbox."""

import asyncio
import random
import secrets
from dataclasses import dataclass
from typing import Any

from sqlmodel import col, select

from core.errors import DomainError, Unavailable
from core.messaging import intake
from core.messaging.requests import SendRequest, template_payload, text_payload
from core.ports.sandbox import SandboxControl
from core.runtime import Runtime
from core.settings import Settings
from core.team.commands import COMMAND, create_owner
from core.team.passwords import hash_password
from core.tokens.connect import connect
from core.unit import Identity, Unit
from data.enums import PlanName
from data.people import User, Workspace
from data.sending import Phone

WORKSPACE = "Northwind Trading"
OWNER_EMAIL = "ada@northwind.example"
OWNER_NAME = "Ada Lindqvist"
TIMEZONE = "Europe/Berlin"
WABA_ID = "100200300400500"
# Waits of the demo's ladder, so that a newcomer sees retries and dead letters within a minute.
RETRY_DELAYS = "4,8,12,16"
EVERY_S = 2.5
# What stands before an ending that the sandbox knows makes it a number.
MAGIC_BEGINS = "+491511"

PEOPLE = (
    ("4915112300101", "Mara Vogel"),
    ("4915112300102", "Jonas Brandt"),
    ("4915112300103", "Elif Şahin"),
    ("4915112300104", "Tomasz Wójcik"),
    ("447700900105", "Priya Raman"),
    ("447700900106", "Oliver Hughes"),
    ("447700900107", "Chidi Okafor"),
    ("33612340108", "Amélie Laurent"),
    ("33612340109", "Théo Girard"),
    ("34612340110", "Lucía Fernández"),
    ("393401234111", "Giulia Moretti"),
    ("31612340112", "Sanne de Vries"),
    ("46701234113", "Nils Åkesson"),
    ("48512340114", "Zofia Kamińska"),
    ("5511912340115", "João Pereira"),
    ("919812340116", "Ananya Iyer"),
    ("818012340117", "佐藤 美咲"),
    ("972501234118", "נועה לוי"),
    ("4915110000001", "Fails once, then works"),
    ("4915110000003", "Not on WhatsApp"),
)
# Sent at the very start, so that the first minute shows a retry, a dead letter with advice, one that climbs
# the whole ladder, and an answer that was lost on the way.
FIRST = ("4915110000001", "4915110000003", "4915110000002", "4915110000005", "4915112300101", "447700900105")
QUESTIONS = (
    "Hi, where is my parcel?",
    "Can I move my appointment to Thursday?",
    "Thank you, it arrived this morning.",
    "Do you deliver on Saturdays?",
    "The box was damaged. What should I do?",
)
ANSWERS = (
    "Thanks for writing. I am looking into it and will be back within the hour.",
    "Your parcel is with the driver and should reach you this afternoon.",
    "Of course. Which time on Thursday suits you?",
    "We deliver on Saturdays until 14:00.",
)


@dataclass(frozen=True, slots=True)
class MagicNumber:
    """A recipient whose fate the sandbox has settled."""

    number: str
    fate: str


def magic_numbers(settings: Settings) -> list[MagicNumber]:
    """Every ending that the sandbox knows, as a whole number. None when it does not answer."""
    try:
        known = SandboxControl(settings.waypost_graph_url).state().magic
    except Unavailable:
        return []
    return [MagicNumber(f"{MAGIC_BEGINS}{fault.to}", fault.title) for fault in known]


def prepare(runtime: Runtime) -> str | None:
    """The demo's workspace exists, connected to the sandbox. Returns its owner's new password, or None when
    it was there already."""
    with runtime.unit(COMMAND) as unit:
        workspace = _workspace(unit)
    password = None
    if workspace is None:
        password = "-".join(secrets.choice(_WORDS) for _ in range(4))
        hashed = hash_password(password)
        with runtime.unit(COMMAND, write=True) as unit:
            workspace = create_owner(
                unit,
                workspace_name=WORKSPACE,
                email=OWNER_EMAIL,
                name=OWNER_NAME,
                password_hash=hashed,
                plan=PlanName.PRO,
                timezone=TIMEZONE,
                is_demo=True,
            )
    control = SandboxControl(runtime.settings.waypost_graph_url)
    control.wait_until_ready(timeout_s=20)
    identity = Identity(process="demo", workspace_id=workspace.id)
    asyncio.run(_connect(runtime, identity))
    if password is not None:
        _let_people_write(runtime, identity, control)
        for wa_id in FIRST:
            _send_one(runtime, identity, wa_id, _order(wa_id, "Mara"))
    return password


def new_password(runtime: Runtime) -> str:
    """The demo owner's password is a new one; for a demo that was started before and has forgotten it."""
    password = "-".join(secrets.choice(_WORDS) for _ in range(4))
    hashed = hash_password(password)
    with runtime.unit(COMMAND, write=True) as unit:
        user = unit.session.exec(select(User).where(col(User.email) == OWNER_EMAIL)).one()
        user.password_hash = hashed
        unit.session.add(user)
        unit.record("password.changed", f"user:{user.id}")
    return password


def send_some(runtime: Runtime) -> None:
    """A message or two of a calm working day, and now and then a customer who writes."""
    with runtime.unit(COMMAND) as unit:
        workspace = _workspace(unit)
    if workspace is None:
        return
    identity = Identity(process="demo", workspace_id=workspace.id)
    for _ in range(random.choice((1, 1, 1, 2))):
        wa_id, name = random.choice(PEOPLE)
        _send_one(runtime, identity, wa_id, _payload(wa_id, name))
    if random.random() < 0.15:
        _someone_writes(runtime, identity)


def _send_one(runtime: Runtime, identity: Identity, wa_id: str, payload: dict[str, Any]) -> None:
    try:
        with runtime.unit(identity, write=True) as unit:
            # One of our numbers for each customer, as a real team would keep it.
            phones = _phones(unit)
            phone = phones[int(wa_id) % len(phones)]
            intake.store(unit, SendRequest(payload=payload, phone_number_id=phone.id, queued=True))
    except DomainError:
        return  # a closed service window, an opt-out: refused as a person's send would be


def _payload(wa_id: str, name: str) -> dict[str, Any]:
    to = f"+{wa_id}"
    first = name.split()[0]
    choice = random.random()
    if choice < 0.2:
        return text_payload(to, text=random.choice(ANSWERS))
    if choice < 0.6:
        return _order(wa_id, first)
    if choice < 0.85:
        hour = random.randint(8, 17)
        window = (f"{hour}:00", f"{hour + 2}:00")
        return template_payload(to, name="delivery_today", language="en", components=_body(first, *window))
    when = random.choice(("Tuesday 10:30", "Wednesday 14:00", "Friday 9:15"))
    return template_payload(to, name="appointment_reminder", language="en_US", components=_body(first, when))


def _order(wa_id: str, first: str) -> dict[str, Any]:
    order = f"NW-{random.randint(20_000, 29_999)}"
    return template_payload(
        f"+{wa_id}", name="order_update", language="en_US", components=_body(first, order)
    )


def _body(*texts: str) -> list[dict[str, Any]]:
    return [{"type": "body", "parameters": [{"type": "text", "text": text} for text in texts]}]


async def _connect(runtime: Runtime, identity: Identity) -> None:
    try:
        await connect(runtime, identity, waba_id=WABA_ID, access_token=f"sandbox-{secrets.token_urlsafe(16)}")
    finally:
        await runtime.graph.close()


def _let_people_write(runtime: Runtime, identity: Identity, control: SandboxControl) -> None:
    with runtime.unit(identity) as unit:
        phones = _phones(unit)
    for wa_id, name in PEOPLE[:-2]:
        phone = phones[int(wa_id) % len(phones)]
        control.write_inbound(
            phone_number_id=phone.id, sender=wa_id, name=name, text=random.choice(QUESTIONS)
        )


def _someone_writes(runtime: Runtime, identity: Identity) -> None:
    with runtime.unit(identity) as unit:
        phones = _phones(unit)
    wa_id, name = random.choice(PEOPLE[:-2])
    SandboxControl(runtime.settings.waypost_graph_url).write_inbound(
        phone_number_id=phones[int(wa_id) % len(phones)].id,
        sender=wa_id,
        name=name,
        text=random.choice(QUESTIONS),
    )


def _workspace(unit: Unit) -> Workspace | None:
    return unit.session.exec(select(Workspace).where(col(Workspace.is_demo))).first()


def _phones(unit: Unit) -> list[Phone]:
    return list(unit.session.exec(unit.scoped(Phone).order_by(col(Phone.id))).all())


_WORDS = (
    "amber", "anchor", "birch", "bridge", "candle", "canyon", "cedar", "cloud", "copper", "coral", "delta",
    "ember", "falcon", "fern", "fjord", "garden", "glacier", "harbor", "hazel", "island", "juniper", "kite",
    "lagoon", "lantern", "maple", "meadow", "mosaic", "north", "oasis", "olive", "orchid", "pebble", "pine",
    "quartz", "raven", "river", "saffron", "sail", "shore", "silver", "slate", "spruce", "stone", "summit",
    "thistle", "timber", "tulip", "valley", "walnut", "willow", "winter", "wren",
)  # fmt: skip
