"""What a phone in trouble costs another: the time within which 95 % of the other's messages are out."""

import json
import sqlite3
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from statistics import quantiles

import bodies
from drain import GIVE_UP_S, LOOK_EVERY_S, answering, settings_for
from processes import printed, running

TROUBLED, OTHER = bodies.phone_id(0), bodies.phone_id(1)
_LEFT = "SELECT count(*) FROM message WHERE phone_number_id = ? AND state <> 'sent'"
_WAITED = (
    "SELECT (finished_at - (SELECT min(claimed_at) FROM attempt)) / 1e6 FROM attempt "
    "JOIN message ON message.id = attempt.message_id WHERE phone_number_id = ? AND outcome = 'accepted'"
)


def _alone(database: sqlite3.Connection) -> None:
    database.execute("DELETE FROM message WHERE phone_number_id = ?", [TROUBLED])


def _held(database: sqlite3.Connection) -> None:
    database.execute(
        "INSERT INTO hold (id, workspace_id, scope, subject, cause, reason, held_at) "
        "SELECT 'hld_1', workspace_id, 'lane', id, 'person', 'Bench', synced_at FROM phone WHERE id = ?",
        [TROUBLED],
    )


def _poisoned(database: sqlite3.Connection) -> None:
    columns = "workspace_id, waba_id, language, category, status, parameter_format, components, synced_at"
    database.execute(
        f"INSERT INTO template (id, name, {columns}) SELECT 'tpl_1', ?, {columns} FROM template",
        [bodies.POISONED],
    )
    named = json.dumps(bodies.POISONED)
    database.execute(
        "UPDATE message SET template_name = ?, payload = json_set(payload, '$.template.name', json(?)) "
        "WHERE phone_number_id = ?",
        [bodies.POISONED, named, TROUBLED],
    )


def _slow(_database: sqlite3.Connection) -> None:
    """Meta's doing."""


TROUBLES: Mapping[str, Callable[[sqlite3.Connection], None]] = {
    "a held phone": _held,
    "a phone that is answered after 10 s": _slow,
    "a phone whose template is poisoned": _poisoned,
}


def alone_s(*, messages: int) -> float:
    """Seconds, with nobody beside it."""
    return _waited_s(_alone, messages=messages)


def beside_s(trouble: str, *, messages: int) -> float:
    """Seconds, beside as many messages of a phone in that trouble."""
    return _waited_s(TROUBLES[trouble], messages=messages)


def _waited_s(prepare: Callable[[sqlite3.Connection], None], *, messages: int) -> float:
    slow_phone = TROUBLED if prepare is _slow else ""
    with tempfile.TemporaryDirectory(prefix="waypost-bench-") as name:
        folder = Path(name)
        with answering(folder, slow_phone=slow_phone) as address:
            settings = settings_for(address)
            printed("backlog.py", 2 * messages, 2, cwd=folder, settings=settings)
            with closing(sqlite3.connect(folder / "var" / "waypost.db")) as database:
                prepare(database)
                database.commit()
                with running("composed.py", "worker", cwd=folder, settings=settings):
                    give_up = time.monotonic() + GIVE_UP_S
                    while database.execute(_LEFT, [OTHER]).fetchone()[0]:
                        if time.monotonic() > give_up:
                            raise RuntimeError("the other phone's messages did not all go")
                        time.sleep(LOOK_EVERY_S)
                waited = [row[0] for row in database.execute(_WAITED, [OTHER])]
    return quantiles(waited, n=20)[-1]
