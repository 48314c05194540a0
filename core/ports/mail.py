"""Mail over SMTP; or, where no server is named, one file for each mail in a folder."""

import smtplib
import ssl
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from ipaddress import ip_address
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from core.ports.unit_guard import refuse_inside_unit

TIMEOUT_S = 10.0
REPLY_MAX = 200
# Lines as they are, up to the longest that RFC 5322 allows: a link stays in one piece.
_AS_WRITTEN = policy.SMTP.clone(max_line_length=998)
_SEVEN_BIT = _AS_WRITTEN.clone(cte_type="7bit")


class MailError(Exception):
    """It was not taken. ``sentence`` says why, without a word of the mail; ``is_final``: the server will not
    have it tomorrow either."""

    def __init__(self, sentence: str, *, is_final: bool = False) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.is_final = is_final


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a mail; ``kind`` such as ``application/pdf``."""

    name: str
    kind: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail that is ready to go. ``id`` becomes its Message-ID, so a copy of it shows as a copy."""

    id: str
    to: str
    subject: str
    text: str
    at: datetime
    attachment: Attachment | None = None


class Mailer(Protocol):
    def deliver(self, letter: Letter) -> None:
        """It is the server's, or in the folder. MailError when it is not."""


def mailer_for(smtp_url: str | None, *, sender: str, folder: Path) -> "Mailer":
    """Over SMTP where a server is named, else into the folder."""
    return SmtpMailer(smtp_url, sender=sender) if smtp_url else Outbox(folder, sender=sender)


class SmtpMailer:
    """``smtp://user:password@host:587``, encrypted by STARTTLS with a certificate that is checked, or
    ``smtps://…`` encrypted from the first byte.

    A server off this machine that offers no STARTTLS gets nothing: mails carry links that let their reader
    in. ``?starttls=off`` sends in clear all the same, in a network that is one's own.
    """

    def __init__(self, url: str, *, sender: str, tls: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._is_tls = parts.scheme == "smtps"
        self._port = parts.port or (465 if self._is_tls else 587)
        self._user = unquote(parts.username or "")
        self._password = unquote(parts.password or "")
        self._may_be_clear = _is_loopback(self._host)
        self._wants_starttls = parse_qs(parts.query).get("starttls") != ["off"]
        self._sender = sender
        self._tls = tls or ssl.create_default_context()

    def deliver(self, letter: Letter) -> None:
        refuse_inside_unit()
        message = written(letter, sender=self._sender).as_bytes(policy=_SEVEN_BIT)
        try:
            with closing(self._open()) as server:
                self._encrypt(server)
                if self._user:
                    server.login(self._user, self._password)
                server.sendmail(parseaddr(self._sender)[1], [letter.to], message)
                with suppress(
                    smtplib.SMTPException, OSError
                ):  # it is theirs, whatever becomes of the goodbye
                    server.quit()
        except smtplib.SMTPRecipientsRefused as refusal:
            code, reply = refusal.recipients[letter.to]
            raise MailError(_answer(code, reply), is_final=code >= 500) from None
        except smtplib.SMTPDataError as refusal:
            raise MailError(
                _answer(refusal.smtp_code, refusal.smtp_error), is_final=refusal.smtp_code >= 500
            ) from None
        except smtplib.SMTPResponseException as refusal:  # a matter of settings, and those can be mended
            raise MailError(_answer(refusal.smtp_code, refusal.smtp_error)) from None
        except (smtplib.SMTPException, OSError) as error:
            raise MailError(_why_not(error)) from None

    def _open(self) -> smtplib.SMTP:
        if self._is_tls:
            return smtplib.SMTP_SSL(self._host, self._port, timeout=TIMEOUT_S, context=self._tls)
        return smtplib.SMTP(self._host, self._port, timeout=TIMEOUT_S)

    def _encrypt(self, server: smtplib.SMTP) -> None:
        if self._is_tls or not self._wants_starttls:
            return
        server.ehlo()
        if server.has_extn("starttls"):
            server.starttls(context=self._tls)
        elif not self._may_be_clear:
            raise MailError(
                "The mail server offers no STARTTLS, so nothing was sent. Use smtps://, or end "
                "WAYPOST_SMTP_URL with ?starttls=off if the network is your own."
            )


@dataclass(frozen=True, slots=True)
class Kept:
    """A mail in the outbox."""

    id: str
    to: str
    subject: str
    at: datetime | None
    text: str


class Outbox:
    """One RFC 5322 file for each mail, readable by its owner alone."""

    def __init__(self, folder: Path, *, sender: str) -> None:
        self._folder = folder
        self._sender = sender

    def deliver(self, letter: Letter) -> None:
        refuse_inside_unit()
        path = self._folder / f"{letter.id}.eml"
        draft = path.with_suffix(".draft")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            draft.touch(mode=0o600)
            draft.write_bytes(written(letter, sender=self._sender).as_bytes())
            draft.rename(path)
        except OSError as error:
            raise MailError(f"{self._folder} cannot be written: {error.strerror}.") from None

    def kept(self, ids: Sequence[str]) -> list[Kept]:
        """Those mails, in that order, as far as they were delivered."""
        paths = [self._folder / f"{mail_id}.eml" for mail_id in ids]
        return [_read(path) for path in paths if path.exists()]


def written(letter: Letter, *, sender: str) -> EmailMessage:
    """As RFC 5322 has it. A line break in an address or a subject is refused with ValueError, so no header
    can be slipped in."""
    domain = parseaddr(sender)[1].rpartition("@")[2]
    message = EmailMessage(policy=_AS_WRITTEN)
    message["From"] = sender
    message["To"] = letter.to
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(letter.at)
    message["Message-ID"] = f"<{letter.id}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.text)
    if letter.attachment is not None:
        maintype, _, subtype = letter.attachment.kind.partition("/")
        message.add_attachment(
            letter.attachment.content,
            maintype=maintype,
            subtype=subtype,
            filename=letter.attachment.name,
        )
    return message


def _read(path: Path) -> Kept:
    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert isinstance(message, EmailMessage)
    body = message.get_body(("plain",))
    return Kept(
        id=path.stem,
        to=str(message["To"]),
        subject=str(message["Subject"]),
        at=message["Date"].datetime,
        text="" if body is None else "\n".join(body.get_content().splitlines()),
    )


def _answer(code: int, reply: bytes | str) -> str:
    words = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    return f"The mail server refused: {code} {' '.join(words.split())}"[:REPLY_MAX]


def _why_not(error: smtplib.SMTPException | OSError) -> str:
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return "The mail server closed the connection, or did not answer in time."
    if isinstance(error, smtplib.SMTPException):
        return "The mail server does not offer what sending needs, such as signing in."
    if isinstance(error, ssl.SSLError):
        return f"There is no secure connection to the mail server: {error.reason}."
    return f"The mail server cannot be reached: {error.strerror or 'no connection'}."


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
