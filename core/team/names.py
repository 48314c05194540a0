"""What workspaces, people and their addresses may be called, and how secrets are kept: as SHA-256."""

import hashlib
import re
import secrets

from core.errors import Impossible

NAME_MAX = 200
EMAIL_MAX = 320
_EMAIL = re.compile(r"[^@\s<>,;\"]{1,64}@[^@\s<>,;\"]+\.[^@\s.<>,;\"]{2,}")
_BREAKS = re.compile(r"[\s,;]+")
_WITHOUT_JOINERS = dict.fromkeys((0x200C, 0x200D))
_IN_BRACKETS = re.compile(r"<([^<>]*)>")


def slug_of(name: str) -> str:
    """The name in lower case, runs of other characters as one dash. *Nordlicht & Söhne → nordlicht-söhne*."""
    slug = re.sub(r"[^\w]+|_+", "-", name.strip().lower()).strip("-")
    if not slug or len(name) > NAME_MAX:
        raise Impossible(f"A workspace needs a name of 1 to {NAME_MAX} characters.", code="workspace_name")
    return slug


def normal_email(email: str) -> str:
    """The address as it is kept: lower case, no space around it."""
    address = email.strip().lower()
    if len(address) > EMAIL_MAX or not _EMAIL.fullmatch(address) or not address.isprintable():
        raise Impossible(f"“{email[:80]}” is not an e-mail address.", code="email")
    return address


def addresses_in(text: str) -> list[str]:
    """What was pasted, one address each, as it was written: separated by commas, semicolons, spaces or lines;
    of *Mara Lind <mara@x.example>* the address only."""
    pasted: list[str] = []
    for line in re.split(r"[\n,;]+", text):
        in_brackets = _IN_BRACKETS.findall(line)
        pasted += in_brackets or _BREAKS.split(line)
    return [address.strip() for address in pasted if address.strip()]


def person_name(name: str) -> str:
    """A person's name without space around it, on one line. Marks that cannot be seen are refused, as they
    could make one name look like another; but for the joiners, which belong to names in Persian and Hindi."""
    text = " ".join(name.split())
    if not text or len(text) > NAME_MAX:
        raise Impossible(f"A name has 1 to {NAME_MAX} characters.", code="name")
    if not text.translate(_WITHOUT_JOINERS).isprintable():
        raise Impossible(
            "The name has a character in it that cannot be seen. Type it anew, without pasting.", code="name"
        )
    return text


def new_secret() -> str:
    """256 bits, for a cookie, a link or a key."""
    return secrets.token_urlsafe(32)


def hash_key(secret: str) -> str:
    """What is stored of a cookie, link or key. They are random, so no slow hash is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()
