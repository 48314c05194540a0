"""The refusals that a person can be told about.

::

    DomainError                      code             status
    ├── Malformed                    malformed           400   the request cannot be read
    ├── NotSignedIn                  unauthenticated     401   no key, or one that is no longer good
    ├── PlanLimit                    plan_limit_reached  402   the plan's hard cap
    ├── Forbidden                    forbidden           403   names the permission that is missing
    ├── ConfirmRequired              confirm_required    403   may, once their password or code is given again
    ├── NotFound                     not_found           404   not there, or not in this workspace
    ├── Conflict                     (given)             409   the present state does not allow it
    ├── Gone                         (given)             410   was there once, and is used up
    ├── Impossible                   (given)             422   understood, but it cannot be done
    ├── TooMany                      (given)             429   over a limit; says when to come back
    └── Unavailable                  unavailable         503   not now; nothing was lost
"""

from typing import Any


class DomainError(Exception):
    """An expected refusal: a sentence for a person, a code for a script, facts beside them."""

    status = 400
    code = "refused"

    def __init__(self, sentence: str, *, code: str | None = None, **facts: Any) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.code = code or type(self).code
        self.facts = facts


class Malformed(DomainError):
    """Carries ``fields``: a list of {field, message}."""

    status = 400
    code = "malformed"

    @classmethod
    def field(cls, field: str, message: str) -> "Malformed":
        return cls(f"{field}: {message}", fields=[{"field": field, "message": message}])


class NotSignedIn(DomainError):
    status = 401
    code = "unauthenticated"


class PlanLimit(DomainError):
    status = 402
    code = "plan_limit_reached"


class Forbidden(DomainError):
    """Carries ``permission``: the one that is missing."""

    status = 403
    code = "forbidden"


class ConfirmRequired(DomainError):
    """A page asks for the password or a code, confirms, and tries again."""

    status = 403
    code = "confirm_required"


class NotFound(DomainError):
    status = 404
    code = "not_found"

    @classmethod
    def of(cls, what: str) -> "NotFound":
        return cls(f"There is no such {what} in this workspace.")


class Conflict(DomainError):
    status = 409
    code = "conflict"


class Gone(DomainError):
    status = 410
    code = "gone"


class Impossible(DomainError):
    status = 422
    code = "impossible"


class TooMany(DomainError):
    """Carries ``retry_after_s``, at least 1."""

    status = 429
    code = "too_many_requests"


class Unavailable(DomainError):
    status = 503
    code = "unavailable"


class Contended(Unavailable):
    """Another transaction stood in the way of this one: tried again, it may pass."""
