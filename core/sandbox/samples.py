"""One change of every field that Meta tells of, for who names no value of their own."""

import time

from core.sandbox.errors import Json
from core.sandbox.world import Phone, Template, Waba

_CUSTOMER = "4915112300001"


def sample(field: str, *, waba: Waba, phone: Phone, template: Template | None) -> Json | None:
    """A believable value of that field; None for a field that is not known here."""
    return _samples(waba, phone, template).get(field)


def _samples(waba: Waba, phone: Phone, template: Template | None) -> dict[str, Json]:
    display = {"display_phone_number": "".join(filter(str.isdigit, phone.display))}
    named: Json = {
        "message_template_id": int(template.id) if template else 594425479261596,
        "message_template_name": template.name if template else "order_update",
        "message_template_language": template.language if template else "en_US",
    }
    metadata = {**display, "phone_number_id": phone.id}
    return {
        "message_template_status_update": {**named, "event": "APPROVED", "reason": "NONE"},
        "message_template_quality_update": {
            **named,
            "previous_quality_score": "GREEN",
            "new_quality_score": "YELLOW",
        },
        "message_template_components_update": {**named, "message_template_element": "Hello {{1}}."},
        "template_category_update": {
            **named,
            "previous_category": "UTILITY",
            "new_category": "MARKETING",
        },
        "phone_number_quality_update": {**display, "event": "FLAGGED", "current_limit": "TIER_2K"},
        "phone_number_name_update": {
            **display,
            "decision": "APPROVED",
            "requested_verified_name": phone.verified_name,
            "rejection_reason": None,
        },
        "account_review_update": {"decision": "APPROVED"},
        "account_update": {"event": "VERIFIED_ACCOUNT"},
        "account_alerts": {
            "entity_type": "WABA",
            "entity_id": waba.id,
            "alert_info": {
                "alert_severity": "INFORMATIONAL",
                "alert_status": "NONE",
                "alert_type": "OBA_APPROVED",
                "alert_description": "The account is official now.",
            },
        },
        "business_capability_update": {
            "max_daily_conversations_per_business": 2000,
            "max_phone_numbers_per_business": 10,
        },
        "security": {**display, "event": "PIN_CHANGED", "requester": "300200100900801"},
        "user_preferences": {
            "messaging_product": "whatsapp",
            "metadata": metadata,
            "contacts": [{"profile": {"name": "Mara Vogel"}, "wa_id": _CUSTOMER}],
            "user_preferences": [
                {
                    "wa_id": _CUSTOMER,
                    "detail": "User requested to stop marketing messages",
                    "category": "marketing_messages",
                    "value": "stop",
                    "timestamp": str(int(time.time())),
                }
            ],
        },
    }
