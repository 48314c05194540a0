"""The bell of the frame: how many alerts are open, live, and the newest of them at a click."""

from collections.abc import Sequence

from core.alerts.queries import NewestAlert
from ui.format import plural, short_number
from ui.page import PageContext
from ui.parts.badge import SEVERITY_ICONS
from ui.parts.icon import icon
from ui.parts.region import Region
from ui.parts.text import box, text
from ui.parts.when import when
from ui.theme import icon_html

MENU = "newest-alerts"


def bell_html(page: PageContext) -> str:
    """The button in the header; nothing for those who may not see alerts."""
    count = page.surroundings.open_alerts
    if count is None:
        return ""
    name = bell_name(count)
    return (
        f'<button class="iconbtn bell" type="button" popovertarget="{MENU}" aria-label="{name}" '
        f'title="{name}">{icon_html("bell")}<span class="bellcount" data-count="open_alerts" '
        f'aria-hidden="true">{short_number(count) if count else ""}</span></button>'
    )


def bell_name(count: int | None) -> str:
    return plural(count, "open alert") if count else "No open alerts"


class BellMenu:
    """What the bell opens. Titles are people's words too, so it is drawn as text, not in the frame's HTML."""

    def __init__(self, page: PageContext) -> None:
        self._page = page
        with page.client.content, box("menu bellmenu", label="Newest alerts") as menu:
            menu.props["id"] = MENU
            menu.props["popover"] = "auto"
            self._list = Region(self._draw)
            with box("all", tag="a") as all_of_them:
                all_of_them.props["href"] = "/alerts"
                text("All alerts")
        self.show()

    def show(self) -> None:
        """As the page's surroundings are by now."""
        self._list.show(self._page.surroundings.newest_alerts)

    def _draw(self, newest: Sequence[NewestAlert]) -> None:
        if not newest:
            text("No open alerts. What needs someone appears here.", "nothing", tag="p")
            return
        with box("newest", tag="ul"):
            for alert in newest:
                self._line(alert)

    def _line(self, alert: NewestAlert) -> None:
        name, means = SEVERITY_ICONS[alert.severity]
        with box(tag="li"), box("line", tag="a") as line:
            line.props["href"] = f"/alerts?open={alert.id}"
            with box(f"sev {alert.severity.value}", tag="span"):
                icon(name)
                text(f"{means}: ", "sr-only")
            with box("words", tag="span"):
                text(alert.title, tag="b")
                text(alert.about, "cs")
            when(self._page, alert.opened_at)
