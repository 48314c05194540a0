"""Finding and adding people by their address."""

from collections.abc import Sequence

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col, or_, select

from core.unit import Unit
from data.enums import MemberStatus, Role
from data.people import Member, User


def user_by_email(unit: Unit, email: str, *, lock: bool = False) -> User | None:
    statement = select(User).where(col(User.email) == email)
    return unit.session.exec(statement.with_for_update() if lock else statement).first()


def find_or_add(unit: Unit, email: str) -> User:
    """The person with that address; a new one has no password yet. Two workspaces may invite one person at
    the same moment: there is one row."""
    table = User.__table__  # type: ignore[attr-defined]
    statement: sqlite.Insert | postgresql.Insert
    if unit.session.get_bind().dialect.name == "sqlite":
        statement = sqlite.insert(table)
    else:
        statement = postgresql.insert(table)
    row = {
        "id": unit.new_id("usr"),
        "email": email,
        "name": email.split("@")[0],
        "password_hash": "",
        "is_platform_admin": False,
        "is_platform_support": False,
        "created_at": unit.now,
    }
    unit.session.connection().execute(statement.on_conflict_do_nothing(index_elements=["email"]), row)
    return unit.session.exec(select(User).where(col(User.email) == email)).one()


def addresses(unit: Unit, workspace_id: str, *, roles: Sequence[Role]) -> list[str]:
    """Where people are told what concerns a workspace, each address once: its active members of those roles,
    and platform admins."""
    belongs = (
        select(Member.id)
        .where(
            col(Member.user_id) == col(User.id),
            col(Member.workspace_id) == workspace_id,
            col(Member.role).in_(roles),
            col(Member.status) == MemberStatus.ACTIVE,
        )
        .exists()
    )
    told = select(User.email).where(or_(belongs, col(User.is_platform_admin).is_(True)))
    return list(unit.session.exec(told.order_by(col(User.email))))
