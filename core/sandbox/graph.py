"""The Graph calls around sending: nodes, lists, templates, subscriptions and tokens."""

import re

import orjson
from starlette.requests import Request
from starlette.responses import Response

from core.sandbox.access import require_access, require_app
from core.sandbox.answers import answer, sandbox_of
from core.sandbox.errors import Json, MetaError, bad_parameter, no_such_object
from core.sandbox.nodes import find_node, page, phone_node, subscribed_apps, template_node, waba_node
from core.sandbox.world import Template, unix_now

CATEGORIES = ("AUTHENTICATION", "MARKETING", "UTILITY")
PARTS = ("HEADER", "BODY", "FOOTER", "BUTTONS", "CAROUSEL", "LIMITED_TIME_OFFER")


async def read_node(request: Request) -> Response:
    require_access(request)
    node = find_node(sandbox_of(request), request.path_params["node"])
    if node is None:
        raise no_such_object(request.path_params["node"])
    return answer(node.show(request.query_params.get("fields")))


async def edit_node(request: Request) -> Response:
    """Only templates can be edited: the whole component list is replaced and the review starts again."""
    require_access(request)
    sandbox = sandbox_of(request)
    template = sandbox.world.templates.get(request.path_params["node"])
    if template is None:
        raise no_such_object(request.path_params["node"])
    body = await _body(request)
    if template.status not in ("APPROVED", "REJECTED", "PAUSED"):
        raise MetaError(
            100,
            title="Invalid parameter",
            details="",
            subcode=2388039,
            user_title="Message template cannot be edited",
            user_msg="It is still under review.",
        )
    template.components = _components(body)
    template.status = "PENDING"
    sandbox.judge_later(template)
    return answer({"success": True})


async def list_phones(request: Request) -> Response:
    require_access(request)
    sandbox = sandbox_of(request)
    waba = sandbox.world.waba(request.path_params["node"])
    return answer(page(request, [phone_node(sandbox, phone) for phone in sandbox.world.phones_of(waba.id)]))


async def list_wabas(request: Request) -> Response:
    require_access(request)
    sandbox = sandbox_of(request)
    business_id = request.path_params["node"]
    if business_id not in sandbox.world.businesses:
        raise no_such_object(business_id)
    wabas = [waba for waba in sandbox.world.wabas.values() if waba.business_id == business_id]
    return answer(page(request, [waba_node(sandbox, waba) for waba in wabas]))


async def list_templates(request: Request) -> Response:
    """Filters name, name_or_content, status, category and language; the last three also as a list."""
    require_access(request)
    sandbox = sandbox_of(request)
    waba = sandbox.world.waba(request.path_params["node"])
    chosen = [t for t in sandbox.world.templates_of(waba.id) if _is_asked_for(t, request)]
    return answer(page(request, [template_node(sandbox, template) for template in chosen]))


def _is_asked_for(template: Template, request: Request) -> bool:
    query = request.query_params
    if (name := query.get("name")) and template.name != name:
        return False
    text = template.name + " " + str(template.part("BODY").get("text", ""))
    if (part := query.get("name_or_content")) and part.lower() not in text.lower():
        return False
    for field, value in (
        ("status", template.status),
        ("category", template.category),
        ("language", template.language),
    ):
        if (asked := query.get(field)) and value not in re.findall(r"\w+", asked):
            return False
    return True


async def create_template(request: Request) -> Response:
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
        raise MetaError(
            100,
            title="Invalid parameter",
            details="",
            subcode=2388024,
            user_title="Content in this language already exists",
            user_msg=f"There is already {language} content for this template.",
        )
    template = sandbox.world.add_template(
        waba.id,
        name=name,
        language=language,
        category=category.upper(),
        components=components,
        status="PENDING",
        quality="UNKNOWN",
        parameter_format=str(body.get("parameter_format", "POSITIONAL")).upper(),
    )
    sandbox.judge_later(template)
    return answer({"id": template.id, "status": template.status, "category": template.category})


async def delete_template(request: Request) -> Response:
    """By `name` all its languages, with `hsm_id` besides only that one; an unknown template answers 404."""
    require_access(request)
    sandbox = sandbox_of(request)
    waba = sandbox.world.waba(request.path_params["node"])
    name, hsm_id = request.query_params.get("name"), request.query_params.get("hsm_id")
    if not name:
        raise bad_parameter("The parameter name is required.")
    doomed = [t for t in sandbox.world.templates_of(waba.id) if t.name == name and hsm_id in (None, t.id)]
    if not doomed:
        raise MetaError(
            100,
            title="Invalid parameter",
            details="",
            http=404,
            subcode=2593002,
            user_title="Message Template Not Found",
            user_msg=f"The template {name} was not found.",
        )
    for template in doomed:
        del sandbox.world.templates[template.id]
        sandbox.set_template_status(template, "DELETED")
    return answer({"success": True})


async def read_subscriptions(request: Request) -> Response:
    require_access(request)
    sandbox = sandbox_of(request)
    waba = sandbox.world.waba(request.path_params["node"])
    return answer({"data": subscribed_apps(sandbox, waba)})


async def subscribe(request: Request) -> Response:
    return _set_subscribed(request, True)


async def unsubscribe(request: Request) -> Response:
    return _set_subscribed(request, False)


def _set_subscribed(request: Request, subscribed: bool) -> Response:
    require_access(request)
    sandbox_of(request).world.waba(request.path_params["node"]).subscribed = subscribed
    return answer({"success": True})


async def debug_token(request: Request) -> Response:
    """What Meta knows of `input_token`; a dead one is described, not refused."""
    require_access(request)
    sandbox = sandbox_of(request)
    token = request.query_params.get("input_token")
    if not token:
        raise bad_parameter("You must provide an input_token to debug.")
    return answer(
        {
            "data": sandbox.tokens.inspect(
                token, app_id=sandbox.config.app_id, waba_ids=list(sandbox.world.wabas), now=unix_now()
            )
        }
    )


async def access_token(request: Request) -> Response:
    """fb_exchange_token: a new token of 60 days for a living one; client_credentials: the app's own."""
    require_app(request)
    sandbox = sandbox_of(request)
    grant = request.query_params.get("grant_type")
    if grant == "client_credentials":
        return answer(
            {"access_token": f"{sandbox.config.app_id}|{sandbox.config.app_secret}", "token_type": "bearer"}
        )
    if grant != "fb_exchange_token":
        raise bad_parameter(
            f'Param grant_type must be one of {{FB_EXCHANGE_TOKEN, CLIENT_CREDENTIALS}} - got "{grant}".'
        )
    return answer(sandbox.tokens.exchange(request.query_params.get("fb_exchange_token", ""), now=unix_now()))


async def revoke(request: Request) -> Response:
    """The token named by `revoke_token` is dead from now on."""
    require_app(request)
    require_access(request)
    token = request.query_params.get("revoke_token", "")
    if not token:
        raise bad_parameter("The parameter revoke_token is required.")
    sandbox_of(request).tokens.revoked.add(token)
    return answer({"success": True})


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
    if not any(part["type"] == "BODY" for part in components):
        raise bad_parameter("A template needs a component of type BODY.")
    return components
