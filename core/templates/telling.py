"""Telling people that a workspace's templates are rejected too often (T3): one alert and one mail a level."""

from core.alerts.commands import raise_alert, resolve_alert
from core.alerts.kinds import kind_of
from core.mail.commands import send_mail
from core.team.people import addresses
from core.unit import Unit
from data.enums import AbuseLevel, Role
from data.people import Workspace

FLAGGED = "workspace_flagged"
WARNING = "templates_rejected"
PAGE = "/templates"
_WHAT_NOW = {
    AbuseLevel.WARNING: (
        "Nothing is refused yet. Read on the Templates page why Meta rejected them, and mend those before "
        "submitting more."
    ),
    AbuseLevel.FLAGGED: (
        "New templates are refused until a platform admin clears the flag. Approved ones still send. Read on "
        "the Templates page why Meta rejected them, and tell your platform admin what you changed."
    ),
}


def went_up(unit: Unit, workspace_id: str, level: AbuseLevel, reasons: tuple[str, ...]) -> None:
    """An alert is open and says why; owners, managers and platform admins have mail."""
    kind = kind_of(FLAGGED if level is AbuseLevel.FLAGGED else WARNING)
    workspace = unit.session.get_one(Workspace, workspace_id)
    why = " ".join(reasons)
    raise_alert(
        unit,
        kind=kind.key,
        subject=workspace.slug,
        severity=kind.severity,
        title=kind.title,
        detail=why,
        workspace_id=workspace_id,
        link=PAGE,
    )
    word = "is flagged" if level is AbuseLevel.FLAGGED else "is close to being flagged"
    for address in addresses(unit, workspace_id, roles=(Role.OWNER, Role.MANAGER)):
        send_mail(
            unit,
            to=address,
            subject=f"{workspace.name} {word} for rejected templates",
            text=(
                f"The workspace {workspace.name} {word}.\n\n{why}\n\n"
                f"What to do: {_WHAT_NOW[level]}\n\n{unit.settings.public_url}{PAGE}\n"
            ),
            kind="templates",
            workspace_id=workspace_id,
        )


def warning_is_over(unit: Unit, workspace_id: str) -> None:
    _resolve(unit, WARNING, workspace_id)


def flag_is_cleared(unit: Unit, workspace_id: str) -> None:
    _resolve(unit, FLAGGED, workspace_id)


def _resolve(unit: Unit, kind: str, workspace_id: str) -> None:
    workspace = unit.session.get_one(Workspace, workspace_id)
    resolve_alert(unit, kind=kind, subject=workspace.slug, workspace_id=workspace_id)
