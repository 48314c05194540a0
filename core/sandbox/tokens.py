"""Access tokens: which ones Meta takes, what it says of them, exchange and revocation."""

import secrets
from dataclasses import dataclass, field

from core.sandbox.errors import Json, MetaError

DAY_S = 86_400
LIFE_S = 5_183_944  # Meta's own figure for "60 days"
SCOPES = ("whatsapp_business_management", "whatsapp_business_messaging")

SPECIAL: tuple[tuple[str, str], ...] = (
    ("expired", "refused: expired (190, subcode 463)"),
    ("revoked", "refused: invalidated (190, subcode 467)"),
    ("never", "valid, never expires"),
    ("soon", "valid, expires 5 days after it is first seen"),
    ("stuck", "valid, expires 5 days after it is first seen, and cannot be exchanged (code 2)"),
    ("flaky", "as soon; the first exchange fails (code 2), the next one works"),
    ("hollow", "as soon; what it is exchanged for is refused (190)"),
)
"""Beginnings of a token that give it a fate; every other token that is not empty is valid for 60 days."""


@dataclass(frozen=True, slots=True)
class Issued:
    """Unix seconds; `expires_at` 0 means never."""

    issued_at: int
    expires_at: int


@dataclass(slots=True)
class Tokens:
    known: dict[str, Issued] = field(default_factory=dict)
    revoked: set[str] = field(default_factory=set)
    failed_once: set[str] = field(default_factory=set)

    def require(self, token: str, *, now: int) -> None:
        """Raises Meta's 190 unless this token may be used now."""
        refusal = self.refusal(token, now=now)
        if refusal is not None:
            raise refusal

    def refusal(self, token: str, *, now: int) -> MetaError | None:
        if not token:
            return MetaError(190, title="Invalid OAuth access token - Cannot parse access token")
        if token.startswith("revoked") or token in self.revoked:
            return MetaError(
                190,
                title="Error validating access token: The session has been invalidated because the "
                "user changed their password or the token was revoked.",
                subcode=467,
            )
        expires_at = self.issued(token, now=now).expires_at
        if token.startswith("expired") or 0 < expires_at <= now:
            return MetaError(190, title="Error validating access token: Session has expired.", subcode=463)
        return None

    def issued(self, token: str, *, now: int) -> Issued:
        """When it was made and until when it lasts; a token never seen before is taken as made now."""
        if token not in self.known:
            self.known[token] = _first_seen(token, now=now)
        return self.known[token]

    def exchange(self, token: str, *, now: int) -> Json:
        """A new token of 60 days; the old one stays valid until its own end. Raises 190 for a dead one."""
        self.require(token, now=now)
        if token.startswith("stuck") or (token.startswith("flaky") and token not in self.failed_once):
            self.failed_once.add(token)
            raise MetaError(2)
        fresh = "EAAW" + secrets.token_hex(40)
        if token.startswith("hollow"):
            self.revoked.add(fresh)
        self.known[fresh] = Issued(now, now + LIFE_S)
        return {"access_token": fresh, "token_type": "bearer", "expires_in": LIFE_S}

    def inspect(self, token: str, *, app_id: str, waba_ids: list[str], now: int) -> Json:
        """The `data` of debug_token; a dead token is described, not refused."""
        issued = self.issued(token, now=now)
        refusal = self.refusal(token, now=now)
        inspected: Json = {
            "app_id": app_id,
            "type": "SYSTEM_USER",
            "application": "Waypost sandbox",
            "data_access_expires_at": 0,
            "expires_at": issued.expires_at,
            "is_valid": refusal is None,
            "issued_at": issued.issued_at,
            "scopes": list(SCOPES) if refusal is None else [],
            "granular_scopes": [{"scope": scope, "target_ids": waba_ids} for scope in SCOPES],
            "user_id": "122100300400500",
        }
        if refusal is not None:
            inspected["error"] = {"code": refusal.code, "message": refusal.title, "subcode": refusal.subcode}
        return inspected


def _first_seen(token: str, *, now: int) -> Issued:
    if token.startswith("expired"):
        return Issued(now - 61 * DAY_S, now - DAY_S)
    if token.startswith("never"):
        return Issued(now, 0)
    if token.startswith(("soon", "stuck", "flaky", "hollow")):
        return Issued(now - 55 * DAY_S, now + 5 * DAY_S)
    return Issued(now, now + 60 * DAY_S)
