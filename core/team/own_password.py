"""A person's own password: giving it again, changing it, and choosing a new one when it is forgotten."""

from datetime import timedelta

from sqlmodel import col, select, update

from core.errors import Gone, NotFound, NotSignedIn
from core.mail.commands import send_mail
from core.runtime import Runtime
from core.team.codes import take_code
from core.team.names import hash_key, new_secret
from core.team.passwords import MAX_LENGTH, hash_password, is_password
from core.team.people import user_by_email
from core.team.sessions import end_sessions_of, own_browser
from core.team.throttle import count_failure, refuse_throttled
from core.unit import Identity, Unit
from data.people import PasswordReset, User

RESET_FOR = timedelta(hours=1)
# Mails to one person; whoever asks for more is answered as before.
RESETS_AN_HOUR = 3
WRONG = "That is not right. Give your password, or a code of your authenticator."


def confirm(runtime: Runtime, identity: Identity, *, proof: str) -> None:
    """The person of this browser has just proved who they are, with their password or a code: what is
    dangerous goes through for ten minutes. Wrong proofs count as failed sign-ins."""
    with runtime.unit(identity) as unit:
        browser = own_browser(unit)
        user = unit.session.get_one(User, browser.user_id)
        refuse_throttled(unit, user.email)
    is_right = is_password(proof[:MAX_LENGTH], user.password_hash)
    with runtime.unit(identity, write=True) as unit:
        browser = own_browser(unit)
        if is_right or take_code(unit, user.id, proof):
            browser.confirmed_at = unit.now
            unit.session.add(browser)
            unit.record("session.confirmed", f"user:{user.id}")
            return
        count_failure(unit, user.email, action="confirm.refused", workspace_id=unit.actor.workspace_id)
    raise NotSignedIn(WRONG, code="wrong_proof")


def change_password(runtime: Runtime, identity: Identity, *, present: str, new: str) -> None:
    """The new password counts, and every other browser of theirs is signed out."""
    with runtime.unit(identity) as unit:
        user = unit.session.get_one(User, own_browser(unit).user_id)
        refuse_throttled(unit, user.email)
    if not is_password(present[:MAX_LENGTH], user.password_hash):
        with runtime.unit(identity, write=True) as unit:
            count_failure(unit, user.email, action="confirm.refused", workspace_id=unit.actor.workspace_id)
        raise NotSignedIn("Your present password is not right.", code="wrong_proof")
    hashed = hash_password(new, about=(user.email, user.name))
    with runtime.unit(identity, write=True) as unit:
        browser = own_browser(unit)
        _set(unit, unit.session.get_one(User, user.id), hashed, but=browser.token_hash)
        browser.confirmed_at = unit.now
        unit.session.add(browser)


def ask_reset(unit: Unit, *, email: str) -> None:
    """A link to choose a new password goes to that address, if someone with it is known. Nothing that is
    answered, and nothing it takes, tells whether."""
    user = user_by_email(unit, email.strip().lower()[:320])
    if user is None or not user.password_hash:
        return
    recent = select(PasswordReset.token_hash).where(
        col(PasswordReset.user_id) == user.id, col(PasswordReset.created_at) > unit.now - RESET_FOR
    )
    if len(unit.session.exec(recent.limit(RESETS_AN_HOUR)).all()) >= RESETS_AN_HOUR:
        return
    secret = new_secret()
    unit.session.add(
        PasswordReset(
            token_hash=hash_key(secret),
            user_id=user.id,
            created_at=unit.now,
            expires_at=unit.now + RESET_FOR,
        )
    )
    unit.record("password.reset_asked", f"user:{user.id}")
    send_mail(
        unit,
        to=user.email,
        subject="Choose a new password for Waypost",
        text=(
            "Someone, we hope you, asked for a new password. Open this link to choose one:\n\n"
            f"{unit.settings.public_url}/reset/{secret}\n\n"
            "It is good once, for one hour. If it was not you, do nothing: your password stays as it is.\n"
        ),
        kind="password_reset",
    )


def look_reset(unit: Unit, token: str) -> str:
    """The address whose password the link changes. NotFound, or Gone when it is used up."""
    return _open(unit, token)[1].email


def reset_password(runtime: Runtime, identity: Identity, *, token: str, new: str) -> None:
    """The new password counts; the person is signed out everywhere, and every such link is used up."""
    with runtime.unit(identity) as unit:
        _, user = _open(unit, token)
    hashed = hash_password(new, about=(user.email, user.name))
    with runtime.unit(identity, write=True) as unit:
        _, user = _open(unit, token, lock=True)
        _set(unit, user, hashed)


def _set(unit: Unit, user: User, hashed: str, *, but: str | None = None) -> None:
    user.password_hash = hashed
    unit.session.add(user)
    unit.session.exec(
        update(PasswordReset)
        .where(col(PasswordReset.user_id) == user.id, col(PasswordReset.used_at).is_(None))
        .values(used_at=unit.now)
    )
    ended = end_sessions_of(unit, user.id, but=but)
    unit.record("password.changed", f"user:{user.id}", after={"sessions_ended": ended}, by=user.id)


def _open(unit: Unit, token: str, *, lock: bool = False) -> tuple[PasswordReset, User]:
    statement = (
        select(PasswordReset, User)
        .join(User, col(User.id) == col(PasswordReset.user_id))
        .where(col(PasswordReset.token_hash) == hash_key(token))
    )
    found = unit.session.exec(statement.with_for_update() if lock else statement).first()
    if found is None:
        raise NotFound("There is no such link. Check that it is whole, or ask for another.")
    reset, user = found
    if reset.used_at is not None:
        raise Gone("This link was used already. Ask for another.", code="reset_used")
    if reset.expires_at <= unit.now:
        raise Gone("This link is more than an hour old. Ask for another.", code="reset_expired")
    return reset, user
