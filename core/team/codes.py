"""Codes of an authenticator (TOTP) and recovery codes: each is good once."""

import hmac
import re

import pyotp
from sqlmodel import col, select

from core.team.names import hash_key
from core.unit import Unit
from data.people import RecoveryCode, SecondFactor

STEP_S = 30
# A clock may be one step off, either way.
_TOLERANCE = (-1, 0, 1)


def take_code(unit: Unit, user_id: str, code: str) -> bool:
    """Whether the code is right now. A code that was taken is never taken again, by whoever asks at once."""
    factor = unit.session.get(SecondFactor, user_id, with_for_update=True, populate_existing=True)
    if factor is None or factor.confirmed_at is None:
        return False
    written = re.sub(r"[\s-]", "", code).lower()
    if written.isascii() and written.isdigit() and len(written) == 6:
        return take_step(unit, factor, written)
    return _take_recovery_code(unit, user_id, written)


def take_step(unit: Unit, factor: SecondFactor, digits: str) -> bool:
    """Whether the digits are those of this moment, or of the step before or after it, and newer than the
    last ones taken."""
    generator = pyotp.TOTP(open_secret(unit, factor), interval=STEP_S)
    present = int(unit.now.timestamp()) // STEP_S
    for step in (present + off for off in _TOLERANCE):
        is_new = factor.last_step is None or step > factor.last_step
        if is_new and hmac.compare_digest(generator.generate_otp(step), digits):
            factor.last_step = step
            unit.session.add(factor)
            return True
    return False


def seal_secret(unit: Unit, secret: str, *, user_id: str) -> bytes:
    return unit.vault.seal(secret, workspace_id="", field=_field(user_id))


def open_secret(unit: Unit, factor: SecondFactor) -> str:
    return unit.vault.open(factor.sealed, workspace_id="", field=_field(factor.user_id))


def hash_recovery_code(user_id: str, code: str) -> str:
    return hash_key(f"{user_id}:{code}")


def _field(user_id: str) -> str:
    """The person is inside the sealed text: a secret copied to another's row does not open there."""
    return f"second_factor:{user_id}"


def _take_recovery_code(unit: Unit, user_id: str, code: str) -> bool:
    statement = select(RecoveryCode).where(
        col(RecoveryCode.code_hash) == hash_recovery_code(user_id, code), col(RecoveryCode.used_at).is_(None)
    )
    row = unit.session.exec(statement.with_for_update()).first()
    if row is None:
        return False
    row.used_at = unit.now
    unit.session.add(row)
    unit.record("recovery_code.used", f"user:{user_id}", by=user_id)
    return True
