"""``/templates``: Meta's message forms as the workspace has them."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from core.moments import rfc3339
from core.templates.creating import create
from core.templates.drafts import read_draft
from core.templates.lists import TemplateFilter, TemplateView, list_templates
from core.templates.sync import sync_templates
from ui.api.messages import Limit
from ui.api.route import ApiRoute, identity_of, needs, runtime_of
from ui.api.shapes import CreateTemplateBody

router = APIRouter(prefix="/templates", tags=["Templates"], route_class=ApiRoute)
Word = Annotated[str | None, Query(max_length=64)]


@router.get("")
@needs("templates.view")
def templates(
    request: Request,
    status: Word = None,
    category: Word = None,
    language: Word = None,
    q: Annotated[str | None, Query(max_length=512)] = None,
    limit: Limit = 50,
    cursor: Word = None,
) -> dict[str, Any]:
    """The templates of the workspace by name and language; `q` is a part of the name."""
    wanted = TemplateFilter(
        q=q,
        status=status.upper() if status else None,
        category=category.upper() if category else None,
        language=language,
    )
    with runtime_of(request).unit(identity_of(request)) as unit:
        page = list_templates(unit, wanted, cursor=cursor, limit=limit)
    return {"items": [_template_json(each) for each in page.items], "nextCursor": page.next_cursor}


@router.post("", status_code=201)
@needs("templates.manage")
async def create_template(request: Request, body: CreateTemplateBody) -> dict[str, Any]:
    """Submits a template to Meta, once it keeps Meta's rules: 422 `template_invalid` lists what does not, in
    `fields`. `components` are Meta's, with examples; variables with names instead of numbers are seen as
    such. `category` in the answer is the one that Meta gave. The verdict follows by webhook."""
    draft = read_draft(
        name=body.name, language=body.language, category=body.category, components=body.components
    )
    made = await create(runtime_of(request), identity_of(request), draft, waba_id=body.waba_id)
    return {"id": made.meta_id, "name": made.name, "status": made.status, "category": made.category}


@router.post("/sync")
@needs("templates.manage")
async def sync(request: Request) -> dict[str, int]:
    """Reads all templates of the workspace from Meta now, and answers how many there are."""
    return {"count": await sync_templates(runtime_of(request), identity_of(request))}


def _template_json(template: TemplateView) -> dict[str, Any]:
    return {
        "id": template.meta_id,
        "wabaId": template.waba_id,
        "name": template.name,
        "language": template.language,
        "status": template.status,
        "category": template.category,
        "quality": template.quality,
        "rejectedReason": template.rejected_reason,
        "components": template.components,
        "lastSyncedAt": rfc3339(template.synced_at),
    }
