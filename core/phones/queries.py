"""Numbers to send from, and the credentials they send with."""

from dataclasses import dataclass

from sqlalchemy import bindparam
from sqlmodel import col, select

from core.contacts.rules import pretty_number
from core.errors import Conflict, Impossible, NotFound
from core.ports.vault import VaultError, token_field
from core.unit import Unit
from data.sending import AccessToken, Phone, Waba

# Made ready once: every send asks.
_NAMED = select(Phone).where(
    col(Phone.id) == bindparam("id"), col(Phone.workspace_id) == bindparam("workspace_id")
)


@dataclass(frozen=True, slots=True)
class PhoneChoice:
    """A number that a form may offer."""

    phone_number_id: str
    waba_id: str
    display_number: str
    verified_name: str


def choices(unit: Unit) -> list[PhoneChoice]:
    unit.require("phones.view")
    rows = unit.session.exec(unit.scoped(Phone).order_by(col(Phone.verified_name), col(Phone.id))).all()
    return [
        PhoneChoice(row.id, row.waba_id, pretty_number(row.display_number), row.verified_name) for row in rows
    ]


def sender(unit: Unit, phone_number_id: str | None) -> Phone:
    """The number to send from: the one named, or the workspace's only one."""
    if phone_number_id is not None:
        named = {"id": phone_number_id, "workspace_id": unit.workspace_id}
        phone = unit.session.exec(_NAMED, params=named).first()
        if phone is None:
            raise NotFound.of("phone number")
        return phone
    return unit.session.get_one(Phone, only_phone(unit))


def only_phone(unit: Unit) -> str:
    """The id of the workspace's only number; Impossible when it has none, or several."""
    ids = unit.session.exec(
        select(Phone.id).where(col(Phone.workspace_id) == unit.workspace_id).limit(2)
    ).all()
    if len(ids) == 1:
        return ids[0]
    if not ids:
        raise Impossible(
            "This workspace has no phone number yet. Connect one with “python main.py connect” or "
            "POST /connections.",
            code="phone_number_required",
        )
    raise Impossible(
        "This workspace has several phone numbers: say which, in phoneNumberId.", code="phone_number_required"
    )


def token_of(unit: Unit, *, waba_id: str) -> str:
    """The token that the account's phones send with, unsealed. Never to be stored, logged or shown.

    Conflict when there is none, or none that can be opened.
    """
    row = unit.session.exec(select(AccessToken).where(col(AccessToken.waba_id) == waba_id)).first()
    if row is None:
        return open_token(unit, None, workspace_id="", waba_id=waba_id)
    return open_token(unit, row.sealed, workspace_id=row.workspace_id, waba_id=waba_id)


def open_token(unit: Unit, sealed: bytes | None, *, workspace_id: str, waba_id: str) -> str:
    """As ``token_of``, for whoever has read the account's row already."""
    if sealed is None:
        raise Conflict("This account has no token. Connect it again.", code="token_missing")
    try:
        return unit.vault.open(sealed, workspace_id=workspace_id, field=token_field(waba_id))
    except VaultError as error:
        raise Conflict(f"{error} Connect the account again.", code="token_unreadable") from None


def waba_of(unit: Unit, waba_id: str) -> Waba:
    waba = unit.session.get(Waba, waba_id)
    if waba is None or waba.workspace_id != unit.workspace_id:
        raise NotFound.of("WhatsApp Business Account")
    return waba
