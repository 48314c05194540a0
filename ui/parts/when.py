"""A moment: relative for the eye, counted on by the browser, exact on hover."""

from datetime import datetime

from ui.format import relative
from ui.page import PageContext
from ui.parts.text import Text, text


def when(page: PageContext, moment: datetime, classes: str = "") -> Text:
    made = text(relative(moment, page.now()), f"num {classes}".strip(), tag="time")
    made.props["datetime"] = moment.isoformat()
    made.props["title"] = page.times.exact(moment)
    made.props["data-relative"] = True
    return made
