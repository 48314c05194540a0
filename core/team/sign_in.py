"""Signing in: a password, then a code where one is asked for; and signing out."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlmodel import col, select

from core.errors import NotSignedIn
from core.runtime import Runtime
from core.team.codes import take_code
from core.team.names import hash_key, new_secret
from core.team.passwords import MAX_LENGTH, is_password
from core.team.people import user_by_email
from core.team.throttle import count_failure, refuse_throttled
from core.unit import Identity, Unit
from data.enums import MemberStatus
from data.people import BrowserSession, Member, SecondFactor, User, Workspace

# How long the second step may take.
PENDING_FOR = timedelta(minutes=10)


class NextStep(StrEnum):
    """What is asked for after the password: nothing, a code, or setting up an authenticator first."""

    NONE = "none"
    CODE = "code"
    SET_UP = "set_up"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """``token`` goes into the cookie and nowhere else. Until ``next_step`` is taken it opens nothing."""

    token: str
    user_id: str
    next_step: NextStep = NextStep.NONE


@dataclass(frozen=True, slots=True)
class Pending:
    """A session whose password was right, waiting for its second step."""

    email: str
    user_id: str
    next_step: NextStep


def sign_in(runtime: Runtime, identity: Identity, *, email: str, password: str, agent: str) -> SignedIn:
    """A fresh session. The answer, and its time, are the same for a wrong password and an unknown address.

    Too many failures of one address or from one place: TooMany, whoever is asked for.
    """
    address = email.strip().lower()[:320]
    with runtime.unit(identity) as unit:
        refuse_throttled(unit, address)
        user = user_by_email(unit, address)
    is_right = is_password(password[:MAX_LENGTH], user.password_hash if user else None)
    with runtime.unit(identity, write=True) as unit:
        member = _membership(unit, user.id) if user and is_right else None
        if user is not None and member is not None:
            step = _next_step(unit, user.id, member.workspace_id)
            signed_in = _open_session(unit, user, member, agent=agent, step=step)
            refuse_throttled(unit, address)
            return signed_in
        workspace_id = None if user is None else getattr(_membership(unit, user.id), "workspace_id", None)
        count_failure(unit, address, action="sign_in.refused", workspace_id=workspace_id)
    raise NotSignedIn("The e-mail address or the password is not right.", code="wrong_sign_in")


def pending(unit: Unit) -> Pending:
    """What the session of this browser waits for. NotSignedIn when it waits for nothing, or no longer."""
    browser, user, _ = _pending(unit)
    return Pending(user.email, user.id, _next_step(unit, user.id, browser.workspace_id))


def give_code(runtime: Runtime, identity: Identity, *, code: str) -> SignedIn:
    """The session is open, under a new cookie: the code of the authenticator, or a recovery code, was
    right."""
    with runtime.unit(identity, write=True) as unit:
        browser, user, _ = _pending(unit)
        refuse_throttled(unit, user.email)
        if take_code(unit, user.id, code):
            return complete(unit, second_factor_at=unit.now)
        count_failure(unit, user.email, action="sign_in.refused", workspace_id=browser.workspace_id)
    raise NotSignedIn("That code is not right, or was used already.", code="wrong_code")


def complete(unit: Unit, *, second_factor_at: datetime) -> SignedIn:
    """The pending session makes way for one that is open, so that nobody who saw its cookie has this one."""
    browser, user, member = _pending(unit)
    browser.ended_at = unit.now
    unit.session.add(browser)
    return _open_session(
        unit, user, member, agent=browser.agent, step=NextStep.NONE, second_factor_at=second_factor_at
    )


def sign_out(unit: Unit) -> None:
    """The session of this browser is over, on all of its pages."""
    browser = unit.session.get(BrowserSession, unit.identity.session_hash)
    if browser is None or browser.ended_at is not None:
        return
    browser.ended_at = unit.now
    unit.session.add(browser)
    unit.record("sign_out", f"user:{browser.user_id}", workspace_id=browser.workspace_id, by=browser.user_id)


def _pending(unit: Unit) -> tuple[BrowserSession, User, Member]:
    statement = (
        select(BrowserSession, User, Member)
        .join(User, col(User.id) == col(BrowserSession.user_id))
        .join(
            Member,
            (col(Member.user_id) == col(User.id))
            & (col(Member.workspace_id) == col(BrowserSession.workspace_id)),
        )
        .where(
            col(BrowserSession.token_hash) == unit.identity.session_hash,
            col(BrowserSession.is_pending),
            col(BrowserSession.ended_at).is_(None),
            col(BrowserSession.created_at) > unit.now - PENDING_FOR,
            col(Member.status) == MemberStatus.ACTIVE,
        )
    )
    found = unit.session.exec(statement).first()
    if found is None:
        raise NotSignedIn("Sign in again: this took too long.", code="sign_in_again")
    return found


def _next_step(unit: Unit, user_id: str, workspace_id: str) -> NextStep:
    factor = unit.session.get(SecondFactor, user_id)
    if factor is not None and factor.confirmed_at is not None:
        return NextStep.CODE
    is_required = unit.session.get_one(Workspace, workspace_id).require_second_factor
    return NextStep.SET_UP if is_required else NextStep.NONE


def _open_session(
    unit: Unit,
    user: User,
    member: Member,
    *,
    agent: str,
    step: NextStep,
    second_factor_at: datetime | None = None,
) -> SignedIn:
    token = new_secret()
    is_pending = step is not NextStep.NONE
    unit.session.add(
        BrowserSession(
            token_hash=hash_key(token),
            user_id=user.id,
            workspace_id=member.workspace_id,
            created_at=unit.now,
            last_seen_at=unit.now,
            address=unit.identity.address or "",
            agent=agent[:300],
            is_pending=is_pending,
            second_factor_at=second_factor_at,
            confirmed_at=None if is_pending else unit.now,
        )
    )
    action = "sign_in.password_right" if is_pending else "sign_in"
    if not is_pending:
        member.last_seen_at = unit.now
        unit.session.add(member)
    unit.record(action, f"user:{user.id}", workspace_id=member.workspace_id, by=user.id)
    return SignedIn(token=token, user_id=user.id, next_step=step)


def _membership(unit: Unit, user_id: str) -> Member | None:
    """Where the person was last seen, of the workspaces they belong to."""
    statement = (
        select(Member)
        .where(col(Member.user_id) == user_id, col(Member.status) == MemberStatus.ACTIVE)
        .order_by(col(Member.last_seen_at).desc().nulls_last(), col(Member.joined_at))
    )
    return unit.session.exec(statement).first()
