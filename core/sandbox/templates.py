"""/sandbox/templates: what Meta says of templates, changed by hand and told by webhook."""

from starlette.requests import Request
from starlette.responses import Response

from core.sandbox.answers import answer, sandbox_of
from core.sandbox.bodies import BadInput, choice, find_waba, known_keys, read_body, text
from core.sandbox.errors import Json
from core.sandbox.state import Sandbox
from core.sandbox.world import Template

STATUSES = (
    "APPROVED",
    "PENDING",
    "REJECTED",
    "PAUSED",
    "DISABLED",
    "FLAGGED",
    "IN_APPEAL",
    "REINSTATED",
    "ARCHIVED",
    "UNARCHIVED",
    "LOCKED",
    "LIMIT_EXCEEDED",
    "PENDING_DELETION",
)
QUALITIES = ("GREEN", "YELLOW", "RED", "UNKNOWN")
CATEGORIES = ("AUTHENTICATION", "MARKETING", "UTILITY")


async def set_status(request: Request) -> Response:
    """All languages of the template, or the one of `language`; in the first WABA, or in `wabaId`."""
    sandbox = sandbox_of(request)
    body = await read_body(request)
    status = choice(body, "status", STATUSES)
    chosen = _chosen(sandbox, request.path_params["name"], body)
    _set_status(sandbox, chosen, status, body)
    return answer({"changed": len(chosen), "status": status})


async def change(request: Request) -> Response:
    """The same for its `status` (with `reason`), `quality` or `category`."""
    sandbox = sandbox_of(request)
    body = await read_body(request)
    known_keys(body, ("status", "reason", "quality", "category", "language", "wabaId"))
    allowed = {"status": STATUSES, "quality": QUALITIES, "category": CATEGORIES}
    words = {key: choice(body, key, words) for key, words in allowed.items() if key in body}
    chosen = _chosen(sandbox, request.path_params["name"], body)
    if "status" in words:
        _set_status(sandbox, chosen, words["status"], body)
    for template in chosen:
        if "quality" in words:
            _set_quality(sandbox, template, words["quality"])
        if "category" in words:
            _set_category(sandbox, template, words["category"])
    return answer({"changed": len(chosen), **words})


def template_json(template: Template) -> Json:
    return {
        "wabaId": template.waba_id,
        "name": template.name,
        "language": template.language,
        "status": template.status,
        "quality": template.quality,
        "category": template.category,
    }


def _chosen(sandbox: Sandbox, name: str, body: Json) -> list[Template]:
    waba, language = find_waba(sandbox, body.get("wabaId")), body.get("language")
    found = [
        each
        for each in sandbox.world.templates_of(waba.id)
        if each.name == name and language in (None, each.language)
    ]
    if not found:
        raise BadInput(f"There is no template {name} in {waba.name}.")
    return found


def _set_status(sandbox: Sandbox, chosen: list[Template], status: str, body: Json) -> None:
    usual = "INVALID_FORMAT" if status == "REJECTED" else "NONE"
    reason = text(body, "reason") if "reason" in body else usual
    for template in chosen:
        sandbox.set_template_status(template, status, reason)


def _set_quality(sandbox: Sandbox, template: Template, quality: str) -> None:
    scores = {"previous_quality_score": template.quality, "new_quality_score": quality}
    template.quality = quality
    value = _named(template) | scores
    sandbox.tell_change(template.waba_id, field="message_template_quality_update", value=value)


def _set_category(sandbox: Sandbox, template: Template, category: str) -> None:
    given = {"previous_category": template.category, "new_category": category}
    template.previous_category, template.category = template.category, category
    value = _named(template) | given
    sandbox.tell_change(template.waba_id, field="template_category_update", value=value)


def _named(template: Template) -> Json:
    return {
        "message_template_id": int(template.id),
        "message_template_name": template.name,
        "message_template_language": template.language,
    }
