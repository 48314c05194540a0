"""What the sandbox page says about misfortunes and requests, in words."""

from core.ports.meta_errors import explain
from core.ports.sandbox import SandboxFault, SandboxPhone, SandboxRequest
from ui.format import plural
from ui.parts.badge import Word

KINDS = {
    "error": "Meta refuses it with an error",
    "failed_status": "Accepted, later reported as failed",
    "slow": "Accepted, the answer comes late",
    "timeout": "Accepted, no answer comes",
    "reset": "Accepted, the connection is cut",
    "reset_before": "Not accepted, the connection is cut",
    "malformed": "Accepted, the answer is broken JSON",
    "html_502": "Not accepted, a proxy answers 502",
    "empty_500": "Not accepted, an empty 500",
    "silent": "Accepted, nothing is ever reported",
}
WITH_CODE = ("error", "failed_status")
WITH_SECONDS = ("slow", "timeout")
OUTCOMES: dict[str, Word] = {
    "accepted": ("Accepted", "green"),
    "refused": ("Refused", "red"),
    "reset": ("Cut off", "amber"),
    "reset_before": ("Cut off", "red"),
    "timeout": ("No answer", "amber"),
    "malformed": ("Broken answer", "amber"),
    "html_502": ("Answered 502", "red"),
    "empty_500": ("Answered 500", "red"),
}


def outcome_words(request: SandboxRequest) -> tuple[Word, str]:
    """Its word, and of a lost answer whether Meta has the message."""
    word = OUTCOMES.get(request.outcome, (request.outcome.replace("_", " ").capitalize(), "grey"))
    if request.outcome in ("accepted", "refused"):
        return word, ""
    return word, "but taken" if request.wamid is not None else "not taken"


def what_happens(fault: SandboxFault) -> str:
    """*Meta refuses it with 131016: service unavailable*."""
    if fault.kind == "error":
        return f"Meta refuses it with {_coded(fault.code)}"
    if fault.kind == "failed_status":
        return f"Accepted, later reported as failed with {_coded(fault.code)}"
    if fault.kind in WITH_SECONDS:
        return f"{KINDS[fault.kind]}, for {fault.seconds:g} s"
    return KINDS.get(fault.kind, fault.kind)


def whom_it_meets(fault: SandboxFault, phones: tuple[SandboxPhone, ...]) -> str:
    """*25 % of messages to numbers ending in 0002, once each, from Northwind Support*."""
    share = "Every message" if fault.share >= 1 else f"{fault.share * 100:g} % of messages"
    to = "" if fault.to is None else f" to {fault.to}" if fault.to.startswith("+") else f" to …{fault.to}"
    names = {phone.phone_number_id: phone.verified_name for phone in phones}
    sender = (
        f" from {names.get(fault.phone_number_id, fault.phone_number_id)}" if fault.phone_number_id else ""
    )
    template = f" of {fault.template}" if fault.template else ""
    times = (
        ""
        if fault.times is None
        else ", once each"
        if fault.times == 1
        else f", {plural(fault.times, 'time')} each"
    )
    return f"{share}{template}{to}{sender}{times}"


def code_title(code: int) -> str:
    return explain(f"meta_{code}").title


def _coded(code: int) -> str:
    return f"{code}: {code_title(code)}"
