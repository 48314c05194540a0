"""Owners, sign-in and sign-out, API keys."""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import available_timezones

from sqlmodel import col, func, select

from core.errors import Conflict, Impossible, NotSignedIn, TooMany
from core.runtime import Runtime
from core.team.passwords import MAX_LENGTH, is_password
from core.unit import Identity, Unit, is_live
from data.enums import MemberStatus, PlanName, Role
from data.people import ApiKey, BrowserSession, Member, SignInFailure, User, Workspace

COMMAND = Identity(process="command")
KEY_PREFIX = "wp_"
FAILURES_ALLOWED = 5
FAILURES_PER_ADDRESS = 30
THROTTLE = timedelta(minutes=15)
SEEN_EVERY = timedelta(seconds=60)
NAME_MAX = 200
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]+\.[^@\s.]{2,}")


@dataclass(frozen=True, slots=True)
class SignedIn:
    """``token`` goes into the cookie and nowhere else."""

    token: str
    user_id: str


def create_owner(
    unit: Unit,
    *,
    workspace_name: str,
    email: str,
    password_hash: str,
    plan: PlanName = PlanName.STARTER,
    timezone: str = "UTC",
    is_demo: bool = False,
    name: str | None = None,
) -> Workspace:
    """A new workspace with its first owner; the first owner of all is platform admin too.

    A person who is known already keeps their password. Conflict when the workspace exists.
    """
    slug = slug_of(workspace_name)
    address = normal_email(email)
    if timezone not in available_timezones():
        raise Impossible(
            f"“{timezone}” is no time zone. Use an IANA name such as Europe/Berlin.", code="timezone"
        )
    if unit.session.exec(select(Workspace.id).where(col(Workspace.slug) == slug)).first() is not None:
        raise Conflict(f"The workspace “{slug}” exists already.", code="workspace_exists")
    workspace = Workspace(
        id=unit.new_id("ws"),
        slug=slug,
        name=workspace_name.strip(),
        timezone=timezone,
        plan=plan,
        is_demo=is_demo,
        created_at=unit.now,
    )
    user = unit.session.exec(select(User).where(col(User.email) == address)).first()
    if user is None:
        first = unit.session.exec(select(func.count()).select_from(User)).one() == 0
        user = User(
            id=unit.new_id("usr"),
            email=address,
            name=name or address.split("@")[0],
            password_hash=password_hash,
            is_platform_admin=first,
            created_at=unit.now,
        )
    unit.session.add(workspace)
    unit.session.add(user)
    unit.session.flush()
    unit.session.add(
        Member(
            id=unit.new_id("mem"),
            workspace_id=workspace.id,
            user_id=user.id,
            role=Role.OWNER,
            status=MemberStatus.ACTIVE,
            joined_at=unit.now,
        )
    )
    unit.record(
        "workspace.created",
        f"workspace:{slug}",
        after={"name": workspace.name, "plan": plan.value, "timezone": timezone, "owner": address},
        workspace_id=workspace.id,
    )
    return workspace


def sign_in(runtime: Runtime, identity: Identity, *, email: str, password: str, agent: str) -> SignedIn:
    """A fresh session. The answer, and its time, are the same for a wrong password and an unknown address.

    Too many failures of one address or from one place: TooMany, whoever is asked for.
    """
    address = email.strip().lower()[:320]
    email_hash = hashlib.sha256(address.encode()).hexdigest()
    with runtime.unit(identity) as unit:
        _refuse_throttled(unit, email_hash, identity.address or "")
        user = unit.session.exec(select(User).where(col(User.email) == address)).first()
    is_right = is_password(password[:MAX_LENGTH], user.password_hash if user else None)
    with runtime.unit(identity, write=True) as unit:
        member = _membership(unit, user.id) if user and is_right else None
        if user is not None and member is not None:
            signed_in = _open_session(unit, user, member, agent=agent)
            _refuse_throttled(unit, email_hash, identity.address or "")
            return signed_in
        workspace_id = None if user is None else getattr(_membership(unit, user.id), "workspace_id", None)
        unit.record("sign_in.refused", f"email:{email_hash[:16]}", workspace_id=workspace_id)
        # Asked again: guesses that came at once all passed above. The entry made them queue, so here they
        # see each other.
        _refuse_throttled(unit, email_hash, identity.address or "")
        unit.session.add(
            SignInFailure(
                id=unit.new_id("sif"), email_hash=email_hash, address=identity.address or "", at=unit.now
            )
        )
    raise NotSignedIn("The e-mail address or the password is not right.", code="wrong_sign_in")


def sign_out(unit: Unit) -> None:
    """The session of this browser is over, on all of its pages."""
    browser = unit.session.get(BrowserSession, unit.identity.session_hash)
    if browser is None or browser.ended_at is not None:
        return
    browser.ended_at = unit.now
    unit.session.add(browser)
    unit.record("sign_out", f"user:{browser.user_id}", workspace_id=browser.workspace_id)


def stay_signed_in(unit: Unit) -> None:
    """The browser was seen now: its idle time starts again. Written at most once a minute."""
    browser = unit.session.get(BrowserSession, unit.identity.session_hash)
    if browser is not None and is_live(browser, now=unit.now, settings=unit.settings):
        browser.last_seen_at = unit.now
        unit.session.add(browser)


def create_api_key(
    unit: Unit, *, workspace: Workspace | None, role: Role | None, name: str
) -> tuple[ApiKey, str]:
    """The new key's row, and the key itself: to be shown once. Without a workspace it is a platform key."""
    if not name.strip() or len(name) > NAME_MAX:
        raise Impossible(f"A key needs a name of 1 to {NAME_MAX} characters.", code="key_name")
    secret = KEY_PREFIX + secrets.token_urlsafe(32)
    key = ApiKey(
        id=unit.new_id("key"),
        workspace_id=workspace.id if workspace else None,
        name=name.strip(),
        role=role,
        key_hash=hash_key(secret),
        created_by=unit.actor.user_id,
        created_at=unit.now,
    )
    unit.session.add(key)
    unit.record(
        "api_key.created",
        f"api_key:{key.id}",
        after={"name": key.name, "role": role.value if role else "platform"},
        workspace_id=key.workspace_id,
    )
    return key, secret


def workspace_by_slug(unit: Unit, slug: str) -> Workspace:
    workspace = unit.session.exec(select(Workspace).where(col(Workspace.slug) == slug)).first()
    if workspace is None:
        raise Impossible(f"There is no workspace “{slug}”.", code="workspace_unknown")
    return workspace


def slug_of(name: str) -> str:
    """The name in lower case, runs of other characters as one dash. *Nordlicht & Söhne → nordlicht-söhne*."""
    slug = re.sub(r"[^\w]+|_+", "-", name.strip().lower()).strip("-")
    if not slug or len(name) > NAME_MAX:
        raise Impossible(f"A workspace needs a name of 1 to {NAME_MAX} characters.", code="workspace_name")
    return slug


def normal_email(email: str) -> str:
    address = email.strip().lower()
    if len(address) > 320 or not _EMAIL.fullmatch(address):
        raise Impossible(f"“{email[:80]}” is not an e-mail address.", code="email")
    return address


def hash_key(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _open_session(unit: Unit, user: User, member: Member, *, agent: str) -> SignedIn:
    token = secrets.token_urlsafe(32)
    unit.session.add(
        BrowserSession(
            token_hash=hash_key(token),
            user_id=user.id,
            workspace_id=member.workspace_id,
            created_at=unit.now,
            last_seen_at=unit.now,
            address=unit.identity.address or "",
            agent=agent[:300],
        )
    )
    member.last_seen_at = unit.now
    unit.session.add(member)
    unit.record("sign_in", f"user:{user.id}", workspace_id=member.workspace_id)
    return SignedIn(token=token, user_id=user.id)


def _membership(unit: Unit, user_id: str) -> Member | None:
    """Where the person was last seen, of the workspaces they belong to."""
    statement = (
        select(Member)
        .where(col(Member.user_id) == user_id, col(Member.status) == MemberStatus.ACTIVE)
        .order_by(col(Member.last_seen_at).desc().nulls_last(), col(Member.joined_at))
    )
    return unit.session.exec(statement).first()


def _refuse_throttled(unit: Unit, email_hash: str, address: str) -> None:
    since = unit.now - THROTTLE
    recent = select(func.count()).select_from(SignInFailure).where(col(SignInFailure.at) > since)
    for_email = unit.session.exec(recent.where(col(SignInFailure.email_hash) == email_hash)).one()
    from_here = unit.session.exec(recent.where(col(SignInFailure.address) == address)).one()
    if for_email >= FAILURES_ALLOWED or from_here >= FAILURES_PER_ADDRESS:
        raise TooMany(
            "Too many failed sign-ins. Wait a quarter of an hour, then try again.",
            code="sign_in_throttled",
            retry_after_s=int(THROTTLE.total_seconds()),
        )
