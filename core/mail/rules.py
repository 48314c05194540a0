"""What an address and a subject may be (A2)."""

import re

from core.errors import Impossible

ADDRESS_MAX = 254
SUBJECT_MAX = 200
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


def mail_address(text: str) -> str:
    """The address as mail servers take it, or Impossible ``email``.

    *" Mara@Bücher.example " → "Mara@xn--bcher-kva.example"*: no spaces around it, the domain in ASCII.
    Refused: names beside it, several of them, quotes, comments, line breaks, a part before the @ that is not
    ASCII (few servers take that), a domain without a dot.
    """
    local, at, domain = text.strip().rpartition("@")
    ascii_domain = _ascii(domain)
    labels = ascii_domain.split(".")
    is_sound = (
        at
        and len(local) <= 64
        and _LOCAL.fullmatch(local)
        and len(labels) > 1
        and all(_LABEL.fullmatch(label) for label in labels)
    )
    address = f"{local}@{ascii_domain}"
    if not is_sound or len(address) > ADDRESS_MAX:
        raise Impossible(f"“{subject_line(text)[:80]}” is not an e-mail address.", code="email")
    return address


def subject_line(text: str) -> str:
    """One line of at most 200 characters: *"Join\\nNorthwind " → "Join Northwind"*."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.split())[:SUBJECT_MAX]


def _ascii(domain: str) -> str:
    """The domain in ASCII; empty when it cannot be written so."""
    try:
        return domain.encode("idna").decode()
    except UnicodeError:
        return ""
