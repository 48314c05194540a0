"""The account and the business behind a number, as a person asks about them."""

from dataclasses import dataclass
from datetime import datetime

from core.phones.account_events import stops_sending
from core.phones.queries import waba_of
from core.phones.reading import truth, word
from core.phones.verification import Verification, explain
from core.unit import Unit
from data.phones import Business
from data.sending import Phone, Waba


@dataclass(frozen=True, slots=True)
class AccountView:
    """None: Meta did not say. ``is_subscribed`` False: Meta sends no webhooks for the account. ``stops``:
    under the restriction nothing may be sent at all. ``verification_state`` is Meta's word."""

    waba_id: str
    name: str
    status: str | None
    review: str | None
    restriction: str | None
    restricted_until: datetime | None
    stops: bool
    ownership: str | None
    currency: str | None
    country: str | None
    is_subscribed: bool | None
    business_id: str | None
    business_name: str | None
    verification_state: str | None
    verification: Verification
    synced_at: datetime | None
    sync_error: str | None


@dataclass(frozen=True, slots=True)
class PhoneFacts:
    """What Meta says of the number beyond what its card shows; None: it did not say. ``own_limit``: messages
    a second that Meta lets it carry, where that is not its level's."""

    own_limit: int | None
    new_name_status: str | None
    code_verification: str | None
    platform: str | None
    account_mode: str | None
    is_official: bool | None
    is_pin_enabled: bool | None
    is_on_phone_app: bool | None
    onboarded: str | None


def account_of(unit: Unit, phone_number_id: str) -> AccountView:
    unit.require("phones.view")
    phone = unit.find(Phone, phone_number_id, called="phone number")
    waba = waba_of(unit, phone.waba_id)
    business = unit.session.get(Business, (waba.workspace_id, waba.business_id)) if waba.business_id else None
    said = waba.described or {}
    state = (business.verification if business else None) or waba.verification
    return AccountView(
        waba_id=waba.id,
        name=waba.name,
        status=waba.status,
        review=waba.review_status,
        restriction=waba.restriction,
        restricted_until=waba.restricted_until,
        stops=stops_sending(waba.restriction),
        ownership=word(said.get("ownership_type")),
        currency=word(said.get("currency")),
        country=word(said.get("country")) or word(said.get("primary_business_location")),
        is_subscribed=_is_subscribed(waba),
        business_id=waba.business_id,
        business_name=business.name if business else None,
        verification_state=state,
        verification=explain(state),
        synced_at=waba.synced_at,
        sync_error=waba.sync_error,
    )


def facts_of(unit: Unit, phone_number_id: str) -> PhoneFacts:
    unit.require("phones.view")
    phone = unit.find(Phone, phone_number_id, called="phone number")
    said = phone.described or {}
    return PhoneFacts(
        own_limit=phone.own_limit,
        new_name_status=phone.new_name_status,
        code_verification=word(said.get("code_verification_status")),
        platform=word(said.get("platform_type")),
        account_mode=word(said.get("account_mode")),
        is_official=truth(said.get("is_official_business_account")),
        is_pin_enabled=truth(said.get("is_pin_enabled")),
        is_on_phone_app=truth(said.get("is_on_biz_app")),
        onboarded=word(said.get("last_onboarded_time")),
    )


def _is_subscribed(waba: Waba) -> bool | None:
    apps = (waba.described or {}).get("subscribed_apps")
    listed = apps.get("data") if isinstance(apps, dict) else apps
    return bool(listed) if isinstance(listed, list) else None
