"""When a schedule runs, and when its failing is a person's business, as pure functions."""

from datetime import datetime, timedelta

from data.columns import EPOCH

TROUBLE_TIMES = 3
TROUBLE_AFTER = timedelta(seconds=60)


def next_tick(after: datetime, *, every_s: float, at_s: float) -> datetime:
    """The first moment later than ``after`` that lies ``at_s`` and a whole number of ``every_s`` past
    midnight UTC. However many were missed, there is one next.

    *Every hour at 420 s: after 9:06:59 9:07, after 9:07 sharp 10:07. Every 6 hours: after 14:30 18:00.*
    """
    every, first = timedelta(seconds=every_s), EPOCH + timedelta(seconds=at_s)
    return first + ((after - first) // every + 1) * every


def is_trouble(*, failures: int, since: datetime, now: datetime) -> bool:
    """Whether somebody must see to it: three failures in a row, over a minute and more.

    *Three in three seconds, as while a database starts again → no; three over three hours → yes.*
    """
    return failures >= TROUBLE_TIMES and now - since >= TROUBLE_AFTER
