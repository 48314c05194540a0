"""The Graph calls that make, change and delete templates, refused where Meta would."""

import re

import orjson
from starlette.requests import Request
from starlette.responses import Response

from core.sandbox.access import require_access
from core.sandbox.answers import answer, sandbox_of
from core.sandbox.errors import Json, MetaError, bad_parameter, no_such_object
from core.sandbox.world import Template, World, unix_now

CATEGORIES = ("AUTHENTICATION", "MARKETING", "UTILITY")
PARTS = ("HEADER", "BODY", "FOOTER", "BUTTONS", "CAROUSEL", "LIMITED_TIME_OFFER")
LONGEST = {"HEADER": (60, 2388047), "BODY": (1024, 2388072), "FOOTER": (60, 2388073)}
CREATIONS_AN_HOUR = 100
EDITS_A_DAY = 1
WARNS = "add_security_recommendation"
HOUR_S, DAY_S = 3_600, 86_400
VARIABLE_AT_AN_END = re.compile(r"^\s*\{\{\w+\}\}|\{\{\w+\}\}\s*$")


async def edit(request: Request) -> Response:
    """Only templates can be edited: the whole component list is replaced and the review starts again."""
    require_access(request)
    sandbox = sandbox_of(request)
    template = sandbox.world.templates.get(request.path_params["node"])
    if template is None:
        raise no_such_object(request.path_params["node"])
    body = await _body(request)
    if template.status not in ("APPROVED", "REJECTED", "PAUSED"):
        raise _refused(2388039, "Message template cannot be edited", "It is still under review.")
    components = _components(body)
    category = str(body.get("category", template.category)).upper()
    if template.status == "APPROVED":
        if category != template.category:
            raise _refused(
                None, "Category cannot be changed", "The category of an approved template cannot be changed."
            )
        _count_edit(sandbox.world, template)
    template.components, template.category = _listed(components), category
    template.status = "PENDING"
    sandbox.judge_later(template)
    return answer({"success": True})


async def create(request: Request) -> Response:
    """A new template is PENDING; its verdict follows by webhook."""
    require_access(request)
    sandbox = sandbox_of(request)
    waba = sandbox.world.waba(request.path_params["node"])
    body = await _body(request)
    name, language, category = (_word(body, key) for key in ("name", "language", "category"))
    if not re.fullmatch(r"[a-z0-9_]{1,512}", name):
        raise bad_parameter(
            "Param name must be lower case letters, digits and underscores, at most 512 characters."
        )
    if category.upper() not in CATEGORIES:
        raise bad_parameter(f'Param category must be one of {{{", ".join(CATEGORIES)}}} - got "{category}".')
    components = _components(body)
    if sandbox.world.template(waba.id, name=name, language=language) is not None:
        raise _refused(
            2388024,
            "Content in this language already exists",
            f"There is already {language} content for this template.",
        )
    if (waba.id, name, language) in sandbox.world.deleted_templates:
        raise _refused(
            2388023,
            "Message template language is being deleted",
            f"New {language} content can't be added while the existing content is being deleted. Try again "
            "in 4 weeks or create a new template.",
        )
    _count_creation(sandbox.world, waba.id)
    template = sandbox.world.add_template(
        waba.id,
        name=name,
        language=language,
        category=category.upper(),
        components=_listed(components),
        status="PENDING",
        quality="UNKNOWN",
        parameter_format=str(body.get("parameter_format", "POSITIONAL")).upper(),
    )
    sandbox.judge_later(template)
    return answer({"id": template.id, "status": template.status, "category": template.category})


async def delete(request: Request) -> Response:
    """By `name` all its languages, with `hsm_id` besides only that one; an unknown template answers 404."""
    require_access(request)
    sandbox = sandbox_of(request)
    waba = sandbox.world.waba(request.path_params["node"])
    name, hsm_id = request.query_params.get("name"), request.query_params.get("hsm_id")
    if not name:
        raise bad_parameter("The parameter name is required.")
    doomed = [t for t in sandbox.world.templates_of(waba.id) if t.name == name and hsm_id in (None, t.id)]
    if not doomed:
        raise _refused(2593002, "Message Template Not Found", f"The template {name} was not found.", http=404)
    for template in doomed:
        sandbox.world.deleted_templates.add((waba.id, template.name, template.language))
        del sandbox.world.templates[template.id]
        sandbox.set_template_status(template, "DELETED")
    return answer({"success": True})


def _refused(subcode: int | None, title: str, message: str, *, http: int | None = None) -> MetaError:
    return MetaError(
        100,
        title="Invalid parameter",
        details="",
        http=http,
        subcode=subcode,
        user_title=title,
        user_msg=message,
    )


def _count_creation(world: World, waba_id: str) -> None:
    made = world.creations.setdefault(waba_id, [])
    made[:] = [at for at in made if at > unix_now() - HOUR_S]
    if len(made) >= CREATIONS_AN_HOUR:
        raise MetaError(80008, title="There have been too many calls to this WhatsApp Business account.")
    made.append(unix_now())


def _count_edit(world: World, template: Template) -> None:
    edits = world.edits.setdefault(template.id, [])
    edits[:] = [at for at in edits if at > unix_now() - DAY_S]
    if len(edits) >= EDITS_A_DAY:
        raise _refused(
            None,
            "Message template cannot be edited",
            "An approved template can be edited once in 24 hours.",
        )
    edits.append(unix_now())


async def _body(request: Request) -> Json:
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        raise bad_parameter("The request body is not a JSON object.")
    return body


def _word(body: Json, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise bad_parameter(f"The parameter {name} is required.")
    return value


def _components(body: Json) -> list[Json]:
    components = body.get("components")
    if not isinstance(components, list) or not all(isinstance(part, dict) for part in components):
        raise bad_parameter("The parameter components is required.")
    for part in components:
        if str(part.get("type", "")).upper() not in PARTS:
            raise bad_parameter(
                f'Param components type must be one of {{{", ".join(PARTS)}}} - got "{part.get("type")}".'
            )
        part["type"] = str(part["type"]).upper()
        _check_words(part)
    if not any(part["type"] == "BODY" for part in components):
        raise bad_parameter("A template needs a component of type BODY.")
    return components


def _check_words(part: Json) -> None:
    kind, text = part["type"], str(part.get("text", ""))
    limit, subcode = LONGEST.get(kind, (0, 0))
    if limit and len(text) > limit:
        raise _refused(subcode, "Text is too long", f"The {kind.lower()} has more than {limit} characters.")
    if kind == "BODY" and VARIABLE_AT_AN_END.search(text):
        raise _refused(2388299, "Invalid format", "Variables can't be at the start or end of the template.")


def _listed(components: list[Json]) -> list[Json]:
    """A template for codes is listed with Meta's own words, and its button as a URL."""
    buttons = [button for part in components for button in part.get("buttons", [])]
    if [button.get("type") for button in buttons] != ["OTP"]:
        return components
    listed: list[Json] = []
    for part in components:
        if part["type"] == "BODY":
            warning = " For your security, do not share this code."
            text = "*{{1}}* is your verification code." + warning * bool(part.get(WARNS))
            listed.append(part | {"text": text, "example": {"body_text": [["123456"]]}})
        elif part["type"] == "FOOTER":
            listed.append(
                part | {"text": f"This code expires in {part.get('code_expiration_minutes')} minutes."}
            )
        else:
            listed.append(part)
    kind, label = buttons[0].get("otp_type", "COPY_CODE"), buttons[0].get("text", "Copy code")
    url = f"https://www.whatsapp.com/otp/code/?otp_type={kind}&code=otp"
    button = {"type": "URL", "text": label, "url": url + "{{1}}", "example": [url + "123456"]}
    return [
        part if part["type"] != "BUTTONS" else {"type": "BUTTONS", "buttons": [button]} for part in listed
    ]
