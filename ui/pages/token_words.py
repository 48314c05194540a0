"""What the tokens page says of each token, in words."""

from collections.abc import Sequence
from datetime import datetime

from core.tokens.queries import TokenView
from core.tokens.rules import TokenState
from ui.format import number, plural, relative
from ui.parts.badge import Tone, Word

STATES: dict[TokenState, Word] = {
    TokenState.VALID: ("Works", "green"),
    TokenState.EXPIRING: ("Expires soon", "amber"),
    TokenState.REFRESHING: ("Being renewed", "blue"),
    TokenState.FAILING: ("Renewal fails", "red"),
    TokenState.INVALID: ("Not accepted", "red"),
}
KINDS = {"SYSTEM_USER": "System user", "USER": "User", "PAGE": "Page", "APP": "App"}


LACKS: Word = ("Lacks scopes", "amber")


def state(token: TokenView) -> Word:
    """One that lives and may not do what is needed is not well."""
    if token.state is TokenState.VALID and token.missing_scopes:
        return LACKS
    return STATES[token.state]


def time_tone(token: TokenView) -> Tone:
    """The colour of its time left: as its state is, where the time is what is wrong."""
    tone = STATES[token.state][1]
    return tone if tone in ("amber", "red") else "green"


def kind(token: TokenView) -> str:
    if token.kind is None:
        return "Not known yet"
    return KINDS.get(token.kind, token.kind.replace("_", " ").capitalize())


def ends(token: TokenView, now: datetime) -> str:
    if token.expires_at is not None:
        return f"{'expires' if token.expires_at > now else 'expired'} {relative(token.expires_at, now)}"
    return "never expires" if token.never_expires else "end not known yet"


def scopes(token: TokenView) -> str:
    if token.scopes is None:
        return "Not known yet"
    return short_scopes(token.scopes) or "None"


def short_scopes(scopes: Sequence[str]) -> str:
    """*whatsapp_business_messaging → messaging*."""
    return ", ".join(scope.removeprefix("whatsapp_business_") for scope in scopes)


def phones(token: TokenView) -> str:
    """The first three by name, and how many more."""
    names = [phone.name or phone.display_number for phone in token.phones]
    more = len(names) - 3
    return (", ".join(names[:3]) + (f" and {number(more)} more" if more > 0 else "")) or "No number yet"


def attempts(token: TokenView) -> str:
    if token.attempts == 0:
        return "None failed"
    if token.attempts <= token.attempts_in_all:
        return f"{token.attempts} of {token.attempts_in_all} failed"
    return f"{number(token.attempts)} failed"


def what_to_do(token: TokenView, now: datetime) -> str:
    """What happens next, or what a person has to do."""
    match token.state:
        case TokenState.INVALID:
            return "Put in a new token from Meta with Replace. Nothing is sent until then."
        case TokenState.FAILING:
            return "Put in a new token from Meta with Replace, before this one expires."
        case TokenState.REFRESHING if token.next_attempt_at is not None and token.attempts:
            return f"Attempt {token.attempts + 1} comes {relative(token.next_attempt_at, now)}."
        case TokenState.REFRESHING:
            return "A new one is being fetched. This one works until it is proven."
        case TokenState.EXPIRING:
            return "It is exchanged at the next look. Nothing to do."
    if token.inspected_at is None:
        return "It is looked at within a few hours, and then more is known. Nothing to do."
    if token.missing_scopes:
        return f"It lacks {' and '.join(token.missing_scopes)}. Make one at Meta that has it, and Replace."
    return (
        "Nothing to do: it is exchanged 15 days before it expires." if token.expires_at else "Nothing to do."
    )


def waits(token: TokenView, now: datetime) -> str:
    """What its trouble keeps waiting, or what its renewal let go."""
    if token.held:
        return f"{plural(token.held, 'message')} {'waits' if token.held == 1 else 'wait'} for it."
    if token.let_go and token.state is TokenState.VALID:
        since = token.refreshed_at or token.replaced_at
        was = "was" if token.let_go == 1 else "were"
        return f"Token renewed {relative(since, now)}: {plural(token.let_go, 'message')} {was} released."
    return ""
