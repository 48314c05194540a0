"""What Meta says of tokens, as it is read (cloud API: debug_token, oauth/access_token)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# Codes with which Meta refuses a token as such, whatever was asked.
DEAD_TOKEN = frozenset({0, 102, 104, 190})
SECRET_PARAMETERS = frozenset({"input_token", "fb_exchange_token", "client_secret"})
PROBLEM_MAX = 300


@dataclass(frozen=True, slots=True)
class MetaApp:
    """The app in whose name tokens are inspected and exchanged."""

    id: str
    secret: str = field(repr=False)

    @property
    def token(self) -> str:
        return f"{self.id}|{self.secret}"


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """``kind``: USER, PAGE, APP or SYSTEM_USER. ``expires_at_s`` in seconds since 1970; None is never.
    ``scopes`` None: Meta did not say. ``problem``: why it is not valid, in Meta's words."""

    is_valid: bool
    kind: str | None = None
    scopes: tuple[str, ...] | None = None
    expires_at_s: int | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class NewToken:
    """``lives_s`` None: Meta did not say for how long."""

    token: str = field(repr=False)
    lives_s: int | None


def read_token(answer: Mapping[str, Any]) -> TokenFacts | None:
    """The answer of ``debug_token``, in which a dead token is described, not refused. None when it does not
    even say whether the token is valid."""
    described = answer.get("data")
    if not isinstance(described, dict) or not isinstance(described.get("is_valid"), bool):
        return None
    error = described.get("error")
    problem = error.get("message") if isinstance(error, dict) else None
    kind, scopes = described.get("type"), described.get("scopes")
    return TokenFacts(
        is_valid=described["is_valid"],
        kind=kind[:50] if isinstance(kind, str) else None,
        scopes=tuple(sorted(one for one in scopes if isinstance(one, str)))
        if isinstance(scopes, list)
        else None,
        expires_at_s=_positive(described.get("expires_at")),
        problem=str(problem or "Meta says that it is not valid.")[:PROBLEM_MAX],
    )


def refused_token(detail: str) -> TokenFacts:
    """A token that may not even ask about itself."""
    return TokenFacts(is_valid=False, problem=detail[:PROBLEM_MAX] or "Meta refuses it.")


def read_new_token(answer: Mapping[str, Any]) -> NewToken | None:
    """None when the answer holds no token."""
    token = answer.get("access_token")
    if not isinstance(token, str) or not token.strip():
        return None
    return NewToken(token.strip(), _positive(answer.get("expires_in")))


def _positive(value: Any) -> int | None:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and value > 0 else None
