"""Failed proofs of who someone is, counted for an address and for the place they came from."""

import hashlib
from datetime import timedelta

from sqlmodel import col, func, select

from core.errors import TooMany
from core.unit import Unit
from data.people import SignInFailure

FAILURES_ALLOWED = 5
FAILURES_PER_ADDRESS = 30
THROTTLE = timedelta(minutes=15)


def refuse_throttled(unit: Unit, email: str) -> None:
    """TooMany after five failures for the address, or thirty from this place, within a quarter of an hour;
    whoever is asked for, known or not."""
    since = unit.now - THROTTLE
    recent = select(func.count()).select_from(SignInFailure).where(col(SignInFailure.at) > since)
    for_email = unit.session.exec(recent.where(col(SignInFailure.email_hash) == _hashed(email))).one()
    place = unit.identity.address or ""
    from_here = unit.session.exec(recent.where(col(SignInFailure.address) == place)).one()
    if for_email >= FAILURES_ALLOWED or from_here >= FAILURES_PER_ADDRESS:
        raise TooMany(
            "Too many failed sign-ins. Wait a quarter of an hour, then try again.",
            code="sign_in_throttled",
            retry_after_s=int(THROTTLE.total_seconds()),
        )


def count_failure(unit: Unit, email: str, *, action: str, workspace_id: str | None) -> None:
    """One failure more, with its audit entry. TooMany when it was one too many: guesses that came at once all
    passed the first check; the entry makes them queue, so here they see each other."""
    unit.record(action, f"email:{_hashed(email)[:16]}", workspace_id=workspace_id)
    refuse_throttled(unit, email)
    place = unit.identity.address or ""
    unit.session.add(
        SignInFailure(id=unit.new_id("sif"), email_hash=_hashed(email), address=place, at=unit.now)
    )


def _hashed(email: str) -> str:
    return hashlib.sha256(email.encode()).hexdigest()
