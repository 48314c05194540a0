import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pyotp
import pytest
from sqlmodel import select

from core.errors import ConfirmRequired, Conflict, DomainError, Impossible, NotSignedIn, TooMany
from core.team import second_factor
from core.team.names import hash_key
from core.team.own_password import confirm
from core.team.sign_in import NextStep, SignedIn, give_code, sign_in
from core.team.workspace import require_second_factor
from core.unit import FRESH_FOR, Identity
from data.enums import Role
from data.people import BrowserSession, RecoveryCode, SecondFactor, Workspace
from tests.conftest import PASSWORD
from tests.core.office import Office, Person

PLACE = Identity(address="192.0.2.7")


def code_now(office: Office, secret: str, *, steps: int = 0) -> str:
    return pyotp.TOTP(secret).at(int(office.now.timestamp()) + 30 * steps)


def set_up(office: Office, person: Person) -> tuple[str, tuple[str, ...]]:
    """The secret and the recovery codes; the app's clock has moved on since."""
    enrolment = office.do(person.browser, second_factor.begin)
    codes = office.do(person.browser, second_factor.confirm, code=code_now(office, enrolment.secret))
    office.later(30)
    return enrolment.secret, codes


def enter(office: Office, person: Person) -> SignedIn:
    return sign_in(office.runtime, PLACE, email=person.email, password=PASSWORD, agent="Firefox")


def browser_of(signed_in: SignedIn) -> Identity:
    return Identity(session_hash=hash_key(signed_in.token), address="192.0.2.7")


def test_setting_up_takes_a_first_code_and_gives_ten_recovery_codes(office: Office) -> None:
    agent = office.hire(Role.AGENT)
    enrolment = office.do(agent.browser, second_factor.begin)
    assert enrolment.qr.startswith("data:image/svg+xml")
    assert enrolment.secret not in repr(enrolment)
    office.refused(Impossible, agent.browser, second_factor.confirm, code="000000")
    assert not office.ask(agent.browser, second_factor.factor_view).is_set_up
    codes = office.do(agent.browser, second_factor.confirm, code=code_now(office, enrolment.secret))
    assert len(set(codes)) == 10
    assert all(re.fullmatch(r"[a-z2-9]{5}-[a-z2-9]{5}", code) for code in codes)
    view = office.ask(agent.browser, second_factor.factor_view)
    assert (view.is_set_up, view.codes_left, view.is_required) == (True, 10, False)
    assert office.last_entry().action == "second_factor.set_up"
    office.refused(Conflict, agent.browser, second_factor.begin)


def test_neither_the_secret_nor_the_codes_are_stored_as_they_are(office: Office) -> None:
    agent = office.hire(Role.AGENT)
    secret, codes = set_up(office, agent)
    with office.runtime.unit(office.place.owner) as unit:
        stored = [row.model_dump() for row in unit.session.exec(select(SecondFactor))]
        stored += [row.model_dump() for row in unit.session.exec(select(RecoveryCode))]
    told = str(stored) + str([entry.model_dump() for entry in office.entries()])
    assert secret not in told
    assert not any(code in told or code.replace("-", "") in told for code in codes)


def test_a_secret_copied_to_another_person_opens_nothing_there(office: Office) -> None:
    agent, other = office.hire(Role.AGENT), office.hire(Role.AGENT)
    secret, _ = set_up(office, agent)
    set_up(office, other)
    with office.runtime.unit(office.place.owner) as unit:
        sealed = unit.session.get_one(SecondFactor, agent.id).sealed
    office.change(SecondFactor, other.id, sealed=sealed)
    with pytest.raises(Exception, match="another row"):
        give_code(office.runtime, browser_of(enter(office, other)), code=code_now(office, secret))


def test_signing_in_asks_for_a_code_and_opens_nothing_before(office: Office) -> None:
    agent = office.hire(Role.AGENT)
    secret, _ = set_up(office, agent)
    waiting = enter(office, agent)
    assert waiting.next_step is NextStep.CODE
    assert not office.is_in(browser_of(waiting))
    opened = give_code(office.runtime, browser_of(waiting), code=code_now(office, secret))
    assert opened.token != waiting.token
    assert office.is_in(browser_of(opened))
    assert not office.is_in(browser_of(waiting))
    with pytest.raises(NotSignedIn):
        give_code(office.runtime, browser_of(waiting), code=code_now(office, secret, steps=1))
    actions = [entry.action for entry in office.entries()]
    assert actions[-2:] == ["sign_in.password_right", "sign_in"]


def test_a_code_is_taken_once_and_may_be_a_step_off(office: Office) -> None:
    agent = office.hire(Role.AGENT)
    secret, _ = set_up(office, agent)

    def is_taken(code: str) -> bool:
        try:
            give_code(office.runtime, browser_of(enter(office, agent)), code=code)
        except NotSignedIn:
            return False
        return True

    assert is_taken(code_now(office, secret))
    assert not is_taken(code_now(office, secret))
    assert is_taken(code_now(office, secret, steps=1))
    assert not is_taken(code_now(office, secret, steps=-1))
    office.later(90)
    assert not is_taken(code_now(office, secret, steps=2))
    assert is_taken(f" {code_now(office, secret)[:3]} {code_now(office, secret)[3:]} ")


def test_one_code_given_by_many_at_once_opens_one_session(office: Office) -> None:
    agent = office.hire(Role.AGENT)
    secret, _ = set_up(office, agent)
    waiting = [browser_of(enter(office, agent)) for _ in range(4)]
    start, code = threading.Barrier(4), code_now(office, secret)

    def give(identity: Identity) -> bool:
        start.wait()
        try:
            give_code(office.runtime, identity, code=code)
        except NotSignedIn:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(give, waiting)).count(True) == 1


def test_a_recovery_code_stands_in_once(office: Office) -> None:
    agent = office.hire(Role.AGENT)
    _, codes = set_up(office, agent)
    opened = give_code(office.runtime, browser_of(enter(office, agent)), code=codes[0].upper())
    assert office.is_in(browser_of(opened))
    with pytest.raises(NotSignedIn):
        give_code(office.runtime, browser_of(enter(office, agent)), code=codes[0])
    assert office.ask(agent.browser, second_factor.factor_view).codes_left == 9
    fresh = office.do(agent.browser, second_factor.new_recovery_codes)
    with pytest.raises(NotSignedIn):
        give_code(office.runtime, browser_of(enter(office, agent)), code=codes[1])
    give_code(office.runtime, browser_of(enter(office, agent)), code=fresh[1])


def test_the_recovery_code_of_another_is_none(office: Office) -> None:
    agent, other = office.hire(Role.AGENT), office.hire(Role.AGENT)
    set_up(office, agent)
    _, theirs = set_up(office, other)
    with pytest.raises(NotSignedIn):
        give_code(office.runtime, browser_of(enter(office, agent)), code=theirs[0])


def test_wrong_codes_are_throttled_like_wrong_passwords(office: Office) -> None:
    agent = office.hire(Role.AGENT)
    set_up(office, agent)
    waiting = browser_of(enter(office, agent))
    told = []
    for _ in range(6):
        with pytest.raises(DomainError) as refusal:
            give_code(office.runtime, waiting, code="000000")
        told.append(type(refusal.value))
    assert told == [NotSignedIn] * 5 + [TooMany]


def test_the_second_step_may_take_ten_minutes(office: Office) -> None:
    agent = office.hire(Role.AGENT)
    secret, _ = set_up(office, agent)
    waiting = browser_of(enter(office, agent))
    office.later(600)
    with pytest.raises(NotSignedIn):
        give_code(office.runtime, waiting, code=code_now(office, secret))


# Asked of everybody


def test_a_workspace_asks_everybody_for_one_and_first_of_all_whoever_says_so(office: Office) -> None:
    owner, agent = office.owner(), office.hire(Role.AGENT)
    refused = office.refused(Impossible, owner.browser, require_second_factor, required=True)
    assert refused.code == "second_factor_missing"
    set_up(office, owner)
    office.do(owner.browser, require_second_factor, required=True)
    assert office.is_in(owner.browser)
    assert not office.is_in(agent.browser)
    waiting = browser_of(enter(office, agent))
    enrolment = office.do(waiting, second_factor.begin_pending)
    assert office.do(waiting, second_factor.begin_pending).secret == enrolment.secret
    code = code_now(office, enrolment.secret)
    opened, codes = office.do(waiting, second_factor.confirm_pending, code=code)
    assert len(codes) == 10
    assert office.is_in(browser_of(opened))
    assert not office.is_in(waiting)
    assert office.refused(Conflict, browser_of(opened), second_factor.remove).code == "second_factor_required"
    office.change(Workspace, office.place.workspace.id, require_second_factor=False)
    office.do(browser_of(opened), second_factor.remove)
    assert enter(office, agent).next_step is NextStep.NONE


def test_whoever_has_a_second_factor_sets_up_no_other_while_signing_in(office: Office) -> None:
    agent = office.hire(Role.AGENT)
    set_up(office, agent)
    waiting = browser_of(enter(office, agent))
    office.refused(Conflict, waiting, second_factor.begin_pending)
    office.refused(Conflict, waiting, second_factor.confirm_pending, code="000000")


# Asked again


def test_what_is_dangerous_goes_through_after_the_password_or_a_code(office: Office) -> None:
    agent = office.hire(Role.AGENT)
    secret, _ = set_up(office, agent)
    for proof in (PASSWORD, None):
        office.later(FRESH_FOR.total_seconds() + 1)
        office.refused(ConfirmRequired, agent.browser, second_factor.new_recovery_codes)
        with pytest.raises(NotSignedIn):
            confirm(office.runtime, agent.browser, proof="wrong")
        office.refused(ConfirmRequired, agent.browser, second_factor.new_recovery_codes)
        confirm(office.runtime, agent.browser, proof=proof or code_now(office, secret))
        office.do(agent.browser, second_factor.new_recovery_codes)
    assert [entry.action for entry in office.entries()].count("session.confirmed") == 2


def test_guesses_at_the_second_asking_are_throttled(office: Office) -> None:
    agent = office.hire(Role.AGENT)
    for _ in range(5):
        with pytest.raises(NotSignedIn):
            confirm(office.runtime, agent.browser, proof="wrong")
    with pytest.raises(TooMany):
        confirm(office.runtime, agent.browser, proof=PASSWORD)
    with office.runtime.unit(office.place.owner) as unit:
        assert unit.session.get_one(BrowserSession, agent.browser.session_hash).confirmed_at is not None
