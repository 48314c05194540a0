"""Takes due mail to the mail server, one at a time and outside every transaction."""

import structlog

from core.mail.commands import SEALED_AS, Claim, claim, settle
from core.ports.mail import Letter, MailError
from core.ports.vault import VaultError
from core.runtime import Runtime
from core.unit import Identity

log = structlog.get_logger()

POSTMAN = Identity(process="mail")
MOST = 50


def deliver_due(runtime: Runtime) -> int:
    """Sends what is due until nothing is, or one fails: then the server may be down, and the next call tries
    the next mail. How many were sent, at most 50.

    A crash between the server's yes and our note of it sends a mail twice, under the same Message-ID.
    """
    for sent in range(MOST):
        with runtime.unit(POSTMAN, write=True) as unit:
            next_one = claim(unit)
        if next_one is None:
            return sent
        error = _try(runtime, next_one)
        with runtime.unit(POSTMAN, write=True) as unit:
            settle(unit, next_one, error=error)
        if error is not None:
            log.warning("a mail was not sent", mail=next_one.id, attempt=next_one.attempt, why=error.sentence)
            return sent
    return MOST


def _try(runtime: Runtime, claimed: Claim) -> MailError | None:
    try:
        text = runtime.vault.open(
            claimed.sealed_text, workspace_id=claimed.workspace_id or "", field=SEALED_AS
        )
        runtime.mail.deliver(
            Letter(
                id=claimed.id,
                to=claimed.recipient,
                subject=claimed.subject,
                text=text,
                at=runtime.clock.now(),
                attachment=claimed.attachment,
            )
        )
    except VaultError as error:
        return MailError(str(error), is_final=True)
    except MailError as error:
        return error
    return None
