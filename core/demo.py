"""The demo: a believable workspace made by the real commands, and calm traffic through the sandbox."""

import asyncio
import random
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlmodel import col, select

from core.alerts.channel_forms import ChannelForm
from core.alerts.channels import make_channel
from core.errors import DomainError, Unavailable
from core.messaging import intake
from core.messaging.requests import SendRequest, template_payload, text_payload
from core.ports.sandbox import SandboxControl
from core.runtime import Runtime
from core.settings import Settings
from core.team.accepting import accept
from core.team.invitations import invite
from core.team.names import new_secret
from core.team.offers import offer
from core.team.owners import COMMAND, create_owner
from core.team.passwords import hash_password
from core.team.people import find_or_add
from core.templates.metrics import record
from core.tokens.connect import connect
from core.unit import Identity, Unit
from data.enums import ChangeSource, ChannelKind, PlanName, Role, TemplateEvent
from data.people import User, Workspace
from data.sending import Phone, Template

WORKSPACE = "Northwind Trading"
OWNER_EMAIL = "ada@northwind.example"
OWNER_NAME = "Ada Lindqvist"
TIMEZONE = "Europe/Berlin"
WABA_ID = "100200300400500"
EVERY_S = 2.5
# A busy machine starts the sandbox late; a demo without one shows nothing.
SANDBOX_WITHIN_S = 60
# What stands before an ending that the sandbox knows makes it a number.
MAGIC_BEGINS = "+491511"

# Colleagues who are in the team already, and one who was invited: the link is in the outbox.
COLLEAGUES = (
    ("henrik@northwind.example", "Henrik Solberg", Role.MANAGER),
    ("leila@northwind.example", "Leila Haddad", Role.AGENT),
    ("marcus@northwind.example", "Marcus Webb", Role.VIEWER),
    ("ines@northwind.example", "Inês Duarte", Role.SUPPORT),
)
INVITED = ("yuki@northwind.example", Role.AGENT)
# Alerts go to the outbox too; at night only what is critical.
CHANNEL = ChannelForm(
    name="Operations",
    kind=ChannelKind.MAIL,
    roles=(Role.OWNER, Role.MANAGER),
    quiet_from="22:00",
    quiet_until="07:00",
)

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


def prepare(runtime: Runtime, *, sandbox_within_s: float = SANDBOX_WITHIN_S) -> str | None:
    """The demo's workspace exists, connected to the sandbox. Returns its owner's new password, or None when
    it was there already. One that was left before it was connected goes on where it was left."""
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
    identity = Identity(process="demo", workspace_id=workspace.id)
    with runtime.unit(identity) as unit:
        is_new = not _numbers(unit)
    control = SandboxControl(runtime.settings.waypost_graph_url)
    control.wait_until_ready(timeout_s=sandbox_within_s)
    asyncio.run(_connect(runtime, identity))
    if is_new:
        _gather_team(runtime, identity)
        _tell_of_templates(runtime, identity)
        with runtime.unit(identity, write=True) as unit:
            make_channel(unit, CHANNEL)
        with runtime.unit(identity) as unit:
            numbers = _numbers(unit)
        for wa_id, name in PEOPLE[:-2]:
            _ask(control, numbers, wa_id, name)
        for wa_id in FIRST:
            _send_one(runtime, identity, numbers, wa_id, _order(wa_id, "Mara"))
    return password


def _gather_team(runtime: Runtime, identity: Identity) -> None:
    for email, name, role in COLLEAGUES:
        with runtime.unit(identity, write=True) as unit:
            user = find_or_add(unit, email)
            member, secret = offer(unit, user, None, role=role, workspace_id=unit.workspace_id)
            unit.record("member.invited", f"member:{member.id}", after={"email": email, "role": role})
        accept(runtime, identity, token=secret, name=name, password=new_secret())
    with runtime.unit(identity, write=True) as unit:
        invite(unit, email=INVITED[0], role=INVITED[1])


def _tell_of_templates(runtime: Runtime, identity: Identity) -> None:
    """Within the last day each was created, an hour after the other, and Meta decided half an hour later. The
    rejections are told last, so that no moment looks worse than the whole."""
    events = {"APPROVED": TemplateEvent.APPROVED, "REJECTED": TemplateEvent.REJECTED}
    with runtime.unit(identity, write=True) as unit:
        templates = unit.session.exec(unit.scoped(Template).order_by(col(Template.id).desc())).all()
        in_order = sorted(enumerate(templates, start=1), key=lambda one: one[1].status == "REJECTED")
        for hours, template in in_order:
            at = unit.now - timedelta(hours=hours)
            template_id = template.meta_id or template.id
            record(unit, template_id, TemplateEvent.CREATED, at=at, source=ChangeSource.SYNC)
            if template.status in events:
                record(
                    unit,
                    template_id,
                    events[template.status],
                    at=at + timedelta(minutes=30),
                    reason=template.rejected_reason,
                    source=ChangeSource.WEBHOOK,
                )


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
    """A message or two of a calm working day, and now and then a customer who writes; nothing while the
    workspace is not connected yet."""
    with runtime.unit(COMMAND) as unit:
        workspace = _workspace(unit)
    if workspace is None:
        return
    identity = Identity(process="demo", workspace_id=workspace.id)
    with runtime.unit(identity) as unit:
        numbers = _numbers(unit)
    if not numbers:
        return
    for _ in range(random.choice((1, 1, 1, 2))):
        wa_id, name = random.choice(PEOPLE)
        _send_one(runtime, identity, numbers, wa_id, _payload(wa_id, name))
    if random.random() < 0.15:
        _ask(SandboxControl(runtime.settings.waypost_graph_url), numbers, *random.choice(PEOPLE[:-2]))


def _send_one(
    runtime: Runtime, identity: Identity, numbers: list[str], wa_id: str, payload: dict[str, Any]
) -> None:
    request = SendRequest(payload=payload, phone_number_id=_number_for(wa_id, numbers), queued=True)
    try:
        with runtime.unit(identity, write=True) as unit:
            intake.store(unit, request)
    except DomainError:
        return  # a closed service window, an opt-out: refused as a person's send would be


def _ask(control: SandboxControl, numbers: list[str], wa_id: str, name: str) -> None:
    """A customer writes to the number that writes to them."""
    control.write_inbound(
        phone_number_id=_number_for(wa_id, numbers), sender=wa_id, name=name, text=random.choice(QUESTIONS)
    )


def _number_for(wa_id: str, numbers: list[str]) -> str:
    """One of our numbers for each customer, as a real team would keep it."""
    return numbers[int(wa_id) % len(numbers)]


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


def _workspace(unit: Unit) -> Workspace | None:
    return unit.session.exec(select(Workspace).where(col(Workspace.is_demo))).first()


def _numbers(unit: Unit) -> list[str]:
    return [phone.id for phone in unit.session.exec(unit.scoped(Phone).order_by(col(Phone.id)))]


_WORDS = (
    "amber", "anchor", "birch", "bridge", "candle", "canyon", "cedar", "cloud", "copper", "coral", "delta",
    "ember", "falcon", "fern", "fjord", "garden", "glacier", "harbor", "hazel", "island", "juniper", "kite",
    "lagoon", "lantern", "maple", "meadow", "mosaic", "north", "oasis", "olive", "orchid", "pebble", "pine",
    "quartz", "raven", "river", "saffron", "sail", "shore", "silver", "slate", "spruce", "stone", "summit",
    "thistle", "timber", "tulip", "valley", "walnut", "willow", "winter", "wren",
)  # fmt: skip
