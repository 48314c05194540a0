"""People and names for the tests of the people pages."""

from datetime import datetime

from sqlmodel import col, select, update

from core.team.owners import COMMAND
from data.enums import MemberStatus, Role
from data.people import BrowserSession, Member, User
from tests.conftest import Place
from tests.console import Console

# Names that are more than names where text is taken for anything else.
CORPUS = (
    "<script>window.hacked = 1</script>",
    "<img src=x onerror='window.hacked = 1'>",
    "\"><svg onload='window.hacked = 1'>",
    "{{ window.hacked = 1 }}",
    "${window.hacked = 1}",
    "javascript:window.hacked=1",
    "'; window.hacked = 1; //",
    "‮evil‬ &lt;b&gt;",
)


def add(console: Console, place: Place, role: Role, name: str) -> str:
    """The id of a new member of that name."""
    email = console.add_person(place, role)
    with console.runtime.unit(COMMAND, write=True) as unit:
        user = unit.session.exec(select(User).where(col(User.email) == email)).one()
        user.name = name
        unit.session.add(user)
        return unit.session.exec(select(Member.id).where(col(Member.user_id) == user.id)).one()


def member(console: Console, member_id: str) -> Member:
    with console.runtime.unit(COMMAND) as unit:
        return unit.session.get_one(Member, member_id)


def join(console: Console, email: str, place: Place, role: Role) -> None:
    """That person is a member of this other workspace too."""
    with console.runtime.unit(COMMAND, write=True) as unit:
        user = unit.session.exec(select(User).where(col(User.email) == email)).one()
        unit.session.add(
            Member(
                id=unit.new_id("mem"),
                workspace_id=place.workspace.id,
                user_id=user.id,
                role=role,
                status=MemberStatus.ACTIVE,
                joined_at=unit.now,
            )
        )


def forget_proof(console: Console, place: Place, at: datetime | None = None) -> None:
    """The browsers of this workspace were last told a password at that moment, or never."""
    with console.runtime.unit(COMMAND, write=True) as unit:
        unit.session.exec(
            update(BrowserSession)
            .where(col(BrowserSession.workspace_id) == place.workspace.id)
            .values(confirmed_at=at)
        )


def make_platform_admin(console: Console, email: str) -> None:
    with console.runtime.unit(COMMAND, write=True) as unit:
        user = unit.session.exec(select(User).where(col(User.email) == email)).one()
        user.is_platform_admin = True
        unit.session.add(user)
