"""Workspaces with conversations of this month and the last, for the pages about what they cost."""

import itertools
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Page
from sqlmodel import col, select

from core.billing.queries import current_month
from core.conversations.commands import catch_up, mark_due
from core.ids import new_id
from data.billing import Conversation
from data.enums import Direction, MessageKind, MessageState, OpenedBy
from data.messages import Contact, Message
from data.people import Workspace
from data.sending import Phone
from tests.conftest import Place
from tests.console import Console
from tests.core.ledger import CLERK

_numbers = itertools.count(1)


@dataclass
class Books:
    """What is owed by ``place``. Months are UTC's."""

    console: Console
    place: Place

    @property
    def now(self) -> datetime:
        return self.console.runtime.clock.now()

    @property
    def this_month(self) -> datetime:
        with self.console.runtime.unit(self.place.owner) as unit:
            return current_month(unit).period.start

    @property
    def last_month(self) -> datetime:
        start = self.this_month
        return datetime(start.year - (start.month == 1), (start.month - 2) % 12 + 1, 1, tzinfo=UTC)

    @property
    def phones(self) -> list[str]:
        with self.console.runtime.unit(CLERK) as unit:
            statement = select(Phone.id).where(col(Phone.workspace_id) == self.place.workspace.id)
            return list(unit.session.exec(statement.order_by(col(Phone.id))))

    def change(self, **values: object) -> None:
        with self.console.runtime.unit(CLERK, write=True) as unit:
            workspace = unit.session.get_one(Workspace, self.place.workspace.id)
            for name, value in values.items():
                setattr(workspace, name, value)
            unit.session.add(workspace)

    def fill(self, count: int, *, last: bool = False, name: str = "Mara Vogel") -> list[str]:
        """That many conversations spread over the month up to now, or over the whole last one; each third is
        opened by the business, each fourth on the second number. Their ids, oldest first."""
        start = self.last_month if last else self.this_month
        end = self.this_month if last else self.now
        phones, ids = self.phones, []
        contacts, messages, pairs = [], [], []
        for number in range(count):
            at = start + (end - start) * number / count
            who, message_id = new_id("con", at), new_id("msg", at)
            side = OpenedBy.BUSINESS if number % 3 == 2 else OpenedBy.CUSTOMER
            is_sent = side is OpenedBy.BUSINESS
            wa_id = f"49151{next(_numbers):07d}"
            contacts.append(
                Contact(
                    id=who, workspace_id=self.place.workspace.id, wa_id=wa_id, name=name, created_at=self.now
                )
            )
            phone = phones[number % 4 == 3]
            messages.append(
                Message(
                    id=message_id,
                    workspace_id=self.place.workspace.id,
                    phone_number_id=phone,
                    contact_id=who,
                    direction=Direction.OUTBOUND if is_sent else Direction.INBOUND,
                    kind=MessageKind.TEXT,
                    recipient=f"+{wa_id}",
                    payload={"text": "Hello"},
                    state=MessageState.DELIVERED if is_sent else MessageState.RECEIVED,
                    meta_type=None if is_sent else "text",
                    wamid=f"wamid.{message_id}",
                    created_at=at,
                    sent_at=at,
                )
            )
            ids.append(message_id.replace("msg_", "cnv_"))
            pairs.append((phone, who))
        with self.console.runtime.unit(CLERK, write=True) as unit:
            for rows in (contacts, messages):
                unit.session.add_all(rows)
                unit.session.flush()
            mark_due(unit, pairs)
            catch_up(unit, self.place.workspace.id)
            assert unit.session.get(Conversation, ids[0]) is not None
        return ids


def look(page: Page, name: str) -> None:
    """Keeps a picture where ``WAYPOST_SHOTS`` says."""
    if folder := os.environ.get("WAYPOST_SHOTS"):
        width = page.viewport_size["width"] if page.viewport_size else 0
        dark = page.evaluate("document.documentElement.classList.contains('dark')")
        page.screenshot(
            path=str(Path(folder) / f"{name}-{width}{'-dark' if dark else ''}.png"), full_page=True
        )
