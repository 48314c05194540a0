"""Templates: the list with its filters, and one template's page."""

from datetime import timedelta
from typing import Any

from playwright.sync_api import Page, expect
from sqlmodel import col

from core.templates.updates import apply_change
from core.unit import Unit
from data.enums import Role
from data.sending import Template, Waba
from tests.conftest import Place
from tests.console import Console
from tests.pages.conftest import PHONE, OpenAs, axe_finds, ready

LONG = "a_very_long_template_name_" * 4 + "end"
WORDS = [
    {"type": "HEADER", "format": "TEXT", "text": "Order {{1}}", "example": {"header_text": ["NW-20418"]}},
    {
        "type": "BODY",
        "text": "Hello *{{1}}*, it is on its way.",
        "example": {"body_text": [["Mara"]]},
    },
    {"type": "FOOTER", "text": "Northwind Logistics"},
    {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": "Thank you"}]},
]


def change(console: Console, place: Place, work: Any) -> None:
    with console.runtime.unit(place.owner, write=True) as unit:
        work(unit)


def find(unit: Unit, name: str) -> Template:
    return unit.session.exec(unit.scoped(Template).where(col(Template.name) == name)).one()


def tell(unit: Unit, name: str, field: str, *, minutes: float = 5, **value: Any) -> None:
    """Meta told that of the template, that long ago; its copy is older."""
    template = find(unit, name)
    template.synced_at = unit.now - timedelta(days=1)
    named = {"message_template_name": name, "message_template_language": template.language}
    waba = unit.session.get_one(Waba, template.waba_id)
    at = unit.now - timedelta(minutes=minutes)
    apply_change(unit, waba=waba, field=field, value={**named, **value}, at=at)


def reject(unit: Unit) -> None:
    tell(
        unit,
        "winter_sale",
        "message_template_status_update",
        event="REJECTED",
        reason="PROMOTIONAL",
        rejection_info={"reason": "PROMOTIONAL", "recommendation": "Submit it as marketing."},
    )
    tell(
        unit,
        "winter_sale",
        "message_template_quality_update",
        minutes=9,
        new_quality_score="RED",
    )


def more(unit: Unit, count: int) -> None:
    like = find(unit, "order_update").model_dump(exclude={"id"})
    for index in range(count):
        name = LONG if index == 0 else f"branch_{index:03}"
        words: dict[str, Any] = {"status": "SOMETHING_NEW", "category": "SERVICE"} if index == 1 else {}
        unit.session.add(Template(id=unit.new_id("tpl"), **like | words | {"name": name}))


def opened(page: Page, path: str = "/templates") -> Page:
    page.goto(path)
    ready(page)
    return page


def row(page: Page, name: str) -> Any:
    return page.get_by_role("row").filter(has_text=name)


def test_a_row_says_where_a_template_stands(signed_in: Page, console: Console, place: Place) -> None:
    change(console, place, reject)
    page = opened(signed_in)
    expect(row(page, "winter_sale")).to_contain_text("Rejected")
    expect(row(page, "winter_sale")).to_contain_text("Low")
    expect(row(page, "spring_sale")).to_contain_text("Paused")
    expect(row(page, "order_update")).to_contain_text("Approved")
    assert axe_finds(page) == []


def test_filters_stand_in_the_address_and_a_list_without_match_says_so(signed_in: Page) -> None:
    page = opened(signed_in, "/templates?status=PAUSED")
    expect(row(page, "spring_sale")).to_be_visible()
    expect(row(page, "order_update")).to_have_count(0)
    page.get_by_role("button", name="Paused, remove filter").click()
    expect(row(page, "order_update")).to_be_visible()
    page.get_by_label("Search templates").fill("nothing_like_it")
    expect(page.get_by_text("No template matches")).to_be_visible()
    page.wait_for_url("**/templates?q=nothing_like_it")


def test_no_template_yet_says_how_to_get_one(signed_in: Page, console: Console, place: Place) -> None:
    def empty(unit: Unit) -> None:
        for template in unit.session.exec(unit.scoped(Template)):
            unit.session.delete(template)

    change(console, place, empty)
    page = opened(signed_in)
    expect(page.get_by_text("No templates yet")).to_be_visible()


def test_a_templates_page_shows_it_and_says_what_metas_verdict_means(
    signed_in: Page, console: Console, place: Place
) -> None:
    def prepare(unit: Unit) -> None:
        reject(unit)
        find(unit, "winter_sale").components = WORDS

    change(console, place, prepare)
    page = opened(signed_in)
    row(page, "winter_sale").click()
    expect(page.get_by_role("heading", name="winter_sale")).to_be_visible()
    preview = page.get_by_role("region", name="Preview")
    for words in ("Order NW-20418", "Mara", "Northwind Logistics", "Thank you"):
        expect(preview).to_contain_text(words)
    said = page.get_by_role("region", name="What Meta said")
    for words in (
        "Rejected",
        "It advertises",
        "Submit it as marketing.",
        "Told by webhook",
        "Quality is low",
    ):
        expect(said).to_contain_text(words)
    expect(page.get_by_role("button", name="Send")).to_be_hidden()
    assert axe_finds(page) == []
    change(
        console,
        place,
        lambda unit: tell(unit, "winter_sale", "message_template_status_update", minutes=0, event="APPROVED"),
    )
    expect(said.get_by_role("listitem").first).to_contain_text("Approved")
    page.get_by_role("button", name="Send").click()
    page.wait_for_url("**/send?template=winter_sale%2Fen_US")


def test_a_template_is_held_with_a_reason_and_released(
    signed_in: Page, console: Console, place: Place
) -> None:
    ids: list[str] = []
    change(console, place, lambda unit: ids.append(find(unit, "order_update").id))
    page = opened(signed_in, f"/templates/{ids[0]}")
    page.get_by_role("button", name="Hold").click()
    page.get_by_label("Reason").fill("Wrong price")
    page.get_by_role("button", name="Hold template").click()
    expect(page.get_by_text("Wrong price.")).to_be_visible()
    page.get_by_role("button", name="Release").click()
    expect(page.get_by_text("Wrong price.")).to_be_hidden()


def test_many_long_names_and_unknown_words_fit_a_phone(
    open_as: OpenAs, console: Console, place: Place
) -> None:
    change(console, place, lambda unit: more(unit, 120))
    page = opened(open_as(Role.VIEWER, size=PHONE, dark=True))
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
    expect(page.get_by_text("Something new").first).to_be_visible()
    expect(page.get_by_role("button", name="Sync now")).to_have_count(0)
    assert axe_finds(page) == []
    page.get_by_text(LONG).first.click()
    expect(page.get_by_role("heading", name=LONG)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
    assert axe_finds(page) == []


def test_a_sync_reads_all_from_meta(signed_in: Page, console: Console, place: Place) -> None:
    page = opened(signed_in)
    page.get_by_role("button", name="Sync now").click()
    expect(
        page.get_by_text("as Meta has them now").or_(page.get_by_text("Meta refused")).first
    ).to_be_visible()
