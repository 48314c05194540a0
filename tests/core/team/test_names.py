import pytest

from core.errors import Impossible
from core.team.names import normal_email, person_name, slug_of


@pytest.mark.parametrize(
    ("name", "slug"),
    [("Northwind Trading", "northwind-trading"), (" A  B ", "a-b"), ("Ü_x!!y", "ü-x-y"), ("北風", "北風")],
)
def test_a_slug_is_the_name_in_lower_case_with_dashes(name: str, slug: str) -> None:
    assert slug_of(name) == slug


@pytest.mark.parametrize("name", ["", "  ", "!!!", "x" * 201])
def test_a_name_without_letters_makes_no_slug(name: str) -> None:
    with pytest.raises(Impossible):
        slug_of(name)


@pytest.mark.parametrize("email", ["", "a", "a@b", "a b@c.de", "@c.de", "a@", "a@b@c.de", "x" * 65 + "@c.de"])
def test_what_is_no_address_is_refused(email: str) -> None:
    with pytest.raises(Impossible):
        normal_email(email)


@pytest.mark.parametrize(
    ("name", "kept"),
    [("  Mara  \n Lind ", "Mara Lind"), ("علی\u200cرضا", "علی\u200cرضا"), ("x" * 200, "x" * 200)],
)
def test_a_persons_name_stands_on_one_line(name: str, kept: str) -> None:
    assert person_name(name) == kept


@pytest.mark.parametrize("name", ["", " \n", "x" * 201, "Mara\u202edniL", "Mara\u200b", "Ma\x00ra"])
def test_a_name_that_is_none_or_hides_something_is_refused(name: str) -> None:
    with pytest.raises(Impossible):
        person_name(name)
