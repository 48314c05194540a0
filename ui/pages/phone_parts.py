"""The parts of a number's page, each drawn from what was read."""

from collections.abc import Sequence

from core.messaging.senders import LaneView, Sender
from core.phones.accounts import AccountView, PhoneFacts
from core.phones.changes import ChangeView
from ui.format import NOTHING, number
from ui.page import PageContext
from ui.pages.phone_words import (
    PLATFORMS,
    STANDING,
    change_details,
    change_tone,
    change_words,
    lane_note,
    name_status,
    plain,
    quality,
    restriction,
    status,
    tier,
)
from ui.parts.badge import badge
from ui.parts.callout import callout
from ui.parts.empty import empty
from ui.parts.facts import Value, facts
from ui.parts.text import text
from ui.parts.timeline import Happening, timeline


def draw_warnings(page: PageContext, lane: LaneView, account: AccountView) -> None:
    """What a person must know before anything else."""
    if lane.hold is not None:
        callout(
            "This number sends nothing now",
            lane_note(page, lane),
            advice="Waiting uses up no retry. It goes on in order when the hold ends.",
            tone="amber",
        )
    if account.restriction:
        until = account.restricted_until
        callout(
            "Meta restricts the account",
            f"{restriction(account.restriction)}.",
            advice=(f"Until {page.times.exact(until)}. " if until else "")
            + "See the reason in Meta's Business Support Home, and ask for a review there.",
        )
    if account.sync_error:
        callout("The last sync failed", account.sync_error, tone="amber")
    if account.is_subscribed is False:
        callout(
            "Meta sends no webhooks for this account",
            "No app is subscribed to it, so no status and no reply arrives here.",
            advice="Subscribe your app to the account in Meta's WhatsApp Manager.",
            tone="amber",
        )


def draw_number(page: PageContext, sender: Sender, said: PhoneFacts) -> None:
    lines: list[tuple[str, Value]] = [
        ("Quality", quality(sender.quality)[0]),
        ("Status", status(sender.status)[0]),
        ("Messaging limit", tier(sender.messaging_tier)),
        ("Throughput level", plain(sender.throughput_level)),
        ("Display name", name_status(sender.name_status)),
    ]
    if said.new_name_status not in (None, "NONE"):
        lines.append(("New name", name_status(said.new_name_status)))
    lines += [
        ("Messages today", number(sender.messages_today)),
        ("Number verified", plain(said.code_verification)),
        ("Platform", PLATFORMS.get(said.platform or "", plain(said.platform))),
        ("Mode", plain(said.account_mode)),
        ("Official account", _yes_or_no(said.is_official)),
        ("Two-step PIN set", _yes_or_no(said.is_pin_enabled)),
        ("Also on the app", _on_app(said)),
        ("Last sync", sender.synced_at),
        ("Phone number id", sender.phone_number_id),
    ]
    facts(page, lines, mono=("Phone number id",))


def _on_app(said: PhoneFacts) -> str | None:
    """*Yes: 20 messages a second at most*"""
    if said.own_limit is None:
        return _yes_or_no(said.is_on_phone_app)
    return f"Yes: {number(said.own_limit)} messages a second at most"


def draw_account(page: PageContext, account: AccountView) -> None:
    facts(
        page,
        [
            ("Name", account.name),
            ("Review", plain(account.review)),
            ("Status", plain(account.status)),
            ("Restriction", restriction(account.restriction) if account.restriction else "None"),
            ("Owned", plain(account.ownership)),
            ("Country", account.country),
            ("Currency", account.currency),
            ("Webhooks", {True: "Subscribed", False: "Not subscribed", None: None}[account.is_subscribed]),
            ("Last sync", account.synced_at),
            ("WABA id", account.waba_id),
        ],
        mono=("WABA id",),
    )


def draw_verification(account: AccountView) -> None:
    """Where it stands, what it blocks, what to do next."""
    known = account.verification
    badge((known.title, STANDING[known.standing]))
    text("What it blocks", tag="h3")
    text(known.blocks, tag="p")
    text("Next step", tag="h3")
    text(known.next_step, tag="p")
    if account.business_id:
        text("Business", tag="h3")
        text(account.business_name or NOTHING, tag="p")
        text(account.business_id, "mono", tag="p")


def draw_changes(page: PageContext, changes: Sequence[ChangeView]) -> None:
    if not changes:
        empty(
            "Nothing has changed yet",
            "Quality, limits, names and restrictions are noted here when Meta changes them.",
            icon_name="history",
        )
        return
    timeline(
        page,
        [
            Happening(
                change_words(each),
                each.at,
                change_details(page, each),
                change_tone(each),
                is_last_word=index == 0,
            )
            for index, each in enumerate(changes)
        ],
    )


def _yes_or_no(value: bool | None) -> str | None:
    return None if value is None else "Yes" if value else "No"
