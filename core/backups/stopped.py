"""Whether anything works on a database now."""

from sqlalchemy.exc import DBAPIError

from core.errors import DomainError, Impossible
from core.monitoring.queries import last_beats
from core.runtime import Runtime
from core.team.owners import COMMAND

# A process that has not said for so long that it is alive is not.
ALIVE_S = 30.0


def refuse_while_running(runtime: Runtime) -> None:
    """Impossible while a process of ours works on this SQLite file. One that cannot be read is in nobody's
    use."""
    if not runtime.database.path.exists():
        return
    try:
        with runtime.unit(COMMAND) as unit:
            beats, now = last_beats(unit), unit.now
    except (DBAPIError, DomainError):
        return
    if any((now - at).total_seconds() < ALIVE_S for at in beats.values()):
        raise Impossible(
            "Waypost is running on this database. Stop it, wait half a minute, and try again.", code="running"
        )
