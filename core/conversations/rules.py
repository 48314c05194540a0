"""Events in, conversations out (B1, B4). Moments are whole microseconds: millions pass through here."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

LENGTH = 86_400 * 1_000_000
# B3: an event from further in the future happened when it arrived; one older than this is not billed.
FUTURE = 300 * 1_000_000
STALE = 35 * 86_400 * 1_000_000
# B2: Meta's words for what counts of what a customer sends. Reactions, system notes, edits, deletions and
# what Meta does not support do not.
QUALIFYING = (
    "text",
    "image",
    "audio",
    "video",
    "document",
    "sticker",
    "location",
    "contacts",
    "interactive",
    "button",
    "order",
)


class TimeFlag(StrEnum):
    """What is odd about the time that Meta reported (B3). ``ahead``: so far in the future that the arrival
    counts instead; ``stale``: so long past that nothing is billed for it."""

    AHEAD = "ahead"
    STALE = "stale"


def flag_of(at: int, *, arrived: int) -> TimeFlag | None:
    """*Six minutes after it arrived → ahead; 36 days before → stale; an hour before → None.*"""
    if at > arrived + FUTURE:
        return TimeFlag.AHEAD
    return TimeFlag.STALE if at < arrived - STALE else None


class Event(NamedTuple):
    """One message that counts. As tuples, events sort the way B1 wants: by time, inbound first, provider id.

    ``known_at`` is the time it had before Meta reported a better one; None when it never had another.
    """

    at: int
    is_outbound: int
    provider_id: str
    message_id: str
    known_at: int | None = None


class Window(NamedTuple):
    """One conversation: ``[opened_at, closes_at)``, opened by the message ``opener``."""

    opener: str
    opened_at: int
    closes_at: int
    is_outbound: int
    messages_in: int
    messages_out: int


def windows(events: Iterable[Event], frozen: Sequence[Window] = ()) -> list[Window]:
    """The conversations of one phone and contact, oldest first; ``events`` in any order, each once.

    *10:00 customer, 10:30 reply, 11:00 customer, next day 10:30 you → 2 conversations: the first runs until
    10:00 of the next day, whatever is said in it.* Exactly 24 hours later is a new one.

    ``frozen`` ones stand as they are, with the messages they hold now. What lies between them opens
    conversations that end, at the latest, where the next frozen one begins.
    """
    if frozen:
        return _around(sorted(frozen, key=_opened_at), events)
    return _open(sorted(events))


def _open(events: Iterable[Event], *, until: int | None = None) -> list[Window]:
    """Conversations of events in order, none longer than to ``until``."""
    found: list[Window] = []
    opener, opened_at, closes_at, side, count, outbound = "", 0, -(2**63), 0, 0, 0
    for at, is_outbound, _, message_id, _ in events:
        if at >= closes_at:
            if count:
                found.append(Window(opener, opened_at, closes_at, side, count - outbound, outbound))
            opener, opened_at, side, count, outbound = message_id, at, is_outbound, 0, 0
            closes_at = at + LENGTH if until is None else min(at + LENGTH, until)
        count += 1
        outbound += is_outbound
    if count:
        found.append(Window(opener, opened_at, closes_at, side, count - outbound, outbound))
    return found


def _around(frozen: list[Window], events: Iterable[Event]) -> list[Window]:
    """Frozen conversations are fixed points: an event inside one belongs to it, each gap is on its own."""
    counts = {window.opener: [0, 0] for window in frozen}
    gaps: dict[int | None, list[Event]] = {}
    for event in sorted(events):
        holder = _holder(frozen, event)
        if holder is not None:
            counts[holder.opener][event.is_outbound] += 1
        else:
            ends = next((window.opened_at for window in frozen if window.opened_at > event.at), None)
            gaps.setdefault(ends, []).append(event)
    found = [
        window._replace(messages_in=counts[window.opener][0], messages_out=counts[window.opener][1])
        for window in frozen
    ]
    for ends, between in gaps.items():
        found += _open(between, until=ends)
    return sorted(found, key=_opened_at)


def _holder(frozen: list[Window], event: Event) -> Window | None:
    """The frozen conversation that an event belongs to: the one it opened, wherever a later report moved it;
    else the first around its time, or around the time that was known when it was frozen."""
    for window in frozen:
        if window.opener == event.message_id:
            return window
    for at in (event.at, event.known_at):
        for window in frozen:
            if at is not None and window.opened_at <= at < window.closes_at:
                return window
    return None


def _opened_at(window: Window) -> tuple[int, str]:
    return window.opened_at, window.opener


def conversation_id(opener: str) -> str:
    """*msg_01k9… → cnv_01k9…*"""
    return f"cnv_{opener.removeprefix('msg_')}"


def opener_of(conversation: str) -> str:
    return f"msg_{conversation.removeprefix('cnv_')}"
