"""Templates that were submitted and never answered: what is known of each, and the way to try again."""

from collections.abc import Sequence
from functools import partial

from core.templates.submissions import SubmissionView, put_aside, unsettled
from data.enums import SubmissionKind
from ui.page import PageContext
from ui.parts.button import button
from ui.parts.callout import callout
from ui.parts.region import Region
from ui.parts.text import box


class Unsettled:
    """Nothing while all is settled, which is nearly always."""

    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._shown = Region(self._draw, "stack warnings", role="status")

    async def show(self) -> None:
        self._shown.show(await self._page.read(unsettled))

    def _draw(self, found: Sequence[SubmissionView]) -> None:
        for each in found:
            named = f"{each.name} ({each.language})"
            at = self._page.times.short(each.asked_at)
            if not each.can_dismiss:
                callout(
                    f"It is not known yet whether Meta has {named}",
                    f"Submitted {at}, and the answer never came.",
                    advice="Waypost looks at Meta in a moment.",
                    tone="amber",
                )
                continue
            is_edit = each.kind is SubmissionKind.EDIT
            with callout(
                f"The edit of {named} got lost" if is_edit else f"{named} got lost on its way to Meta",
                f"Submitted {at}; Meta does not have it. What was written is kept.",
                tone="amber",
            ):
                if not self._page.can("templates.manage"):
                    continue
                with box("rowline"):
                    if not is_edit:
                        button("Open again", partial(self._again, each), icon="pencil", small=True)
                    button("Put aside", partial(self._put_aside, each), small=True)

    def _again(self, lost: SubmissionView) -> None:
        self._page.leave(f"/templates/new?again={lost.id}")

    async def _put_aside(self, lost: SubmissionView) -> None:
        await self._page.write(lambda unit: put_aside(unit, lost.id), done="Put aside")
        await self.show()
