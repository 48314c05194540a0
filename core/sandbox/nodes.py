"""What can be read of phones, WABAs, businesses and templates: every field by name, and lists by page."""

import base64
import binascii
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlencode

from starlette.requests import Request

from core.sandbox.errors import Json, bad_parameter
from core.sandbox.state import Sandbox
from core.sandbox.world import Business, Phone, Template, Waba

LARGEST_PAGE = 100
DAY_S = 86_400
PRICES = {"marketing": 0.05, "utility": 0.01, "authentication": 0.02, "service": 0.005}
CREATED = "2025-11-03T09:12:44+0000"


@dataclass(frozen=True, slots=True)
class Node:
    """One object as the Graph shows it: all its fields, and those it gives unasked."""

    kind: str
    fields: Json
    default: tuple[str, ...]

    def show(self, asked: str | None) -> Json:
        """The asked fields and the id; an unknown one makes the whole call fail with code 100, as at Meta."""
        shown: Json = {}
        for name in _names(asked) if asked else self.default:
            if name not in self.fields:
                raise bad_parameter(f"Tried accessing nonexisting field ({name}) on node type ({self.kind})")
            value = self.fields[name]
            if callable(value):
                value = value(_arguments(asked or "", name))
            if value is not None:
                shown[name] = value
        return {**shown, "id": self.fields["id"]}


def _names(asked: str) -> list[str]:
    """`id,throughput{level},analytics.start(1).end(2)` → id, throughput, analytics."""
    flat = asked
    while flat != (flat := re.sub(r"\{[^{}]*\}|\([^()]*\)", "", flat)):
        pass
    return [name.strip().partition(".")[0] for name in flat.split(",") if name.strip()]


def _arguments(asked: str, name: str) -> dict[str, str]:
    """`id,analytics.start(1).end(2)`, analytics → start 1, end 2."""
    found = re.search(rf"\b{name}((?:\.\w+\([^()]*\))+)", asked)
    return dict(re.findall(r"\.(\w+)\(([^()]*)\)", found[1])) if found else {}


def phone_node(sandbox: Sandbox, phone: Phone) -> Node:
    return Node(
        "WhatsAppBusinessPhoneNumber",
        {
            "id": phone.id,
            "display_phone_number": phone.display,
            "verified_name": phone.verified_name,
            "country_code": phone.country_code,
            "quality_rating": phone.quality,
            "quality_score": {"score": phone.quality},
            "code_verification_status": "VERIFIED",
            "name_status": phone.name_status,
            "new_name_status": phone.new_name_status,
            "status": phone.status,
            "throughput": {"level": phone.throughput},
            "whatsapp_business_manager_messaging_limit": phone.messaging_limit,
            "messaging_limit_tier": phone.messaging_limit,
            "platform_type": "CLOUD_API",
            "account_mode": "LIVE",
            "is_official_business_account": False,
            "is_pin_enabled": True,
            "is_on_biz_app": False,
            "last_onboarded_time": CREATED,
            "certificate": None,
            "webhook_configuration": {"application": sandbox.outbox.url} if sandbox.outbox.url else {},
            "health_status": health(sandbox, waba_id=phone.waba_id, phones=[phone]),
        },
        (
            "verified_name",
            "code_verification_status",
            "display_phone_number",
            "quality_rating",
            "platform_type",
            "throughput",
            "last_onboarded_time",
            "webhook_configuration",
        ),
    )


def waba_node(sandbox: Sandbox, waba: Waba) -> Node:
    business = {"id": waba.business_id, "name": sandbox.world.businesses[waba.business_id].name}
    return Node(
        "WhatsAppBusinessAccount",
        {
            "id": waba.id,
            "name": waba.name,
            "currency": waba.currency,
            "timezone_id": waba.timezone_id,
            "country": waba.country,
            "message_template_namespace": "ba30dd89_2ebd_41e4_b805_f2c05ae04cc9",
            "account_review_status": waba.review,
            "business_verification_status": sandbox.world.businesses[waba.business_id].verification_status,
            "ownership_type": "SELF_OWNED",
            "status": "ACTIVE",
            "owner_business_info": business,
            "on_behalf_of_business_info": None,
            "primary_business_location": waba.country,
            "is_enabled_for_insights": False,
            "marketing_messages_lite_api_status": "INELIGIBLE",
            "marketing_messages_onboarding_status": "NOT_STARTED",
            "disable_marketing_messages_on_cloud_api": False,
            "health_status": health(sandbox, waba_id=waba.id, phones=sandbox.world.phones_of(waba.id)),
            "subscribed_apps": {"data": subscribed_apps(sandbox, waba)},
            "pricing_analytics": partial(pricing_analytics, sandbox, waba),
        },
        ("name", "currency", "timezone_id", "message_template_namespace"),
    )


def business_node(sandbox: Sandbox, business: Business) -> Node:
    return Node(
        "Business",
        {
            "id": business.id,
            "name": business.name,
            "verification_status": business.verification_status,
            "primary_page": None,
            "timezone_id": 1,
            "created_time": CREATED,
        },
        ("name",),
    )


def template_node(sandbox: Sandbox, template: Template) -> Node:
    return Node(
        "MessageTemplate",
        {
            "id": template.id,
            "name": template.name,
            "language": template.language,
            "status": template.status,
            "category": template.category,
            "previous_category": template.previous_category,
            "components": template.components,
            "parameter_format": template.parameter_format,
            "quality_score": {"score": template.quality, "date": 1_762_160_000},
            "rejected_reason": template.rejected_reason,
            "library_template_name": None,
            "message_send_ttl_seconds": None,
            "health_status": health(sandbox, waba_id=template.waba_id, phones=[]),
        },
        ("name", "parameter_format", "components", "language", "status", "category"),
    )


def find_node(sandbox: Sandbox, node_id: str) -> Node | None:
    world = sandbox.world
    if phone := world.phones.get(node_id):
        return phone_node(sandbox, phone)
    if waba := world.wabas.get(node_id):
        return waba_node(sandbox, waba)
    if business := world.businesses.get(node_id):
        return business_node(sandbox, business)
    if template := world.templates.get(node_id):
        return template_node(sandbox, template)
    if node_id == "me":
        return Node("User", {"id": "122100300400500", "name": "waypost-system-user"}, ("name",))
    return None


def pricing_analytics(sandbox: Sandbox, waba: Waba, asked: Mapping[str, str]) -> Json:
    """What was delivered on each day, by category, at this sandbox's prices: no price list of Meta's."""
    if not {"start", "end"} <= asked.keys():
        raise bad_parameter("(#100) The parameters start and end are required")
    start, end = (int(asked[name]) if asked[name].isdigit() else 0 for name in ("start", "end"))
    phones = {phone.id for phone in sandbox.world.phones_of(waba.id)}
    volumes: Counter[tuple[int, str]] = Counter()
    for (phone, day, category), count in sandbox.journal.by_day.items():
        if phone in phones and start <= day < end:
            volumes[day, category] += count
    points = [
        {
            "start": day,
            "end": day + DAY_S,
            "pricing_type": "REGULAR",
            "pricing_category": category.upper(),
            "volume": count,
            "cost": round(count * PRICES.get(category, PRICES["utility"]), 6),
        }
        for (day, category), count in sorted(volumes.items())
    ]
    return {"data": [{"data_points": points}] if points else []}


def subscribed_apps(sandbox: Sandbox, waba: Waba) -> list[Json]:
    if not waba.subscribed:
        return []
    app_id = sandbox.config.app_id
    app = {
        "id": app_id,
        "name": "Waypost sandbox",
        "link": f"https://www.facebook.com/games/?app_id={app_id}",
    }
    return [{"whatsapp_business_api_data": app}]


def health(sandbox: Sandbox, *, waba_id: str, phones: Sequence[Phone]) -> Json:
    """`health_status`: BLOCKED while a fault refuses all of a phone, or as set by hand; the worst counts."""
    entities = [_phone_health(sandbox, phone) for phone in phones]
    entities.append(_waba_health(sandbox.world.waba(waba_id)))
    entities.append(
        {
            "entity_type": "BUSINESS",
            "id": sandbox.world.waba(waba_id).business_id,
            "can_send_message": "AVAILABLE",
        }
    )
    entities.append({"entity_type": "APP", "id": sandbox.config.app_id, "can_send_message": "AVAILABLE"})
    worst = max(
        (entity["can_send_message"] for entity in entities), key=("AVAILABLE", "LIMITED", "BLOCKED").index
    )
    return {"can_send_message": worst, "entities": entities}


def _waba_health(waba: Waba) -> Json:
    entity: Json = {"entity_type": "WABA", "id": waba.id, "can_send_message": "AVAILABLE"}
    if waba.restriction != "NONE":
        entity["can_send_message"] = "BLOCKED" if waba.restriction == "DISABLE" else "LIMITED"
        entity["errors"] = [
            {
                "error_code": 131031 if waba.restriction == "DISABLE" else 368,
                "error_description": "The WhatsApp Business Account is restricted for a violation of policy.",
                "possible_solution": "See Business Support Home for the reason, and ask for a review there.",
            }
        ]
    return entity


def _phone_health(sandbox: Sandbox, phone: Phone) -> Json:
    entity: Json = {"entity_type": "PHONE_NUMBER", "id": phone.id, "can_send_message": phone.health}
    fault = sandbox.script.blocking(phone.id)
    code = fault.code if fault else None if phone.can_send else 133010
    if code is not None:
        error = fault.error() if fault else None
        entity["can_send_message"] = "BLOCKED"
        entity["errors"] = [
            {
                "error_code": code,
                "error_description": error.title
                if error
                else "The phone number is not registered on the Cloud API.",
                "possible_solution": "Resolve the cause in WhatsApp Manager; sending resumes by itself.",
            }
        ]
    return entity


def page(request: Request, nodes: Sequence[Node], *, default_limit: int = 25) -> Json:
    """A Graph list: `data`, and `paging` with cursors; `next` is missing on the last page."""
    query = request.query_params
    limit = _limit(query.get("limit"), default=default_limit)
    ids = [node.fields["id"] for node in nodes]
    start, end = 0, len(nodes)
    if after := query.get("after"):
        start = _place(ids, after) + 1
    elif before := query.get("before"):
        end = _place(ids, before)
        start = max(0, end - limit)
    chosen = nodes[start : min(end, start + limit)]
    shown: Json = {"data": [node.show(query.get("fields")) for node in chosen]}
    if chosen:
        last = chosen[-1].fields["id"]
        shown["paging"] = {"cursors": {"before": _cursor(chosen[0].fields["id"]), "after": _cursor(last)}}
        if start + len(chosen) < len(nodes):
            kept = [
                (name, value)
                for name, value in query.multi_items()
                if name not in ("after", "before", "access_token")
            ]
            address = request.url.replace(query=urlencode([*kept, ("after", _cursor(last))]))
            shown["paging"]["next"] = str(address)
    return shown


def _limit(text: str | None, *, default: int) -> int:
    if text is None:
        return default
    if not text.isdigit() or int(text) < 1:
        raise bad_parameter("Param limit must be an integer greater or equal to 1")
    return min(int(text), LARGEST_PAGE)


def _cursor(node_id: str) -> str:
    return base64.urlsafe_b64encode(node_id.encode()).decode().rstrip("=")


def _place(ids: Sequence[str], cursor: str) -> int:
    try:
        node_id = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        return ids.index(node_id)
    except (ValueError, binascii.Error, UnicodeDecodeError):
        raise bad_parameter("Invalid cursors values: please restart your query") from None
