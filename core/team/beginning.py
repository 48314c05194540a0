"""The first owner without a command: a link that ``serve`` prints while nobody is here."""

import hmac
from datetime import timedelta

from sqlmodel import col, select

from core.errors import Gone, NotFound
from core.runtime import Runtime
from core.team.names import hash_key, new_secret, normal_email, person_name, slug_of
from core.team.owners import create_owner, is_nobody_here, known_zone
from core.team.passwords import hash_password
from core.unit import Identity, Unit
from data.operations import AuditEntry

GOOD_FOR = timedelta(hours=1)
OFFERED, USED = "beginning.offered", "beginning.used"
_TARGET = "platform"


def offer_beginning(unit: Unit) -> str | None:
    """The address at which the first owner is made, good once and for an hour; any from before is dead. None
    when somebody is here. Its SHA-256 is kept in the audit log, the secret nowhere."""
    if not is_nobody_here(unit):
        return None
    secret = new_secret()
    unit.record(OFFERED, _TARGET, after={"sha256": hash_key(secret)})
    return f"{unit.settings.public_url}/begin/{secret}"


def look(unit: Unit, token: str) -> None:
    """The link is good. NotFound for one that never was, or that a newer one has replaced; Gone
    ``beginning_used`` or ``beginning_expired``."""
    offers = select(AuditEntry).where(
        col(AuditEntry.workspace_id).is_(None), col(AuditEntry.action) == OFFERED
    )
    newest = unit.session.exec(offers.order_by(col(AuditEntry.number).desc()).limit(1)).first()
    kept = (newest.after or {}).get("sha256", "") if newest else ""
    if newest is None or not hmac.compare_digest(str(kept), hash_key(token)):
        raise NotFound("There is no such link. Take the newest one that the terminal shows, and all of it.")
    if not is_nobody_here(unit):
        raise Gone("Waypost has its owner already. Sign in instead.", code="beginning_used")
    if newest.at + GOOD_FOR <= unit.now:
        raise Gone(
            "This link is more than an hour old. Stop Waypost and start it again: it then prints another.",
            code="beginning_expired",
        )


def begin(
    runtime: Runtime,
    identity: Identity,
    *,
    token: str,
    name: str,
    email: str,
    password: str,
    workspace_name: str,
    timezone: str,
) -> str:
    """The first workspace and its owner are there, who is platform admin too; the address to sign in with. Of
    two calls at once one is too late."""
    with runtime.unit(identity) as unit:
        look(unit, token)
    person, address = person_name(name), normal_email(email)
    slug_of(workspace_name)
    known_zone(timezone)
    hashed = hash_password(password, about=(address, person))
    with runtime.unit(identity, write=True) as unit:
        unit.record(USED, _TARGET, after={"email": address})  # whoever comes second waits here
        look(unit, token)
        create_owner(
            unit,
            workspace_name=workspace_name,
            email=address,
            password_hash=hashed,
            timezone=timezone,
            name=person,
        )
    return address
