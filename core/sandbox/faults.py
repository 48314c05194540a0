"""Which request meets which scripted fault: rules, magic numbers, the demo's presets, the pure decision."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from core.sandbox.errors import MetaError


class Kind(StrEnum):
    ERROR = "error"  # Meta's error `code`
    SLOW = "slow"  # accepted, answered after `seconds`
    RESET = "reset"  # accepted, its statuses go out, the connection is reset without an answer
    RESET_BEFORE = "reset_before"  # reset without an answer, never accepted
    TIMEOUT = "timeout"  # accepted, no answer for `seconds` (60) or until the client goes
    MALFORMED = "malformed"  # accepted, answered 200 with broken JSON
    HTML_502 = "html_502"  # a proxy's HTML page; accepted only if `accepted`
    EMPTY_500 = "empty_500"  # no body at all; accepted only if `accepted`
    FAILED_STATUS = "failed_status"  # accepted, then a `failed` status with `code`
    SILENT = "silent"  # accepted, no status ever


@dataclass(frozen=True, slots=True)
class Match:
    """Which requests a fault looks at; None matches all. `to` with + is the whole number, else its end."""

    to: str | None = None
    phone_number_id: str | None = None
    template: str | None = None

    @property
    def is_everything_of_a_phone(self) -> bool:
        return self.to is None and self.template is None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a fault may look at: the recipient's digits, the sender, the template, the message's name."""

    recipient: str
    phone_number_id: str
    template: str | None
    message_key: str


@dataclass(frozen=True, slots=True)
class Fault:
    """One rule. `share` (0 to 1) of the messages meet it, the same ones at every try; of those only the
    first `times` requests, counted per recipient or, with `per="message"`, per message; `code` serves error
    and failed_status."""

    id: str
    title: str
    kind: Kind
    match: Match = Match()
    share: float = 1.0
    times: int | None = None
    per: Literal["recipient", "message"] = "recipient"
    enabled: bool = True
    code: int = 131000
    seconds: float = 60.0
    details: str | None = None
    subcode: int | None = None
    http_status: int | None = None
    retry_after_s: int | None = None
    accepted: bool = False

    def is_about(self, asked: Asked) -> bool:
        match = self.match
        if match.phone_number_id is not None and match.phone_number_id != asked.phone_number_id:
            return False
        if match.template is not None and match.template != asked.template:
            return False
        if match.to is None:
            return True
        digits = re.sub(r"\D", "", match.to)
        return asked.recipient == digits if match.to.startswith("+") else asked.recipient.endswith(digits)

    def error(self) -> MetaError:
        """Meta's error as this rule words it."""
        subcode = 463 if self.code == 190 and self.subcode is None else self.subcode
        return MetaError(self.code, details=self.details, http=self.http_status, subcode=subcode)


def _magic(ending: str, title: str, kind: Kind, *, code: int = 131000, times: int | None = None) -> Fault:
    return Fault(f"magic-{ending}", title, kind, Match(to=ending), code=code, times=times)


MAGIC: tuple[Fault, ...] = (
    _magic("0000001", "Fails once with 131016 (unavailable), then works", Kind.ERROR, code=131016, times=1),
    _magic("0000002", "Fails always with 131016 (unavailable)", Kind.ERROR, code=131016),
    _magic("0000003", "Fails always with 131026 (not on WhatsApp)", Kind.ERROR, code=131026),
    _magic("0000004", "Fails always with 130472 (part of an experiment)", Kind.ERROR, code=130472),
    _magic("0000005", "Accepted, but the first answer is lost by a reset", Kind.RESET, times=1),
    _magic("0000006", "Accepted, but the first answer never comes", Kind.TIMEOUT, times=1),
    _magic("0000007", "Accepted, then failed by webhook with 131049", Kind.FAILED_STATUS, code=131049),
    _magic(
        "0000008", "Fails twice with 131056 (too many to one), then works", Kind.ERROR, code=131056, times=2
    ),
    _magic("0000009", "Fails always with 190 (token expired)", Kind.ERROR, code=190),
)
"""Recipients with a fixed fate: any number that ends so. Counts (`times`) are per whole number."""

BLOCKING_CODES = frozenset({368, 131031, 131037, 131042, 131045, 131048, 133010})
"""Refusals that `health_status` would show as BLOCKED."""


def presets(*, enabled: bool) -> tuple[Fault, ...]:
    """The demo's faults: about 12 % of the messages fail once in passing, 3 % die, 1 % lose their answer."""

    def preset(name: str, title: str, kind: Kind, share: float, code: int = 131000) -> Fault:
        return Fault(
            f"demo-{name}", title, kind, share=share, times=1, per="message", enabled=enabled, code=code
        )

    return (
        preset("unavailable", "5 % of messages fail once: service unavailable", Kind.ERROR, 0.05, 131016),
        preset("unknown", "4 % of messages fail once: something went wrong", Kind.ERROR, 0.04, 131000),
        preset("rate", "3 % of messages fail once: rate limit hit", Kind.ERROR, 0.03, 130429),
        preset("undeliverable", "3 % of messages die: not on WhatsApp", Kind.ERROR, 0.03, 131026),
        preset("lost-answer", "1 % of messages are accepted but the answer is lost", Kind.RESET, 0.01),
    )


def first_striking(
    rules: Iterable[Fault], asked: Asked, *, struck: Mapping[tuple[str, str], int], seed: int
) -> Fault | None:
    """The first enabled rule that meets this request; pure. `struck` counts (fault id, counting key) so far.

    With times=2: the first and second request of a recipient are struck, the third goes to later rules.
    """
    for fault in rules:
        if not fault.enabled or not fault.is_about(asked):
            continue
        if fault.times is not None and struck.get((fault.id, counting_key(fault, asked)), 0) >= fault.times:
            continue
        if fault.share < 1 and dice(seed, fault.id, asked.message_key) >= fault.share:
            continue
        return fault
    return None


def counting_key(fault: Fault, asked: Asked) -> str:
    return asked.message_key if fault.per == "message" else asked.recipient


def dice(seed: int, *words: str) -> float:
    """A number in [0, 1) that depends on its arguments alone."""
    digest = hashlib.blake2b("|".join((str(seed), *words)).encode(), digest_size=7).digest()
    return int.from_bytes(digest, "big") / (1 << 56)


@dataclass(slots=True)
class Script:
    """The rules in force, in the order they are asked: made by hand, the magic numbers, the demo's
    presets."""

    seed: int
    demo: bool
    made: dict[str, Fault] = field(default_factory=dict)
    presets: dict[str, Fault] = field(default_factory=dict)
    struck: Counter[tuple[str, str]] = field(default_factory=Counter)
    last_number: int = 0

    def __post_init__(self) -> None:
        self.presets = {fault.id: fault for fault in presets(enabled=self.demo)}

    def rules(self) -> list[Fault]:
        return [*self.made.values(), *MAGIC, *self.presets.values()]

    def strike(self, asked: Asked) -> Fault | None:
        """The fault that this request meets, counted."""
        fault = first_striking(self.rules(), asked, struck=self.struck, seed=self.seed)
        if fault is not None and fault.times is not None:
            self.struck[fault.id, counting_key(fault, asked)] += 1
        return fault

    def next_id(self) -> str:
        self.last_number += 1
        return f"fault-{self.last_number}"

    def put(self, fault: Fault) -> None:
        """Adds a rule, or replaces the one of this id in its place."""
        (self.presets if fault.id in self.presets else self.made)[fault.id] = fault

    def find(self, fault_id: str) -> Fault | None:
        """A rule that may be changed: one made by hand or a preset, never a magic number."""
        return self.made.get(fault_id) or self.presets.get(fault_id)

    def remove(self, fault_id: str) -> None:
        self.made.pop(fault_id, None)
        self.presets.pop(fault_id, None)

    def blocking(self, phone_number_id: str) -> Fault | None:
        """The rule that refuses all of this phone for payment, restriction or registration, if any."""
        for fault in self.made.values():
            if (
                fault.enabled
                and fault.kind is Kind.ERROR
                and fault.code in BLOCKING_CODES
                and fault.share >= 1
                and fault.times is None
                and fault.match.is_everything_of_a_phone
                and fault.match.phone_number_id in (None, phone_number_id)
            ):
                return fault
        return None
