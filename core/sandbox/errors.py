"""Meta's errors: which HTTP status, title and details belong to a code, and the body that carries them."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

Json = dict[str, Any]

HREF = "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/"


@dataclass(frozen=True, slots=True)
class Known:
    """What Meta usually says with one code."""

    http: int
    title: str
    details: str = ""
    transient: bool = False


KNOWN: Mapping[int, Known] = MappingProxyType(
    {
        0: Known(401, "AuthException", "We were unable to authenticate the app user."),
        1: Known(500, "An unknown error occurred", "Invalid request or possible server error."),
        2: Known(
            500, "An unexpected error has occurred. Please retry your request later.", "", transient=True
        ),
        3: Known(
            403,
            "Application does not have the capability to make this API call.",
            "Capability or permissions issue.",
        ),
        4: Known(
            429,
            "Application request limit reached",
            "The app has reached its API call rate limit.",
            transient=True,
        ),
        10: Known(
            403,
            "Application does not have permission for this action",
            "Permission is not granted or was removed.",
        ),
        17: Known(429, "User request limit reached", "The user has reached the API call rate limit."),
        33: Known(400, "Parameter value is not valid", "The business phone number has been deleted."),
        100: Known(
            400, "Invalid parameter", "The request included one or more unsupported or misspelled parameters."
        ),
        104: Known(401, "An access token is required to request this resource."),
        190: Known(401, "Error validating access token: Session has expired."),
        200: Known(403, "Permissions error", "The system user has no access to this asset."),
        368: Known(
            403, "Temporarily blocked for policies violations", "The WhatsApp Business Account is restricted."
        ),
        613: Known(429, "Calls to this api have exceeded the rate limit."),
        803: Known(404, "Some of the aliases you requested do not exist"),
        80007: Known(429, "Rate limit issues", "The WhatsApp Business Account has reached its rate limit."),
        130403: Known(400, "User is blocked", "The business has blocked this user."),
        130429: Known(
            429,
            "Rate limit hit",
            "Message failed to send because there were too many messages sent from this "
            "phone number in a short period of time.",
        ),
        130472: Known(
            400,
            "User's number is part of an experiment",
            "Message was not sent because the user's phone number is part of an experiment.",
        ),
        130497: Known(403, "Business account is restricted from messaging users in this country."),
        131000: Known(
            500, "Something went wrong", "Message failed to send due to an unknown error. Try again later."
        ),
        131005: Known(403, "Access denied", "Permission is either not granted or has been removed."),
        131008: Known(400, "Required parameter is missing", "The request is missing a required parameter."),
        131009: Known(400, "Parameter value is not valid", "One or more parameter values are invalid."),
        131016: Known(500, "Service unavailable", "A service is temporarily unavailable."),
        131021: Known(
            400, "Recipient cannot be sender", "The sender and recipient phone numbers are the same."
        ),
        131026: Known(
            400,
            "Message undeliverable",
            "Unable to deliver message. The recipient phone number is not a "
            "WhatsApp phone number, has not accepted the current terms, or uses an old WhatsApp version.",
        ),
        131030: Known(
            400, "Recipient phone number not in allowed list", "Add the recipient to the allowed list."
        ),
        131031: Known(
            403, "Account has been locked", "The account was restricted or disabled for a policy violation."
        ),
        131037: Known(400, "Display name approval needed", "The 555 number has no approved display name."),
        131042: Known(
            402,
            "Business eligibility payment issue",
            "Message failed to send because there were one or more errors related to your payment method.",
        ),
        131045: Known(
            500, "Incorrect certificate", "Message failed to send due to a phone number registration error."
        ),
        131047: Known(
            400,
            "Re-engagement message",
            "Message failed to send because more than 24 hours have passed since "
            "the customer last replied to this number.",
        ),
        131048: Known(
            429,
            "Spam rate limit hit",
            "Message failed to send because there are restrictions on how many "
            "messages can be sent from this phone number.",
        ),
        131049: Known(
            400,
            "This message was not delivered to maintain healthy ecosystem engagement.",
            "In order to maintain a healthy ecosystem engagement, the message failed to be delivered.",
        ),
        131050: Known(
            400,
            "User has stopped receiving marketing messages",
            "Unable to deliver the message. This recipient "
            "has chosen to stop receiving marketing messages from your business.",
        ),
        131051: Known(400, "Unsupported message type", "Message type is not currently supported."),
        131053: Known(400, "Media upload error", "Unable to upload the media used in the message."),
        131056: Known(
            400,
            "(Business Account, Consumer Account) pair rate limit hit",
            "Too many messages were sent from "
            "this phone number to the same recipient in a short period of time.",
        ),
        131057: Known(500, "Account in maintenance mode", "Business Account is in maintenance mode."),
        132000: Known(400, "Number of parameters does not match the expected number of params"),
        132001: Known(404, "Template name does not exist in the translation"),
        132005: Known(400, "Translated text too long"),
        132007: Known(
            400, "Template content policy violated", "Template content violates a WhatsApp policy."
        ),
        132008: Known(400, "Parameter value is not valid", "A template parameter has an invalid value."),
        132012: Known(400, "Parameter format does not match format in the created template"),
        132015: Known(
            400, "Template is paused", "Template is paused due to low quality so it cannot be sent."
        ),
        132016: Known(
            400, "Template is disabled", "Template has been paused too many times and is now disabled."
        ),
        132018: Known(400, "There is an issue with the parameters in your template"),
        132068: Known(400, "Flow is blocked", "Flow is in blocked state."),
        132069: Known(
            400, "Flow is throttled", "Flow is in throttled state and 10 messages were sent in the last hour."
        ),
        133004: Known(503, "Server Temporarily Unavailable", "Server is temporarily unavailable."),
        133010: Known(
            400, "Phone number Not Registered", "The phone number is not registered on the Cloud API."
        ),
        133015: Known(
            400, "Please wait a few minutes before registering this phone number", "It was deleted recently."
        ),
        137000: Known(
            400, "Recipient identity key hash mismatch", "The recipient's identity hash has changed."
        ),
    }
)

NO_PREFIX = frozenset({0, 1, 2, 101, 104, 190, 2500})
THROTTLED = frozenset({4, 17, 613, 80007, 80008, 80012})


class MetaError(Exception):
    """A refusal as Meta words it: a code, its HTTP status and the sentence in `details`."""

    def __init__(
        self,
        code: int,
        *,
        title: str | None = None,
        details: str | None = None,
        http: int | None = None,
        subcode: int | None = None,
        kind: str = "OAuthException",
        user_title: str | None = None,
        user_msg: str | None = None,
    ) -> None:
        known = KNOWN.get(code, Known(400, "Unknown error"))
        self.code = code
        self.http = http or known.http
        self.title = title or known.title
        self.details = known.details if details is None else details
        self.transient = known.transient
        self.subcode = subcode
        self.kind = kind
        self.user_title = user_title
        self.user_msg = user_msg
        super().__init__(f"{code}: {self.title}. {self.details}")

    @property
    def message(self) -> str:
        """As Meta prints it: `(#131016) Service unavailable`; authentication carries no number."""
        bare = self.code in NO_PREFIX or self.kind == "GraphMethodException"
        return self.title if bare else f"(#{self.code}) {self.title}"

    def body(self) -> Json:
        """The answer's body, with an `fbtrace_id` of its own; details only where Meta has any."""
        error: Json = {"message": self.message, "type": self.kind, "code": self.code}
        if self.transient:
            error["is_transient"] = True
        if self.subcode is not None:
            error["error_subcode"] = self.subcode
        if self.details and self.code not in NO_PREFIX:
            error["error_data"] = {"messaging_product": "whatsapp", "details": self.details}
        if self.user_title:
            error["error_user_title"] = self.user_title
        if self.user_msg:
            error["error_user_msg"] = self.user_msg
        error["fbtrace_id"] = "A" + secrets.token_urlsafe(16)
        return {"error": error}

    def webhook(self) -> Json:
        """The same error as it stands in `statuses[].errors[]`."""
        return {
            "code": self.code,
            "title": self.title,
            "message": self.title,
            "error_data": {"details": self.details or self.title},
            "href": HREF,
        }


def no_such_object(object_id: str) -> MetaError:
    """An id that nobody knows: HTTP 400, code 100, subcode 33 (never 404)."""
    return MetaError(
        100,
        title=f"Unsupported request. Object with ID '{object_id}' does not exist, cannot be loaded due to "
        "missing permissions, or does not support this operation",
        details="",
        subcode=33,
        kind="GraphMethodException",
    )


def bad_parameter(sentence: str, *, details: str = "") -> MetaError:
    """Code 100 with Meta's sentence about one parameter."""
    return MetaError(100, title=sentence, details=details)
