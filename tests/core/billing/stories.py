"""The stories that the golden invoices tell. Each leaves a workspace whose invoices are then read."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from core.billing import drafts, invoices
from core.conversations.commands import follow_merge
from core.ports.clock import FrozenClock
from core.unit import Identity, Unit
from data.billing import Conversation, Invoice, PlanChange
from data.enums import InvoiceState, MessageState, OpenedBy, PlanName
from data.messages import Message
from data.people import Workspace
from tests.conftest import PHONE_ID
from tests.core.ledger import CLERK, Ledger, Said

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)
JANUARY = datetime(2027, 1, 1, tzinfo=UTC)


@dataclass
class Story:
    ledger: Ledger

    @property
    def owner(self) -> Identity:
        return self.ledger.place.owner

    def set(self, **values: Any) -> None:
        with self.ledger.runtime.unit(CLERK, write=True) as unit:
            workspace = unit.session.get_one(Workspace, self.ledger.place.workspace.id)
            for name, value in values.items():
                setattr(workspace, name, value)
            unit.session.add(workspace)

    def go_to(self, moment: datetime) -> None:
        clock = self.ledger.runtime.clock
        assert isinstance(clock, FrozenClock)
        clock.advance((moment - clock.now()).total_seconds())

    def change_plan(self, at: datetime, old: PlanName, new: PlanName) -> None:
        self.set(plan=new)
        with self.ledger.runtime.unit(CLERK, write=True) as unit:
            unit.session.add(
                PlanChange(
                    id=unit.new_id("plc"),
                    workspace_id=self.ledger.place.workspace.id,
                    at=at,
                    old=old,
                    new=new,
                    changed_by="test",
                )
            )

    def act(self, command: Callable[[Unit], Any]) -> Any:
        with self.ledger.runtime.unit(self.owner, write=True) as unit:
            return command(unit)

    def invoices(self) -> list[Invoice]:
        """All of them, oldest first, the drafts as of now."""

        def read(unit: Unit) -> list[Invoice]:
            drafts.refresh(unit, unit.workspace())
            return sorted(unit.session.exec(unit.scoped(Invoice)), key=lambda one: (one.period, one.id))

        found: list[Invoice] = self.act(read)
        return found

    def finalise(self, period: str, **options: Any) -> Invoice:
        (draft,) = [
            one for one in self.invoices() if one.period == period and one.state is InvoiceState.DRAFT
        ]
        found: Invoice = self.act(lambda unit: invoices.finalise(unit, draft.id, **options))
        return found


def two_days(story: Story) -> None:
    day = NOVEMBER + 19 * DAY + 10 * HOUR
    story.ledger.write(
        [
            Said("a", day),
            Said("b", day + HOUR / 2, inbound=False),
            Said("c", day + HOUR),
            Said("d", day + DAY + HOUR / 2, inbound=False),
        ]
    )
    story.go_to(DECEMBER + HOUR)
    story.finalise("2026-11")


def month_edge(story: Story) -> None:
    story.ledger.write(
        [
            Said("a", DECEMBER - timedelta(microseconds=1)),
            Said("b", DECEMBER + HOUR),
            Said("c", DECEMBER, contact="con_2"),
        ]
    )
    story.go_to(DECEMBER + DAY)
    story.finalise("2026-11")


def zone_change(story: Story) -> None:
    story.set(pending_timezone="Asia/Tokyo", pending_timezone_from=DECEMBER)
    story.ledger.write(
        [
            Said("a", DECEMBER - HOUR),
            Said("b", DECEMBER, contact="con_2"),
            Said("c", JANUARY - 10 * HOUR, contact="con_3"),
            Said("d", JANUARY - 9 * HOUR, contact="con_4"),
        ]
    )
    story.go_to(JANUARY + DAY)
    story.finalise("2026-11")
    story.finalise("2026-12")


def plan_change(story: Story) -> None:
    story.change_plan(NOVEMBER + 15 * DAY, PlanName.STARTER, PlanName.PRO)
    story.ledger.many(305, NOVEMBER, apart=HOUR)
    story.ledger.many(4, NOVEMBER + 20 * DAY, apart=HOUR, name="n")
    story.go_to(DECEMBER + HOUR)
    story.finalise("2026-11")


def late_event(story: Story) -> None:
    story.set(plan=PlanName.STARTER)
    story.ledger.many(101, NOVEMBER, apart=HOUR)
    story.go_to(DECEMBER + 4 * DAY)
    story.finalise("2026-11")
    story.ledger.write(
        [
            Said("late", NOVEMBER + 29 * DAY, contact="con_late", arrived=DECEMBER + 4 * DAY),
            Said("inside", NOVEMBER + HOUR, contact="con_m00000", arrived=DECEMBER + 4 * DAY),
        ]
    )
    story.go_to(JANUARY + HOUR)
    story.finalise("2026-12")


def void_and_replace(story: Story) -> None:
    story.ledger.write([Said("a", NOVEMBER + 10 * DAY), Said("b", NOVEMBER + 20 * DAY, contact="con_2")])
    story.go_to(DECEMBER + HOUR)
    first = story.finalise("2026-11")
    story.ledger.write([Said("c", NOVEMBER + 25 * DAY, contact="con_3", arrived=DECEMBER + HOUR)])
    story.act(lambda unit: invoices.void(unit, first.id, reason="The wrong plan"))
    story.finalise("2026-11")


def free_plan(story: Story) -> None:
    story.set(plan=PlanName.FREE)
    story.ledger.many(103, NOVEMBER, apart=HOUR)
    story.go_to(DECEMBER + HOUR)
    story.finalise("2026-11")


def enterprise(story: Story) -> None:
    story.set(plan=PlanName.ENTERPRISE)
    story.ledger.write([Said("a", NOVEMBER)])
    story.ledger.settle()
    with story.ledger.runtime.unit(CLERK, write=True) as unit:
        unit.session.connection().execute(
            Conversation.__table__.insert(),  # type: ignore[attr-defined]
            [
                {
                    "id": f"cnv_e{number:05d}",
                    "workspace_id": story.ledger.place.workspace.id,
                    "phone_number_id": PHONE_ID,
                    "contact_id": "con_1",
                    "opened_at": NOVEMBER + DAY + timedelta(seconds=number),
                    "closes_at": NOVEMBER + 2 * DAY + timedelta(seconds=number),
                    "opened_by": OpenedBy.CUSTOMER,
                    "messages_in": 1,
                    "messages_out": 0,
                    "billed": 0,
                }
                for number in range(50_001)
            ],
        )
    story.go_to(DECEMBER + HOUR)
    story.finalise("2026-11")


def failed_after(story: Story) -> None:
    story.set(plan=PlanName.STARTER)
    story.ledger.many(100, NOVEMBER, apart=HOUR)
    story.ledger.write(
        [Said("x", NOVEMBER + 20 * DAY, inbound=False, state=MessageState.SENT, contact="con_x")]
    )
    story.go_to(DECEMBER + HOUR)
    story.finalise("2026-11")
    story.ledger.report("x", "failed", DECEMBER, state=MessageState.FAILED)
    story.go_to(JANUARY + HOUR)
    story.finalise("2026-12", confirm=True)


def contact_merge(story: Story) -> None:
    day = NOVEMBER + 5 * DAY
    story.ledger.write([Said("a", day), Said("b", day + HOUR, contact="con_2")])
    story.go_to(DECEMBER + HOUR)
    story.finalise("2026-11")

    def merge(unit: Unit) -> None:
        follow_merge(unit, workspace_id=unit.workspace_id, old="con_2", new="con_1")
        message = unit.session.get_one(Message, "msg_b")
        message.contact_id = "con_1"
        unit.session.add(message)

    story.act(merge)
    story.go_to(JANUARY + HOUR)
    story.finalise("2026-12")


def daylight_change(story: Story) -> None:
    story.set(timezone="Europe/Berlin")
    before = datetime(2026, 10, 24, 8, 0, tzinfo=UTC)  # 10:00 in Berlin, in summer still
    story.ledger.write(
        [Said("a", before), Said("b", before + DAY - timedelta(seconds=1)), Said("c", before + DAY)]
    )
    story.finalise("2026-10")


def odd_count(story: Story) -> None:
    story.ledger.many(503, NOVEMBER, apart=HOUR)
    story.go_to(DECEMBER + HOUR)
    story.finalise("2026-11")


def nothing(story: Story) -> None:
    story.go_to(DECEMBER + HOUR)
    story.finalise("2026-11")


STORIES: dict[str, Callable[[Story], None]] = {
    story.__name__: story
    for story in (
        two_days,
        month_edge,
        zone_change,
        plan_change,
        late_event,
        void_and_replace,
        free_plan,
        enterprise,
        failed_after,
        contact_merge,
        daylight_change,
        odd_count,
        nothing,
    )
}
