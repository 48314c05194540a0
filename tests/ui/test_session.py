"""Signing in and out: the cookie, where it leads, and what it refuses."""

import httpx
import pytest

from core.settings import Settings
from core.team.names import hash_key
from core.team.throttle import FAILURES_ALLOWED
from data.people import BrowserSession
from tests.conftest import PASSWORD, Place
from tests.console import COOKIE, Console
from ui.session import cookie_name, own_path


def sign_in(console: Console, email: str, password: str = PASSWORD, **more: str) -> httpx.Response:
    headers = {"Origin": more.pop("origin", console.url)}
    form = {"email": email, "password": password, **more}
    return httpx.post(f"{console.url}/auth/sign-in", data=form, headers=headers)


def test_signing_in_gives_a_cookie_that_scripts_and_other_sites_cannot_use(
    console: Console, console_place: Place
) -> None:
    answer = sign_in(console, console.owner_email(console_place))
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith(f"{COOKIE}=")
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "path=/" in cookie
    token = answer.cookies[COOKIE]
    with console.runtime.unit(console_place.owner) as unit:
        assert unit.session.get(BrowserSession, hash_key(token)) is not None
        assert unit.session.get(BrowserSession, token) is None


def test_over_https_the_cookie_belongs_to_this_host_alone() -> None:
    public = Settings(_env_file=None, waypost_public_url="https://waypost.example")
    assert cookie_name(public) == "__Host-waypost_session"
    assert cookie_name(Settings(_env_file=None)) == "waypost_session"


def test_each_sign_in_is_a_fresh_session(console: Console, console_place: Place) -> None:
    email = console.owner_email(console_place)
    assert sign_in(console, email).cookies[COOKIE] != sign_in(console, email).cookies[COOKIE]


def test_it_leads_back_to_where_one_wanted_to_go(console: Console, console_place: Place) -> None:
    asked = httpx.get(f"{console.url}/messages", params={"status": "dead", "q": "a b"})
    assert asked.status_code == 303
    form = httpx.get(f"{console.url}{asked.headers['location']}")
    assert 'value="/messages?status=dead&amp;q=a+b"' in form.text
    answer = sign_in(console, console.owner_email(console_place), next="/messages?status=dead&q=a+b")
    assert answer.headers["location"] == "/messages?status=dead&q=a+b"


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "\\/evil.example",
        "evil",
        "",
        "/a\nb",
        "/a\tb",
    ],
)
def test_it_leads_nowhere_else(wanted: str) -> None:
    assert own_path(wanted) == "/"


def test_the_answer_does_not_tell_a_wrong_password_from_an_unknown_address(
    console: Console, console_place: Place
) -> None:
    wrong = sign_in(console, console.owner_email(console_place), "not the password")
    unknown = sign_in(console, console.owner_email(console_place) + ".invalid", "not the password")
    assert wrong.status_code == unknown.status_code == 401
    email = console.owner_email(console_place)
    assert wrong.text.replace(email, "") == unknown.text.replace(email + ".invalid", "")
    assert COOKIE not in wrong.cookies


def test_too_many_failures_are_said_to_be_too_many(console: Console, console_place: Place) -> None:
    email = console.owner_email(console_place)
    for _ in range(FAILURES_ALLOWED):
        sign_in(console, email, "not the password")
    throttled = sign_in(console, email)
    assert throttled.status_code == 429
    assert "Too many failed sign-ins" in throttled.text


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
def test_a_form_on_another_site_signs_nobody_in(console: Console, console_place: Place, origin: str) -> None:
    answer = sign_in(console, console.owner_email(console_place), origin=origin)
    assert answer.status_code == 403
    assert COOKIE not in answer.cookies


def test_a_form_on_another_site_signs_nobody_out(console: Console, console_place: Place) -> None:
    token = console.token_for(console.owner_email(console_place))
    headers = {"Cookie": f"{COOKIE}={token}", "Sec-Fetch-Site": "cross-site"}
    assert httpx.post(f"{console.url}/auth/sign-out", headers=headers).status_code == 403
    assert httpx.get(f"{console.url}/auth/session", cookies={COOKIE: token}).status_code == 204


def test_after_signing_out_the_cookie_opens_nothing(console: Console, console_place: Place) -> None:
    cookies = {COOKIE: console.token_for(console.owner_email(console_place))}
    assert httpx.get(console.url, cookies=cookies).status_code == 200
    left = httpx.post(f"{console.url}/auth/sign-out", cookies=cookies)
    assert (left.status_code, left.headers["location"]) == (303, "/login")
    assert f'{COOKIE}="";' in left.headers["set-cookie"]
    again = httpx.get(console.url, cookies=cookies)
    assert (again.status_code, again.headers["location"]) == (303, "/login")
    assert httpx.get(f"{console.url}/auth/session", cookies=cookies).status_code == 401


def test_the_api_takes_no_cookie(console: Console, console_place: Place) -> None:
    cookies = {COOKIE: console.token_for(console.owner_email(console_place))}
    assert httpx.get(f"{console.url}/api/v1/messages", cookies=cookies).status_code == 401


def test_who_is_signed_in_is_not_asked_again(console: Console, console_place: Place) -> None:
    cookies = {COOKIE: console.token_for(console.owner_email(console_place))}
    answer = httpx.get(f"{console.url}/login", params={"next": "/messages"}, cookies=cookies)
    assert (answer.status_code, answer.headers["location"]) == (303, "/messages")
