import pytest

from core.errors import DomainError, Gone, NotFound, NotSignedIn, TooMany
from core.team.own_password import ask_reset, change_password, look_reset, reset_password
from core.team.sign_in import sign_in
from core.unit import ANONYMOUS, Identity
from data.enums import Role
from data.people import User
from tests.conftest import PASSWORD
from tests.core.office import Office

NEW_PASSWORD = "four unrelated words here"


def refusal_of_reset(office: Office, secret: str, new: str = NEW_PASSWORD) -> DomainError:
    with pytest.raises(DomainError) as refusal:
        reset_password(office.runtime, ANONYMOUS, token=secret, new=new)
    return refusal.value


def test_a_changed_password_counts_and_signs_out_every_other_browser(office: Office) -> None:
    agent = office.hire(Role.AGENT)
    elsewhere = office.browser(agent.id)
    change_password(office.runtime, agent.browser, present=PASSWORD, new=NEW_PASSWORD)
    assert office.is_in(agent.browser)
    assert not office.is_in(elsewhere)
    entry = office.last_entry()
    assert (entry.action, entry.actor, entry.after) == ("password.changed", agent.id, {"sessions_ended": 1})
    sign_in(office.runtime, ANONYMOUS, email=agent.email, password=NEW_PASSWORD, agent="")
    with pytest.raises(NotSignedIn):
        sign_in(office.runtime, ANONYMOUS, email=agent.email, password=PASSWORD, agent="")


def test_whoever_does_not_know_the_present_password_changes_nothing_and_is_throttled(office: Office) -> None:
    agent = office.hire(Role.AGENT)
    kinds = []
    for _ in range(6):
        with pytest.raises(DomainError) as refusal:
            change_password(office.runtime, agent.browser, present="wrong", new=NEW_PASSWORD)
        kinds.append(type(refusal.value))
    assert kinds == [NotSignedIn] * 5 + [TooMany]
    assert "confirm.refused" in [entry.action for entry in office.entries()]


@pytest.mark.parametrize("new", ["short", "Password1234", "x" * 1025])
def test_a_bad_new_password_leaves_the_old_one(office: Office, new: str) -> None:
    agent = office.hire(Role.AGENT)
    with pytest.raises(DomainError):
        change_password(office.runtime, agent.browser, present=PASSWORD, new=new)
    sign_in(office.runtime, ANONYMOUS, email=agent.email, password=PASSWORD, agent="")


def test_keys_and_strangers_have_no_password_to_change(office: Office) -> None:
    for identity in (office.place.acting(Role.OWNER), ANONYMOUS, Identity(session_hash="none")):
        with pytest.raises(NotSignedIn):
            change_password(office.runtime, identity, present=PASSWORD, new=NEW_PASSWORD)


# Forgotten


def test_a_link_is_good_once_for_an_hour_and_only_its_hash_is_kept(office: Office) -> None:
    agent = office.hire(Role.AGENT)
    office.do(ANONYMOUS, ask_reset, email=f" {agent.email.upper()} ")
    secret = office.link_secret(agent.email, kind="reset")
    assert secret not in str([entry.model_dump() for entry in office.entries()])
    assert office.ask(ANONYMOUS, look_reset, secret) == agent.email
    office.later(3599)
    browser = office.browser(agent.id)
    reset_password(office.runtime, ANONYMOUS, token=secret, new=NEW_PASSWORD)
    assert not office.is_in(browser)
    assert refusal_of_reset(office, secret).code == "reset_used"
    office.do(ANONYMOUS, ask_reset, email=agent.email)
    late = office.link_secret(agent.email, kind="reset")
    office.later(3600)
    assert refusal_of_reset(office, late).code == "reset_expired"
    assert isinstance(refusal_of_reset(office, "unknown"), NotFound)


def test_a_new_password_uses_up_every_other_link(office: Office) -> None:
    agent = office.hire(Role.AGENT)
    secrets = []
    for _ in range(2):
        office.do(ANONYMOUS, ask_reset, email=agent.email)
        secrets.append(office.link_secret(agent.email, kind="reset"))
        office.later(1)
    reset_password(office.runtime, ANONYMOUS, token=secrets[1], new=NEW_PASSWORD)
    assert isinstance(refusal_of_reset(office, secrets[0]), Gone)


def test_nobody_unknown_gets_a_mail_and_nobody_gets_many(office: Office) -> None:
    agent = office.hire(Role.AGENT)
    office.do(ANONYMOUS, ask_reset, email="nobody@x.example")
    assert office.mails() == 0
    for _ in range(5):
        office.do(ANONYMOUS, ask_reset, email=agent.email)
    assert office.mails() == 3
    office.later(3600)
    office.do(ANONYMOUS, ask_reset, email=agent.email)
    assert office.mails() == 4


def test_someone_who_was_only_invited_has_no_password_to_reset(office: Office) -> None:
    agent = office.hire(Role.AGENT)
    office.change(User, agent.id, password_hash="")
    office.do(ANONYMOUS, ask_reset, email=agent.email)
    assert office.mails() == 0
