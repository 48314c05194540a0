"""The Graph calls around sending: nodes, lists, templates, subscriptions and tokens."""

import re

from starlette.requests import Request
from starlette.responses import Response

from core.sandbox.access import require_access, require_app
from core.sandbox.answers import answer, sandbox_of
from core.sandbox.errors import bad_parameter, no_such_object
from core.sandbox.nodes import find_node, page, phone_node, subscribed_apps, template_node, waba_node
from core.sandbox.world import Template, unix_now


async def read_node(request: Request) -> Response:
    require_access(request)
    node = find_node(sandbox_of(request), request.path_params["node"])
    if node is None:
        raise no_such_object(request.path_params["node"])
    return answer(node.show(request.query_params.get("fields")))


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
