"""Meta's rules for a template, looked at before it is submitted: what is wrong, where, and what to do."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import unquote, urlsplit

from core.templates.drafts import HEADERS, MEDIA, Draft, DraftButton
from core.templates.rules import VARIABLE

NAME_MAX = 512
HEADER_MAX = 60
BODY_MAX = 1024
FOOTER_MAX = 60
BUTTON_TEXT_MAX = 25
URL_MAX = 2000
PHONE_MAX = 20
CODE_MAX = 15
BUTTONS_MAX = 10
MINUTES = range(1, 91)
SIGNATURE_LENGTH = 11
CATEGORIES = ("UTILITY", "MARKETING", "AUTHENTICATION")
OTP_TYPES = ("COPY_CODE", "ONE_TAP", "ZERO_TAP")
# How many buttons of a kind a template may have.
AT_MOST: Mapping[str, int] = {
    "URL": 2,
    "PHONE_NUMBER": 1,
    "COPY_CODE": 1,
    "FLOW": 1,
    "CATALOG": 1,
    "MPM": 1,
    "OTP": 1,
}
# Kinds that no other button may stand beside.
ALONE = ("CATALOG", "MPM")
# Kinds whose words Meta chooses.
WORDLESS = ("COPY_CODE", "OTP")
KINDS: Mapping[str, str] = {
    "QUICK_REPLY": "quick reply",
    "URL": "website button",
    "PHONE_NUMBER": "call button",
    "COPY_CODE": "copy code button",
    "FLOW": "flow button",
    "CATALOG": "catalogue button",
    "MPM": "products button",
    "OTP": "code button",
}
_NAME = re.compile(r"[a-z0-9_]+")
_LANGUAGE = re.compile(r"[a-z]{2,3}(_[A-Z][a-z]{3})?(_[A-Z]{2})?")
_VARIABLE_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_EMOJI = re.compile("[\u2600-\u27bf\u2b00-\u2bff\ufe0f\U0001f000-\U0001faff]")
_MARKS = re.compile(r"[*_~`]")
_PACKAGE = re.compile(r"[A-Za-z]\w*(\.[A-Za-z]\w*)+")


@dataclass(frozen=True, slots=True)
class Problem:
    """``where``: the field that it is about: name, language, category, header, handle, body, footer, minutes,
    buttons, ``button 0`` …, ``button 0.text``, ``.value``, ``.example``, or a variable: ``body.1``."""

    where: str
    sentence: str


def problems(draft: Draft) -> list[Problem]:
    """What Meta would refuse, in the order in which the form is read; empty for what can be submitted.

    *body "Hello {{1}}" → body: It cannot end with a variable: write something after {{1}}. And body.1: Give
    an example of {{1}}.*
    """
    found = [*_about(draft)]
    if draft.is_authentication:
        found += _codes(draft)
    else:
        found += [*_header(draft), *_body(draft), *_variables(draft), *_footer(draft), *_buttons(draft)]
    return [Problem(where, sentence) for where, sentence in found]


Found = Iterator[tuple[str, str]]


def _about(draft: Draft) -> Found:
    if not draft.name:
        yield "name", "Give it a name."
    elif not _NAME.fullmatch(draft.name):
        yield "name", "Use small letters a to z, digits and underscores only, such as order_update."
    if len(draft.name) > NAME_MAX:
        yield "name", _too_long(draft.name, NAME_MAX)
    if not _LANGUAGE.fullmatch(draft.language):
        yield "language", "Choose a language by Meta's code, such as en, en_US or pt_BR."
    if draft.category not in CATEGORIES:
        yield "category", "Choose utility, marketing or authentication."


def _header(draft: Draft) -> Found:
    text = draft.header_text
    if draft.header and draft.header not in HEADERS:
        yield "header", "Choose text, image, video, document or location."
    if draft.header == "TEXT":
        plain = VARIABLE.sub("", text)
        if not text.strip():
            yield "header", "Write the header, or choose none."
        if len(text) > HEADER_MAX:
            yield "header", _too_long(text, HEADER_MAX)
        if len(draft.variables["header"]) > 1:
            yield "header", "A header has one variable at most."
        if "\n" in plain or _EMOJI.search(plain) or _MARKS.search(plain):
            yield "header", "No line breaks, emoji or the marks * _ ~ ` in a header: Meta takes plain words."
        yield from _braces("header", text)
    elif draft.header in MEDIA:
        if not draft.handle.strip():
            yield "handle", "Meta looks at an example: give the handle of an uploaded file."
        elif "://" in draft.handle:
            yield (
                "handle",
                "That is an address. Meta wants the handle of an uploaded file.",
            )


def _body(draft: Draft) -> Found:
    text = draft.body.strip()
    if not text:
        yield "body", "Write the body: it is the message."
        return
    if len(draft.body) > BODY_MAX:
        yield "body", _too_long(draft.body, BODY_MAX)
    variables = list(VARIABLE.finditer(text))
    if variables and variables[0].start() == 0:
        yield "body", f"It cannot begin with a variable: write something before {variables[0][0]}."
    if variables and variables[-1].end() == len(text):
        yield "body", f"It cannot end with a variable: write something after {variables[-1][0]}."
    words = len(VARIABLE.sub(" x ", text).split())
    if words < 2 * len(variables) + 1:
        count = f"{len(variables)} variable{'' if len(variables) == 1 else 's'}"
        yield "body", f"Too few words for {count}: Meta wants more words than variables."
    yield from _braces("body", draft.body)


def _braces(where: str, text: str) -> Found:
    rest = VARIABLE.sub("", text)
    if "{{" in rest or "}}" in rest:
        yield where, "Something in braces is no variable: write {{1}}, or a name such as {{first_name}}."


def _variables(draft: Draft) -> Found:
    of = draft.variables
    names = of["header"] + of["body"]
    numbers = [name for name in names if name.isdigit()]
    if numbers and len(numbers) < len(names):
        where = "body" if of["body"] else "header"
        yield where, "Variables are either all numbered, {{1}}, or all named, {{first_name}}."
    for part, found in of.items():
        if numbers and len(numbers) == len(names) and found != [str(n + 1) for n in range(len(found))]:
            wanted = ", ".join(f"{{{{{number + 1}}}}}" for number in range(len(found)))
            yield part, f"Number the variables in the order in which they are read: {wanted}."
        for name in found:
            if not name.isdigit() and not _VARIABLE_NAME.fullmatch(name):
                yield part, f"“{name}” is no name of a variable: small letters, digits and underscores."
            if not draft.examples.get(f"{part}.{name}", "").strip():
                yield f"{part}.{name}", f"Give an example of {{{{{name}}}}}: Meta looks at it."


def _footer(draft: Draft) -> Found:
    if len(draft.footer) > FOOTER_MAX:
        yield "footer", _too_long(draft.footer, FOOTER_MAX)
    if "{{" in draft.footer:
        yield "footer", "A footer has no variables."
    if draft.minutes is not None:
        yield "minutes", "Only a template for codes says when its code ends."


def _buttons(draft: Draft) -> Found:
    kinds = [button.kind for button in draft.buttons]
    if len(kinds) > BUTTONS_MAX:
        yield "buttons", f"{BUTTONS_MAX} buttons at most; these are {len(kinds)}."
    for kind, count in Counter(kinds).items():
        if kind in AT_MOST and count > AT_MOST[kind]:
            yield "buttons", f"Only {AT_MOST[kind]} {KINDS[kind]}{'s' if AT_MOST[kind] > 1 else ''}."
    for kind in ALONE:
        if kind in kinds and len(kinds) > 1:
            yield "buttons", f"No other button beside a {KINDS[kind]}."
    if "OTP" in kinds:
        yield "buttons", "A code button belongs to the category authentication."
    is_reply = [kind == "QUICK_REPLY" for kind in kinds]
    if sum(before != after for before, after in pairwise(is_reply)) > 1:
        yield (
            "buttons",
            "Put the quick replies side by side: first all of them, then the others, or the reverse.",
        )
    texts = Counter(button.text.strip().lower() for button in draft.buttons if button.text.strip())
    for index, button in enumerate(draft.buttons):
        where = f"button {index}"
        yield from ((f"{where}.{part}", sentence) for part, sentence in _button(button))
        if texts[button.text.strip().lower()] > 1:
            yield f"{where}.text", "Two buttons cannot say the same."


def _button(button: DraftButton) -> Found:
    """(text, value or example, what is wrong with it)"""
    text = button.text
    if not text.strip() and button.kind not in WORDLESS:
        yield "text", "Write what stands on the button."
    if len(text) > BUTTON_TEXT_MAX:
        yield "text", _too_long(text, BUTTON_TEXT_MAX)
    if "{{" in text or "\n" in text or _EMOJI.search(text) or _MARKS.search(text):
        yield "text", "No variables, line breaks, emoji or the marks * _ ~ ` on a button."
    match button.kind:
        case "URL":
            yield from _url(button)
        case "PHONE_NUMBER":
            number = re.sub(r"[ +().-]", "", button.value)
            if not (number.isascii() and number.isdigit()) or len(button.value) > PHONE_MAX:
                yield "value", f"Give a number with its country code, {PHONE_MAX} characters at most."
        case "COPY_CODE" if not button.value.strip() or len(button.value) > CODE_MAX:
            yield "value", f"Give an example of the code, {CODE_MAX} characters at most."
        case "FLOW" if not (button.value.strip() or {"flow_name", "flow_json"} & button.more.keys()):
            yield "value", "Give the id of the flow."


def _url(button: DraftButton) -> Found:
    url = button.value.strip()
    found = list(VARIABLE.finditer(url))
    try:
        address = urlsplit(VARIABLE.sub("", url))
        host = address.hostname or ""
    except ValueError:
        host, address = "", urlsplit("")
    if address.scheme not in ("http", "https") or "." not in host or " " in url:
        yield "value", "Give a whole address, such as https://shop.example.com/orders."
    elif host in ("wa.me", "api.whatsapp.com"):
        yield "value", "Meta takes no links into WhatsApp itself."
    if len(url) > URL_MAX:
        yield "value", _too_long(url, URL_MAX)
    if len(found) > 1 or (found and (found[0].end() != len(url) or found[0][1] != "1")):
        yield "value", "An address has one variable at most: {{1}}, at its end."
    elif found and not button.example.strip():
        yield "example", "Give an example of the end of the address: Meta opens it."


def _codes(draft: Draft) -> Found:
    """Of a template for codes Meta writes the words; there is little to choose."""
    if draft.header or draft.header_text:
        yield "header", "A template for codes has no header."
    if draft.body:
        yield "body", "Meta writes the body of a template for codes: leave its text out."
    if draft.footer:
        yield (
            "footer",
            "Meta writes the footer of a template for codes: say only after how many minutes it ends.",
        )
    if draft.minutes is not None and draft.minutes not in MINUTES:
        yield "minutes", f"From {MINUTES[0]} to {MINUTES[-1]} minutes."
    if [button.kind for button in draft.buttons] != ["OTP"]:
        yield "buttons", "A template for codes has one button: the one that takes the code."
    for index, button in enumerate(draft.buttons):
        for part, sentence in _otp(button) if button.kind == "OTP" else ():
            yield f"button {index}.{part}", sentence


def _otp(button: DraftButton) -> Found:
    if len(button.text) > BUTTON_TEXT_MAX:
        yield "text", _too_long(button.text, BUTTON_TEXT_MAX)
    if button.value not in OTP_TYPES:
        yield "value", "Choose whether the code is copied, filled in with one tap, or without any."
    if button.value in ("ONE_TAP", "ZERO_TAP") and "supported_apps" not in button.more:
        package, signature = (str(button.more.get(key, "")) for key in ("package_name", "signature_hash"))
        if not _PACKAGE.fullmatch(package):
            yield "package_name", "Give the name of the Android app's package, such as com.example.shop."
        if len(unquote(signature)) != SIGNATURE_LENGTH:
            yield "signature_hash", f"Give the hash of the app's signature: {SIGNATURE_LENGTH} characters."


def _too_long(text: str, limit: int) -> str:
    return f"{limit} characters at most; this has {len(text)}."
