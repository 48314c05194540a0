"""What a flag stops, and who lifts it (T3)."""

from core import access
from core.errors import Conflict, Forbidden, Impossible, NotFound
from core.templates import telling
from core.templates.standing import keep, lock_standing, standing_of
from core.unit import Unit
from data.abuse import AbuseFlag
from data.enums import AbuseLevel

REASON_MAX = 500


def require_unflagged(unit: Unit) -> None:
    """Refuses with 403 ``workspace_flagged`` when the actor's workspace must not create, edit or submit
    templates. Asked by every command that does, whoever calls it."""
    standing = standing_of(unit, unit.workspace_id)
    if standing.level is AbuseLevel.FLAGGED:
        raise Forbidden(
            f"This workspace is flagged: {' '.join(standing.reasons)} It cannot create or submit templates "
            "until a platform admin clears the flag; approved ones still send.",
            code="workspace_flagged",
            reasons=list(standing.reasons),
        )


def clear(unit: Unit, flag_id: str, *, reason: str) -> AbuseFlag:
    """The workspace is flagged no more, and what came before counts no more. By platform admins, with a
    reason that stands in the workspace's audit log. Conflict ``flag_cleared`` for one that is."""
    unit.require(access.PLATFORM_ADMIN)
    found = unit.session.get(AbuseFlag, flag_id)
    if found is None:
        raise NotFound("There is no such flag.")
    text = " ".join(reason.split())
    if not text or len(text) > REASON_MAX:
        raise Impossible(f"Say why, in 1 to {REASON_MAX} characters.", code="reason")
    standing = lock_standing(unit, found.workspace_id)
    flag = unit.session.get_one(AbuseFlag, flag_id, populate_existing=True)
    if flag.cleared_at is not None:
        raise Conflict("This flag is cleared already.", code="flag_cleared")
    flag.cleared_at, flag.cleared_by, flag.cleared_reason = unit.now, unit.actor.id, text
    unit.session.add(flag)
    standing.counts_from = standing.judged_at = unit.now
    unit.session.add(standing)
    telling.flag_is_cleared(unit, flag.workspace_id)
    keep(unit, standing)
    unit.record(
        "workspace.flag_cleared",
        f"workspace:{flag.workspace_id}",
        before={"reasons": flag.reasons},
        after={"reason": text},
        workspace_id=flag.workspace_id,
    )
    return flag
