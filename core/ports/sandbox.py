"""The sandbox's controls, for the demo and its page. Nothing else in core knows that it is not Meta."""

import re
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from core.errors import Impossible, Unavailable
from core.ports.unit_guard import refuse_inside_unit

TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class SandboxFault:
    """A rule of misfortune. ``share`` (0 to 1) of the messages meet it, each ``times`` at most, or always; a
    ``to`` with a plus is a whole number, else the end of one. ``code`` and ``seconds`` say what some kinds
    do, whatever the others hold there."""

    id: str
    title: str
    kind: str
    to: str | None
    phone_number_id: str | None
    template: str | None
    share: float
    times: int | None
    enabled: bool
    code: int
    seconds: float


@dataclass(frozen=True, slots=True)
class SandboxPhone:
    phone_number_id: str
    display_number: str
    verified_name: str


@dataclass(frozen=True, slots=True)
class SandboxAccount:
    waba_id: str
    name: str


@dataclass(frozen=True, slots=True)
class SandboxTemplate:
    waba_id: str
    name: str
    language: str


@dataclass(frozen=True, slots=True)
class SandboxState:
    """Counts since it started. ``resets`` are connections that it cut; ``webhooks_failed`` counts tries,
    ``webhooks_dropped`` what it gave up."""

    received: int
    accepted: int
    refused: int
    resets: int
    webhook_url: str | None
    webhooks_sent: int
    webhooks_failed: int
    webhooks_dropped: int
    webhooks_pending: int
    phones: tuple[SandboxPhone, ...]
    accounts: tuple[SandboxAccount, ...]
    templates: tuple[SandboxTemplate, ...]
    faults: tuple[SandboxFault, ...]
    magic: tuple[SandboxFault, ...]


@dataclass(frozen=True, slots=True)
class SandboxRequest:
    """One send that it got. ``words``: what it says, or what fills its template. ``outcome`` is ``accepted``,
    ``refused``, or the kind of fault that hid the answer; ``wamid`` is None where it was not accepted: an
    answer can be lost and the message not. ``message_id`` is ours."""

    id: str
    at: datetime
    to: str
    phone_number_id: str
    kind: str
    template: str | None
    words: str
    outcome: str
    code: int | None
    wamid: str | None
    message_id: str | None
    body: dict[str, Any]


class SandboxControl:
    """Calls to ``/sandbox/…`` at the address that stands in for Meta's. Unavailable when it does not answer,
    Impossible when it refuses."""

    def __init__(self, base_url: str) -> None:
        self._base = base_url

    def state(self) -> SandboxState:
        """Counts, faults and phones."""
        found = self._call("GET", "/sandbox/state")
        webhooks = found["webhooks"]
        return SandboxState(
            received=found["received"],
            accepted=found["accepted"],
            refused=found["refused"],
            resets=found["resets"],
            webhook_url=webhooks["url"],
            webhooks_sent=webhooks["sent"],
            webhooks_failed=webhooks["failed"],
            webhooks_dropped=webhooks["dropped"],
            webhooks_pending=webhooks["pending"],
            phones=tuple(
                SandboxPhone(each["phoneNumberId"], each["displayPhoneNumber"], each["verifiedName"])
                for each in found["phones"]
            ),
            accounts=tuple(SandboxAccount(each["wabaId"], each["name"]) for each in found["accounts"]),
            templates=tuple(
                SandboxTemplate(each["wabaId"], each["name"], each["language"]) for each in found["templates"]
            ),
            faults=tuple(_fault(each) for each in found["faults"]),
            magic=tuple(_fault(each) for each in found["magic"]),
        )

    def received(self, *, limit: int) -> list[SandboxRequest]:
        """The newest requests that the sandbox got, newest first."""
        return [_request(each) for each in self._call("GET", f"/sandbox/received?limit={limit}")["received"]]

    def create_fault(
        self,
        *,
        kind: str,
        to: str | None = None,
        phone_number_id: str | None = None,
        code: int | None = None,
        seconds: float | None = None,
        share: float = 1.0,
        times: int | None = None,
    ) -> SandboxFault:
        """A rule more, in force at once, asked before all others."""
        body: dict[str, Any] = {"kind": kind, "share": share, "times": times}
        if share < 1:
            body["per"] = "message"
        if to or phone_number_id:
            body["match"] = {"to": to, "phoneNumberId": phone_number_id}
        if code is not None:
            body["code"] = code
        if seconds is not None:
            body["seconds"] = seconds
        return _fault(self._call("POST", "/sandbox/faults", body))

    def switch_fault(self, fault_id: str, *, enabled: bool) -> None:
        self._call("PATCH", f"/sandbox/faults/{fault_id}", {"enabled": enabled})

    def delete_fault(self, fault_id: str) -> None:
        self._call("DELETE", f"/sandbox/faults/{fault_id}")

    def write_inbound(self, *, phone_number_id: str, sender: str, name: str, text: str) -> None:
        """A made-up customer writes to one of our numbers."""
        body = {"phoneNumberId": phone_number_id, "from": sender, "name": name, "text": text}
        self._call("POST", "/sandbox/inbound", body)

    def change_phone(self, phone_number_id: str, *, aspect: str, word: str) -> None:
        """Its Meta says that word of the number from now on, and tells it by webhook. ``aspect``: quality,
        messagingLimit, newNameStatus, throughput, status …"""
        self._call("PATCH", f"/sandbox/phones/{phone_number_id}", {aspect: word})

    def change_account(self, waba_id: str, *, aspect: str, word: str) -> None:
        """The same of an account: review, verification, restriction."""
        self._call("PATCH", f"/sandbox/accounts/{waba_id}", {aspect: word})

    def change_template(self, template: SandboxTemplate, *, aspect: str, word: str) -> None:
        """The same of a template: status, quality, category."""
        which = {"wabaId": template.waba_id, "language": template.language}
        self._call("PATCH", f"/sandbox/templates/{template.name}", which | {aspect: word})

    def wait_until_ready(self, *, timeout_s: float) -> None:
        """Returns once the sandbox answers; Unavailable after ``timeout_s``."""
        give_up = time.monotonic() + timeout_s
        while True:
            try:
                self.state()
            except Unavailable:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.1)
            else:
                return

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        refuse_inside_unit()
        try:
            response = httpx.request(method, self._base + path, json=body, timeout=TIMEOUT_S)
            answer: dict[str, Any] = response.json()
            if response.status_code == 400 and "error" in answer:
                raise Impossible(str(answer["error"]), code="sandbox_refused")
            response.raise_for_status()
        except (httpx.HTTPError, ValueError) as error:
            raise Unavailable(
                "The sandbox does not answer. Start Waypost with --demo to have one."
            ) from error
        return answer


def _fault(found: dict[str, Any]) -> SandboxFault:
    match = found["match"]
    return SandboxFault(
        id=found["id"],
        title=found["title"],
        kind=found["kind"],
        to=match["to"],
        phone_number_id=match["phoneNumberId"],
        template=match["template"],
        share=found["share"],
        times=found["times"],
        enabled=found["enabled"],
        code=found["code"],
        seconds=found["seconds"],
    )


def _request(found: dict[str, Any]) -> SandboxRequest:
    return SandboxRequest(
        id=f"{found['arrivedMonotonic']:.6f}",
        at=datetime.fromisoformat(found["arrivedAt"]),
        to=str(found["to"] or ""),
        phone_number_id=found["phoneNumberId"],
        kind=str(found["type"]),
        template=found["template"],
        words=_words(found["body"]),
        outcome=found["outcome"],
        code=found["code"],
        wamid=found["wamid"],
        message_id=_own_id(found["callback"]),
        body=found["body"],
    )


def _own_id(callback: object) -> str | None:
    """What the request carried as its name, where that is a message of ours and not somebody's text."""
    return callback if isinstance(callback, str) and re.fullmatch(r"msg_[0-9a-z]+", callback) else None


def _words(body: dict[str, Any]) -> str:
    text, template = body.get("text"), body.get("template")
    if isinstance(text, dict):
        return str(text.get("body", ""))
    components = template.get("components") if isinstance(template, dict) else None
    return " · ".join(
        str(parameter["text"])
        for component in components or []
        for parameter in component.get("parameters") or []
        if "text" in parameter
    )
