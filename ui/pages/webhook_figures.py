"""How webhooks flow, at a glance."""

from core.inbox.figures import InboxFigures, figures
from data.enums import DeliveryState
from ui.format import duration, number, relative
from ui.page import PageContext
from ui.parts.stat import Stat, stats


class Figures:
    """``await show()`` reads and draws them, at the start and whenever something was committed."""

    def __init__(self, page: PageContext) -> None:
        self._page = page
        with stats():
            self._rate = Stat("Last minute", tone="blue")
            self._last = Stat("Last received", tone="blue")
            self._lag = Stat("Lag", tone="amber")
            self._failed = Stat("Failed", tone="red")
            self._bad = Stat("Wrong signatures", tone="red")

    async def show(self) -> None:
        found = await self._page.read(figures)
        day = sum(found.last_day.values())
        self._rate.show(number(found.received_last_minute), f"{number(day)} in 24 hours")
        self._show_last(found)
        pending = found.status.pending
        self._lag.show(duration(found.lag_s), f"{number(pending)} pending" if pending else "nothing waits")
        failed_today = found.last_day[DeliveryState.FAILED]
        self._failed.show(number(found.status.failed), f"{number(failed_today)} in 24 hours")
        self._bad.show(number(found.bad_signatures), "refused in 24 hours")

    def _show_last(self, found: InboxFigures) -> None:
        if found.last_received_at is None:
            self._last.show("Never", "nothing arrived yet")
        else:
            exact = self._page.times.exact(found.last_received_at)
            self._last.show(relative(found.last_received_at, self._page.now()).capitalize(), exact)
