"""The team in words: standings, roles, and what is done about a member."""

from core.team.queries import MemberRow
from core.team.rules import Act, Standing
from data.enums import Role
from ui.page import PageContext
from ui.parts.badge import Word
from ui.parts.table import Cell, Column, TableRow, badge_cell, text_cell, when_cell

STANDING: dict[Standing, Word] = {
    Standing.ACTIVE: ("Active", "green"),
    Standing.INVITED: ("Invited", "blue"),
    Standing.EXPIRED: ("Expired", "amber"),
    Standing.SUSPENDED: ("Suspended", "amber"),
    Standing.REMOVED: ("Removed", "grey"),
}
ROLE = {role: role.value.capitalize() for role in Role}
# What can be done about someone who stands so, in the order of the buttons.
ACTS: dict[Standing, tuple[Act, ...]] = {
    Standing.ACTIVE: (Act.SUSPEND, Act.REMOVE),
    Standing.INVITED: (Act.RESEND, Act.REVOKE),
    Standing.EXPIRED: (Act.RESEND, Act.REVOKE),
    Standing.SUSPENDED: (Act.REINSTATE, Act.REMOVE),
    Standing.REMOVED: (),
}
COLUMNS = (
    Column("person", "Person", card="title"),
    Column("role", "Role", card="foot", width="130px"),
    Column("status", "Status", card="foot", width="190px"),
    Column("factor", "Second factor", card="hidden", width="130px"),
    Column("seen", "Last seen", card="aside", width="130px", right=True),
)


def table_row(page: PageContext, row: MemberRow) -> TableRow:
    return TableRow(
        row.id,
        row.email,
        (
            text_cell(f"{row.name} (you)" if row.is_self else row.name, row.email, title=row.name),
            text_cell(ROLE[row.role]),
            _status(row),
            text_cell("On" if row.has_second_factor else "Off"),
            when_cell(page, row.last_seen_at),
        ),
    )


def _status(row: MemberRow) -> Cell:
    if row.standing in (Standing.INVITED, Standing.EXPIRED):
        verb = "ends" if row.standing is Standing.INVITED else "ended"
        return badge_cell(STANDING[row.standing], verb, at=row.invited_until)
    return badge_cell(STANDING[row.standing])
