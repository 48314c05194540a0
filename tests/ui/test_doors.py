"""The plain forms around signing in: invitations, second steps, forgotten passwords."""

import re
from collections.abc import Callable

import httpx
import pyotp
import pytest

from core.team import second_factor
from core.team.invitations import invite
from core.team.names import hash_key
from core.unit import Identity
from data.enums import Role
from data.people import Workspace
from tests.conftest import PASSWORD, Place
from tests.console import COOKIE, Console, wait_for
from tests.core.office import Office

NEW_PASSWORD = "four unrelated words here"
HOSTILE = '<img src=x onerror="alert(1)">'


@pytest.fixture
def office(console: Console, console_place: Place) -> Office:
    return Office(console.runtime, console_place, console.password_hash)


@pytest.fixture
def invited(console: Console, office: Office) -> str:
    """The address of someone new; the mail is on its way."""
    email = f"mara{office.place.workspace.slug}@lind.example"
    office.do(office.owner().browser, invite, email=email, role=Role.AGENT)
    return email


def post(console: Console, path: str, cookie: str = "", **form: str) -> httpx.Response:
    headers = {"Origin": console.url} | ({"Cookie": f"{COOKIE}={cookie}"} if cookie else {})
    return httpx.post(f"{console.url}{path}", data=form, headers=headers)


def is_in(console: Console, answer: httpx.Response) -> bool:
    cookies = {COOKIE: answer.cookies[COOKIE]}
    return httpx.get(f"{console.url}/auth/session", cookies=cookies).status_code == 204


def test_p4_opening_the_link_shows_the_form_and_changes_nothing(
    console: Console, office: Office, invited: str
) -> None:
    path = f"/invite/{office.link_secret(invited)}"
    entries = len(office.entries())
    for _ in range(2):
        shown = httpx.get(f"{console.url}{path}")
        assert shown.status_code == 200
        assert invited in shown.text
        assert shown.headers["cache-control"] == "no-store"
        assert shown.headers["referrer-policy"] == "same-origin"
    assert len(office.entries()) == entries
    joined = post(console, path, name="Mara Lind", password=NEW_PASSWORD)
    assert (joined.status_code, joined.headers["location"]) == (303, "/")
    assert is_in(console, joined)
    assert httpx.get(f"{console.url}{path}").status_code == 410


def test_what_is_wrong_with_the_form_is_said_above_it(console: Console, office: Office, invited: str) -> None:
    path = f"/invite/{office.link_secret(invited)}"
    refused = post(console, path, name=HOSTILE, password="Password1234")
    assert refused.status_code == 422
    assert "among the first that are tried" in refused.text
    assert HOSTILE not in refused.text
    assert "&lt;img" in refused.text
    assert (
        httpx.post(
            f"{console.url}{path}", data={"name": "x"}, headers={"Origin": "https://evil.example"}
        ).status_code
        == 403
    )
    assert httpx.get(f"{console.url}/invite/unknown").status_code == 404


def test_a_workspaces_name_is_only_ever_text(console: Console, office: Office) -> None:
    office.change(Workspace, office.place.workspace.id, name=HOSTILE)
    office.do(office.owner().browser, invite, email="text@x.example", role=Role.AGENT)
    shown = httpx.get(f"{console.url}/invite/{office.link_secret('text@x.example')}")
    assert HOSTILE not in shown.text


def test_a_known_person_joins_with_their_own_password(console: Console, office: Office) -> None:
    elsewhere = Office(console.runtime, console.new_place(), console.password_hash)
    known = elsewhere.hire(Role.AGENT)
    office.do(office.owner().browser, invite, email=known.email, role=Role.VIEWER)
    path = f"/invite/{office.link_secret(known.email)}"
    assert 'autocomplete="current-password"' in httpx.get(f"{console.url}{path}").text
    assert post(console, path, password="wrong").status_code == 401
    assert is_in(console, post(console, path, password=PASSWORD))


# The second step


@pytest.fixture
def secret(office: Office) -> Callable[[str], str]:
    """``secret(user_id)``: that person has a second factor now; its secret."""

    def set_up(user_id: str) -> str:
        browser = office.browser(user_id)
        enrolment = office.do(browser, second_factor.begin)
        # A code of the step before, so that the present one is still good.
        before = pyotp.TOTP(enrolment.secret).at(int(office.now.timestamp()) - 30)
        office.do(browser, second_factor.confirm, code=before)
        return enrolment.secret

    return set_up


def test_a_code_is_asked_for_after_the_password(
    console: Console, office: Office, secret: Callable[[str], str]
) -> None:
    agent = office.hire(Role.AGENT)
    shared = secret(agent.id)
    half = post(console, "/auth/sign-in", email=agent.email, password=PASSWORD, next="/messages?q=a")
    assert half.headers["location"] == "/auth/code?next=/messages%3Fq%3Da"
    assert not is_in(console, half)
    cookie = half.cookies[COOKIE]
    assert httpx.get(f"{console.url}/messages", cookies={COOKIE: cookie}).status_code == 303
    form = httpx.get(f"{console.url}/auth/code", params={"next": "/messages"}, cookies={COOKIE: cookie})
    assert 'autocomplete="one-time-code"' in form.text
    wrong = post(console, "/auth/code", cookie, code="000000", next="/messages")
    assert (wrong.status_code, "That code is not right" in wrong.text) == (401, True)
    whole = post(console, "/auth/code", cookie, code=pyotp.TOTP(shared).now(), next="//evil.example")
    assert (whole.status_code, whole.headers["location"]) == (303, "/")
    assert is_in(console, whole)
    assert whole.cookies[COOKIE] != cookie


def test_without_a_half_open_session_the_second_step_leads_back(console: Console, office: Office) -> None:
    for path in ("/auth/code", "/auth/set-up"):
        assert httpx.get(f"{console.url}{path}").headers["location"] == "/login"
        assert post(console, path, code="123456").headers["location"] == "/login"


def test_a_workspace_that_asks_everybody_shows_the_code_to_scan(console: Console, office: Office) -> None:
    agent = office.hire(Role.AGENT)
    office.change(Workspace, office.place.workspace.id, require_second_factor=True)
    half = post(console, "/auth/sign-in", email=agent.email, password=PASSWORD)
    assert half.headers["location"] == "/auth/set-up"
    cookie = half.cookies[COOKIE]
    form = httpx.get(f"{console.url}/auth/set-up", cookies={COOKIE: cookie})
    assert "data:image/svg+xml" in form.text
    typed = re.search(r"type ((?:[A-Z2-7]{4} ){7}[A-Z2-7]{4}) into", form.text)
    assert typed is not None
    assert post(console, "/auth/set-up", cookie, code="000000").status_code == 422
    code = pyotp.TOTP(typed[1].replace(" ", "")).now()
    done = post(console, "/auth/set-up", cookie, code=code)
    assert done.status_code == 200
    assert len(re.findall(r"<li>[a-z2-9]{5}-[a-z2-9]{5}</li>", done.text)) == 10
    assert is_in(console, done)


# A forgotten password


def test_the_answer_does_not_tell_whether_an_address_is_known(console: Console, office: Office) -> None:
    agent = office.hire(Role.AGENT)
    known = post(console, "/forgot", email=agent.email)
    unknown = post(console, "/forgot", email="nobody@x.example")
    assert (known.status_code, known.text) == (unknown.status_code, unknown.text)


def test_a_new_password_signs_out_everywhere_and_its_link_is_good_once(
    console: Console, office: Office
) -> None:
    agent = office.hire(Role.AGENT)
    mails = office.mails()
    post(console, "/forgot", email=agent.email)
    wait_for(
        lambda: office.mails() > mails, within_s=5
    )  # written after the answer, so that its time is no clue
    path = f"/reset/{office.link_secret(agent.email, kind='reset')}"
    assert agent.email in httpx.get(f"{console.url}{path}").text
    assert post(console, path, password="short").status_code == 422
    assert office.is_in(agent.browser)
    changed = post(console, path, password=NEW_PASSWORD)
    assert changed.status_code == 200
    assert not office.is_in(agent.browser)
    assert post(console, path, password=NEW_PASSWORD).status_code == 410
    assert post(console, "/auth/sign-in", email=agent.email, password=PASSWORD).status_code == 401
    assert is_in(console, post(console, "/auth/sign-in", email=agent.email, password=NEW_PASSWORD))


def test_the_session_that_waits_for_a_code_is_nobodys_identity(
    console: Console, office: Office, secret: Callable[[str], str]
) -> None:
    agent = office.hire(Role.AGENT)
    secret(agent.id)
    half = post(console, "/auth/sign-in", email=agent.email, password=PASSWORD)
    assert not office.is_in(Identity(session_hash=hash_key(half.cookies[COOKIE])))
