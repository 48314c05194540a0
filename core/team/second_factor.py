"""A person's second factor: an authenticator app, and ten recovery codes."""

import secrets
from dataclasses import dataclass, field

import pyotp
import segno
from sqlmodel import col, delete, func, select

from core.errors import Conflict, Impossible, NotSignedIn
from core.team.codes import hash_recovery_code, open_secret, seal_secret, take_step
from core.team.sign_in import NextStep, SignedIn, complete, pending
from core.unit import Unit
from data.enums import MemberStatus
from data.people import BrowserSession, Member, RecoveryCode, SecondFactor, User, Workspace

ISSUER = "Waypost"
RECOVERY_CODES = 10
_LETTERS = "abcdefghjkmnpqrstvwxyz23456789"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What the authenticator app is given: ``qr`` is a picture as a data URI, ``secret`` the same to type."""

    secret: str = field(repr=False)
    qr: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class FactorView:
    """``codes_left``: unused recovery codes."""

    is_set_up: bool
    codes_left: int
    is_required: bool


def factor_view(unit: Unit) -> FactorView:
    """How it stands with the reader's own second factor."""
    user_id = _own(unit)
    factor = unit.session.get(SecondFactor, user_id)
    unused = (
        select(func.count())
        .select_from(RecoveryCode)
        .where(col(RecoveryCode.user_id) == user_id, col(RecoveryCode.used_at).is_(None))
    )
    is_set_up = factor is not None and factor.confirmed_at is not None
    return FactorView(is_set_up, unit.session.exec(unused).one(), _is_required(unit, user_id))


def begin(unit: Unit) -> Enrolment:
    """A new secret for the reader's authenticator. It counts once ``confirm`` was given a first code."""
    user_id = _own(unit)
    unit.require_fresh()
    return _begin(unit, user_id)


def confirm(unit: Unit, *, code: str) -> tuple[str, ...]:
    """From now on a code is asked for at each sign-in. Returns the recovery codes, to be shown once."""
    user_id = _own(unit)
    unit.require_fresh()
    codes = _confirm(unit, user_id, code)
    browser = unit.session.get_one(BrowserSession, unit.identity.session_hash)
    browser.second_factor_at = unit.now
    unit.session.add(browser)
    return codes


def begin_pending(unit: Unit) -> Enrolment:
    """As ``begin``, for someone who must set one up before they are signed in. Asked again, the secret is the
    same: a page that is loaded anew does not undo what was scanned."""
    waiting = pending(unit)
    if waiting.next_step is not NextStep.SET_UP:
        raise Conflict("A second factor is set up already. Give its code.", code="second_factor_exists")
    factor = unit.session.get(SecondFactor, waiting.user_id)
    if factor is not None:
        return _enrolment(open_secret(unit, factor), waiting.email)
    return _begin(unit, waiting.user_id)


def confirm_pending(unit: Unit, *, code: str) -> tuple[SignedIn, tuple[str, ...]]:
    """As ``confirm``; the session is open then, under a new cookie."""
    waiting = pending(unit)
    if waiting.next_step is not NextStep.SET_UP:
        raise Conflict("A second factor is set up already. Give its code.", code="second_factor_exists")
    codes = _confirm(unit, waiting.user_id, code)
    return complete(unit, second_factor_at=unit.now), codes


def remove(unit: Unit) -> None:
    """No code is asked for any more. Conflict while a workspace of theirs asks for a second factor."""
    user_id = _own(unit)
    unit.require_fresh()
    if _is_required(unit, user_id):
        raise Conflict(
            "A workspace of yours asks everybody for a second factor. It can be replaced, not removed.",
            code="second_factor_required",
        )
    unit.session.exec(delete(RecoveryCode).where(col(RecoveryCode.user_id) == user_id))
    unit.session.exec(delete(SecondFactor).where(col(SecondFactor.user_id) == user_id))
    unit.record("second_factor.removed", f"user:{user_id}")


def new_recovery_codes(unit: Unit) -> tuple[str, ...]:
    """Ten new ones, to be shown once; those from before are void."""
    user_id = _own(unit)
    unit.require_fresh()
    factor = unit.session.get(SecondFactor, user_id)
    if factor is None or factor.confirmed_at is None:
        raise Conflict("Set up the second factor first.", code="second_factor_missing")
    unit.record("recovery_codes.renewed", f"user:{user_id}")
    return _renew_codes(unit, user_id)


def _own(unit: Unit) -> str:
    unit.require("workspace.view")
    if unit.actor.user_id is None or unit.identity.session_hash is None:
        raise NotSignedIn("A second factor belongs to a person; sign in to the console.")
    return unit.actor.user_id


def _begin(unit: Unit, user_id: str) -> Enrolment:
    user = unit.session.get_one(User, user_id)
    factor = unit.session.get(SecondFactor, user_id, with_for_update=True)
    secret = pyotp.random_base32()
    sealed = seal_secret(unit, secret, user_id=user_id)
    if factor is None:
        factor = SecondFactor(user_id=user_id, sealed=sealed, created_at=unit.now)
    elif factor.confirmed_at is not None:
        raise Conflict("A second factor is set up already. Remove it first.", code="second_factor_exists")
    factor.sealed, factor.created_at = sealed, unit.now
    unit.session.add(factor)
    return _enrolment(secret, user.email)


def _enrolment(secret: str, email: str) -> Enrolment:
    address = pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=ISSUER)
    return Enrolment(secret, segno.make(address, error="m").svg_data_uri(scale=4, border=2, light="#fff"))


def _confirm(unit: Unit, user_id: str, code: str) -> tuple[str, ...]:
    factor = unit.session.get(SecondFactor, user_id, with_for_update=True, populate_existing=True)
    if factor is None or factor.confirmed_at is not None:
        raise Conflict("Begin with setting up the second factor.", code="second_factor_missing")
    if not take_step(unit, factor, "".join(code.split())):
        raise Impossible(
            "That code is not right. Take the newest one of the app, and check the clock of your phone.",
            code="wrong_code",
        )
    factor.confirmed_at = unit.now
    unit.session.add(factor)
    unit.record("second_factor.set_up", f"user:{user_id}", by=user_id)
    return _renew_codes(unit, user_id)


def _renew_codes(unit: Unit, user_id: str) -> tuple[str, ...]:
    unit.session.exec(delete(RecoveryCode).where(col(RecoveryCode.user_id) == user_id))
    codes = []
    for _ in range(RECOVERY_CODES):
        code = "".join(secrets.choice(_LETTERS) for _ in range(10))
        unit.session.add(RecoveryCode(code_hash=hash_recovery_code(user_id, code), user_id=user_id))
        codes.append(f"{code[:5]}-{code[5:]}")
    return tuple(codes)


def _is_required(unit: Unit, user_id: str) -> bool:
    statement = (
        select(Workspace.id)
        .join(Member, col(Member.workspace_id) == col(Workspace.id))
        .where(
            col(Member.user_id) == user_id,
            col(Member.status) == MemberStatus.ACTIVE,
            col(Workspace.require_second_factor),
        )
    )
    return unit.session.exec(statement.limit(1)).first() is not None
