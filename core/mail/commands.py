"""Mail is a row first (A2): what it tells of and the mail itself are committed together, or neither is."""

from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import text as literally
from sqlmodel import col, select
from sqlmodel.sql.expression import SelectOfScalar

from core.alerts.commands import raise_alert, resolve_alert
from core.mail.rules import mail_address, subject_line
from core.ports.mail import Attachment, MailError
from core.unit import Unit
from data.alerts import Mail
from data.enums import MailState

LADDER_S = (60, 300, 900)
# Longer than a whole conversation with a mail server may take.
LEASE = timedelta(seconds=120)
ERROR_MAX = 300
SEALED_AS = "mail.text"


@dataclass(frozen=True, slots=True)
class Claim:
    """One attempt at one mail. ``attempt`` counts from 1."""

    id: str
    attempt: int
    workspace_id: str | None
    recipient: str
    subject: str
    sealed_text: bytes = field(repr=False)
    attachment: Attachment | None = field(default=None, repr=False)


def send_mail(
    unit: Unit,
    *,
    to: str,
    subject: str,
    text: str,
    kind: str,
    workspace_id: str | None = None,
    attachment: Attachment | None = None,
) -> str:
    """The mail goes out once this unit is committed; the id of its row. The text is sealed until then, and
    gone afterwards, as is what is attached. ``kind`` says what it is, such as ``invitation``.

    Raises Impossible ``email`` when ``to`` is no address.
    """
    mail = Mail(
        id=unit.new_id("mail"),
        workspace_id=workspace_id,
        kind=kind,
        recipient=mail_address(to),
        subject=subject_line(subject),
        sealed_text=unit.vault.seal(_encodable(text), workspace_id=workspace_id or "", field=SEALED_AS),
        attachment_name=attachment.name if attachment else None,
        attachment_kind=attachment.kind if attachment else None,
        attachment=attachment.content if attachment else None,
        state=MailState.QUEUED,
        attempts=0,
        created_at=unit.now,
        due_at=unit.now,
    )
    unit.session.add(mail)
    return mail.id


def claim(unit: Unit) -> Claim | None:
    """The next mail that is due. Nobody else takes it while the lease runs."""
    mail = unit.session.exec(_next_due(unit).with_for_update(skip_locked=True)).first()
    if mail is None or mail.sealed_text is None:
        return None
    mail.attempts += 1
    mail.due_at = unit.now + LEASE
    unit.session.add(mail)
    return Claim(
        id=mail.id,
        attempt=mail.attempts,
        workspace_id=mail.workspace_id,
        recipient=mail.recipient,
        subject=mail.subject,
        sealed_text=mail.sealed_text,
        attachment=_attachment(mail),
    )


def settle(unit: Unit, claim: Claim, *, error: MailError | None = None) -> None:
    """What came of that attempt: sent, due again by the ladder, or failed with an alert. An attempt that
    another has overtaken changes nothing, unless it is the one that got through."""
    mail = unit.session.get_one(Mail, claim.id, with_for_update=True)
    if mail.state is not MailState.QUEUED or (error is not None and mail.attempts != claim.attempt):
        return
    if error is None:
        mail.sent_at = unit.now
        mail.last_error = None
        _close(mail, MailState.SENT)
        resolve_alert(unit, kind="mail_failed", subject=mail.recipient, workspace_id=mail.workspace_id)
    elif error.is_final or mail.attempts > len(LADDER_S):
        mail.last_error = error.sentence[:ERROR_MAX]
        _close(mail, MailState.FAILED)
        _raise_failed(unit, mail)
    else:
        mail.last_error = error.sentence[:ERROR_MAX]
        mail.due_at = unit.now + timedelta(seconds=LADDER_S[mail.attempts - 1])
    unit.session.add(mail)


def _next_due(unit: Unit) -> SelectOfScalar[Mail]:
    statement = select(Mail).where(literally("state = 'queued'"), col(Mail.due_at) <= unit.now)
    return statement.order_by(col(Mail.due_at), col(Mail.id)).limit(1)


def _attachment(mail: Mail) -> Attachment | None:
    if mail.attachment is None or mail.attachment_name is None or mail.attachment_kind is None:
        return None
    return Attachment(mail.attachment_name, mail.attachment_kind, mail.attachment)


def _encodable(text: str) -> str:
    """Half a character, which no mail can carry, becomes a question mark."""
    return text.encode(errors="replace").decode()


def _close(mail: Mail, state: MailState) -> None:
    mail.state = state
    mail.sealed_text = None
    mail.attachment = None
    mail.due_at = None


def _raise_failed(unit: Unit, mail: Mail) -> None:
    raise_alert(
        unit,
        kind="mail_failed",
        subject=mail.recipient,
        detail=f"“{mail.subject}” to {mail.recipient}, tried {mail.attempts} times. {mail.last_error}",
        workspace_id=mail.workspace_id,
    )
