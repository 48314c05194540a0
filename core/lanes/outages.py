"""Meta down (Q7): ten different messages in a row that failed in passing hold their lane; when the network or
a gateway is what failed, wherever they came from, they hold all lanes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import bindparam, text
from sqlmodel import col, select

from core.lanes.commands import EVERYTHING
from core.lanes.holding import hold, release
from core.unit import Unit
from data.columns import to_micros
from data.enums import HoldCause, HoldScope
from data.sending import FailureRun, Hold

IN_A_ROW = 10
REASON = "Meta cannot be reached, or fails at everything. Waypost tries one message now and then."
# A run that is there is locked by this already: another process that ends it meanwhile deletes its row.
_BEGIN = text(
    "INSERT INTO failure_run (subject, message_ids, held) VALUES (:subject, '[]', FALSE) "
    "ON CONFLICT (subject) DO UPDATE SET subject = excluded.subject"
)
# Every claim asks, and as a rule there is none.
_ANY_DUE = text(
    "SELECT 1 FROM hold WHERE released_at IS NULL AND cause = 'meta' AND probe_at <= :now LIMIT 1"
)
_END = text("DELETE FROM failure_run WHERE subject IN :subjects RETURNING subject, held").bindparams(
    bindparam("subjects", expanding=True)
)


class Heard(StrEnum):
    """What one try tells of Meta's state."""

    ANSWER = "answer"  # anything but a failure that passes by itself
    FAILURE = "failure"  # Meta's own words for one
    SILENCE = "silence"  # network_timeout, connection_failed, http_5xx: perhaps it was not even Meta


@dataclass(frozen=True, slots=True)
class Sign:
    """One try, in the order in which they ended."""

    phone_number_id: str
    workspace_id: str
    message_id: str
    heard: Heard


def note(unit: Unit, signs: Sequence[Sign]) -> Counter[str]:
    """Counts them; holds what has failed ten times in a row, and releases what Meta answers again.

    Returns message id → how many of its tries met a hold's cause, those that led to the hold included: what
    they used up is to be given back.
    """
    if all(sign.heard is Heard.ANSWER for sign in signs):
        _end_runs(unit, {EVERYTHING} | {sign.phone_number_id for sign in signs})
        return Counter()
    met: Counter[str] = Counter()
    runs = _Runs(unit, {EVERYTHING} | {sign.phone_number_id for sign in signs})
    for sign in signs:
        lane, everything = sign.phone_number_id, EVERYTHING
        if sign.heard is Heard.SILENCE:
            met.update(runs.add(everything, sign) or runs.add(lane, sign))
        else:
            runs.end(everything)
            if sign.heard is Heard.ANSWER:
                runs.end(lane)
            else:
                met.update(runs.add(lane, sign))
    runs.write()
    return met


def _end_runs(unit: Unit, subjects: set[str]) -> None:
    """What every send that Meta answers runs through: one statement, that as a rule finds nothing."""
    for subject, held in unit.session.connection().execute(_END, {"subjects": sorted(subjects)}):
        if held:
            _release(unit, subject)


def _release(unit: Unit, subject: str) -> None:
    if release(unit, scope=_scope(subject), subject=subject, cause=HoldCause.META):
        unit.ring()


def _scope(subject: str) -> HoldScope:
    return HoldScope.EVERYTHING if subject == EVERYTHING else HoldScope.LANE


class _Runs:
    """The runs of some subjects, changed in memory and written once."""

    def __init__(self, unit: Unit, subjects: set[str]) -> None:
        self._unit = unit
        self._runs = self._locked(subjects)

    def _locked(self, subjects: set[str]) -> dict[str, FailureRun]:
        """In order, so that nobody waits for one who waits for them."""
        ordered = sorted(subjects)
        self._unit.session.connection().execute(_BEGIN, [{"subject": subject} for subject in ordered])
        found = select(FailureRun).where(col(FailureRun.subject).in_(ordered))
        rows = self._unit.session.exec(found.order_by(col(FailureRun.subject)).with_for_update())
        return {row.subject: row for row in rows}

    def add(self, subject: str, sign: Sign) -> list[str]:
        """The messages of the run that this failure completes; of a complete one, this message alone; none
        while it is not complete."""
        run = self._runs[subject]
        if run.held:
            return [sign.message_id]
        run.message_ids = [*run.message_ids, sign.message_id]
        if len(set(run.message_ids)) < IN_A_ROW:
            return []
        run.held = True
        scope = _scope(subject)
        hold(
            self._unit,
            scope=scope,
            subject=subject,
            cause=HoldCause.META,
            reason=REASON,
            workspace_id=None if scope is HoldScope.EVERYTHING else sign.workspace_id,
        )
        return run.message_ids

    def end(self, subject: str) -> None:
        run = self._runs[subject]
        was_held, run.held, run.message_ids = run.held, False, []
        if was_held:
            _release(self._unit, subject)

    def write(self) -> None:
        self._unit.session.add_all(self._runs.values())
        self._unit.session.flush()


def due_probes(unit: Unit, *, lock: bool) -> list[Hold]:
    """The holds of an outage whose probe is due; with ``lock`` each for this transaction alone."""
    if unit.session.connection().execute(_ANY_DUE, {"now": to_micros(unit.now)}).first() is None:
        return []
    statement = (
        select(Hold)
        .where(
            col(Hold.released_at).is_(None),
            col(Hold.cause) == HoldCause.META,
            col(Hold.probe_at) <= unit.now,
        )
        .order_by(col(Hold.probe_at))
        .limit(50)
    )
    return list(unit.session.exec(statement.with_for_update(skip_locked=True) if lock else statement))
