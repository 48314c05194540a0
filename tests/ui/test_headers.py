"""What every response tells the browser, and what errors look like where."""

import re
from collections.abc import Iterator

import httpx
import pytest

from core.settings import Settings
from data.enums import Role
from tests.conftest import Place
from tests.console import COOKIE, Console
from ui.security import POLICY, secure


@pytest.fixture
def browser(console: Console, console_place: Place) -> Iterator[httpx.Client]:
    """A browser in which the owner is signed in."""
    token = console.token_for(console.owner_email(console_place))
    with httpx.Client(base_url=console.url, cookies={COOKIE: token}) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/no-such-page", 404),
        ("/login", 303),
        ("/api/v1/admin/health", None),
        ("/api/v1/docs", 200),
        ("/api/v1/no-such-call", 404),
        ("/webhooks/whatsapp", 403),
    ],
)
def test_every_answer_carries_the_policy(browser: httpx.Client, path: str, status: int | None) -> None:
    answer = browser.get(path)
    assert status is None or answer.status_code == status
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"
    assert "strict-transport-security" not in answer.headers


def test_the_policy_allows_ourselves_and_nobody_else() -> None:
    assert "frame-ancestors 'none'" in POLICY
    assert "object-src 'none'" in POLICY
    assert "base-uri 'none'" in POLICY
    assert not re.search(r"https?:|\*", POLICY)


def test_https_is_insisted_on_where_it_is_served() -> None:
    from starlette.datastructures import MutableHeaders

    headers = MutableHeaders()
    public = Settings(_env_file=None, waypost_public_url="https://waypost.example")
    secure(headers, path="/", settings=public)
    assert headers["strict-transport-security"].startswith("max-age=31536000")


def test_a_page_asks_no_other_host_for_anything(browser: httpx.Client) -> None:
    for path in ("/", "/login", "/api/v1/docs"):
        found = re.findall(r'(?:src|href)="([^"]+)"', browser.get(path).text)
        assert [address for address in found if re.match(r"(?:https?:)?//", address)] == []


def test_files_of_ours_may_be_kept_for_ever(browser: httpx.Client) -> None:
    styles = re.findall(r'href="(/static/[^"]+\.css)"', browser.get("/").text)
    assert len(styles) == 1
    answer = browser.get(styles[0])
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"].startswith("text/css")
    fonts = re.findall(r"url\((fonts/[^)]+)\)", answer.text)
    for font in fonts:
        assert browser.get(f"{styles[0].rsplit('/', 1)[0]}/{font}").status_code == 200


def test_an_unknown_page_is_a_page(browser: httpx.Client) -> None:
    answer = browser.get("/no-such-page")
    assert answer.headers["content-type"].startswith("text/html")
    assert "Page not found" in answer.text


@pytest.mark.parametrize("path", ["/api/v1/no-such-call", "/api/nothing", "/webhooks/nothing"])
def test_an_unknown_call_is_json(browser: httpx.Client, path: str) -> None:
    answer = browser.get(path)
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


def test_a_wrong_method_is_said_to_be_one(browser: httpx.Client) -> None:
    answer = browser.delete("/api/v1/admin/health")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


def test_a_page_beyond_ones_role_names_what_is_missing_and_who_has_it(
    console: Console, console_place: Place
) -> None:
    token = console.token_for(console.add_person(console_place, Role.VIEWER))
    answer = httpx.get(f"{console.url}/queue", cookies={COOKIE: token})
    assert answer.status_code == 403
    assert "queues.view" in answer.text
    assert "can make a viewer a manager" in answer.text
    assert 'href="/queue"' not in answer.text


def test_the_health_answer_makes_no_page(console: Console) -> None:
    answer = httpx.get(f"{console.url}/api/v1/admin/health")
    assert "x-nicegui-content" not in answer.headers
    assert "set-cookie" not in answer.headers


def test_the_api_describes_its_key(browser: httpx.Client) -> None:
    schema = browser.get("/api/v1/openapi.json").json()
    assert schema["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert schema["paths"]["/api/v1/messages"]["get"]["security"] == [{"key": []}]
