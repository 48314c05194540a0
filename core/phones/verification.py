"""Business verification in plain words: where it stands, what it blocks, what to do next."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Standing = Literal["good", "waiting", "open", "bad", "unknown"]

_FIRST_STEP = (
    "Up to 250 different people a day can be written to first; replies to customers are not counted. "
    "The account may hold 250 templates."
)
_FULL = "Nothing. Limits rise by themselves with use and good quality."


@dataclass(frozen=True, slots=True)
class Verification:
    """``blocks``: what cannot be had in this state. ``next_step``: what a person should do."""

    title: str
    standing: Standing
    blocks: str
    next_step: str


_STATES: Mapping[str, Verification] = MappingProxyType(
    {
        "verified": Verification("Verified", "good", _FULL, "Nothing to do."),
        "not_verified": Verification(
            "Not verified",
            "open",
            _FIRST_STEP,
            "Start verification in Meta's Business Settings, under Security Centre. Have a document at hand "
            "that shows the company's legal name and address.",
        ),
        "pending": Verification(
            "Under review", "waiting", _FIRST_STEP, "Wait: Meta usually answers within a few days."
        ),
        "pending_need_more_info": Verification(
            "Meta needs more information",
            "open",
            _FIRST_STEP,
            "Open Security Centre in Meta's Business Settings and answer what is asked there.",
        ),
        "pending_submission": Verification(
            "Begun, not sent in",
            "open",
            _FIRST_STEP,
            "Finish the form in Security Centre of Meta's Business Settings and send it in.",
        ),
        "rejected": Verification(
            "Rejected",
            "bad",
            _FIRST_STEP,
            "Read the reason in Security Centre of Meta's Business Settings, correct name or documents, and "
            "send it in again.",
        ),
        "failed": Verification(
            "Failed",
            "bad",
            _FIRST_STEP,
            "Check that name, address and phone number agree with the documents, and start again in Security "
            "Centre of Meta's Business Settings.",
        ),
        "expired": Verification(
            "Expired",
            "bad",
            _FIRST_STEP,
            "Verify the business again in Security Centre of Meta's Business Settings.",
        ),
        "revoked": Verification(
            "Withdrawn",
            "bad",
            _FIRST_STEP,
            "Ask Meta's Business Support why, and verify the business again.",
        ),
        "ineligible": Verification(
            "Not eligible",
            "bad",
            _FIRST_STEP,
            "Ask Meta's Business Support. Limits also rise by 2,000 delivered templates in 30 days at high "
            "quality.",
        ),
    }
)


def explain(state: str | None) -> Verification:
    """What the state means. A word that we do not know is shown as it came."""
    if state is None:
        return Verification(
            "Not known",
            "unknown",
            "Meta has not said.",
            "Read it from Meta again. Some tokens may not read the business.",
        )
    known = _STATES.get(state)
    if known is not None:
        return known
    return Verification(
        state.replace("_", " ").capitalize(),
        "unknown",
        "This word of Meta's is not known here.",
        "See Security Centre in Meta's Business Settings.",
    )
