import pytest

from core.errors import Impossible
from core.team.passwords import hash_password, is_common, is_password


@pytest.mark.parametrize("password", ["", "eleven char", "x" * 1025])
def test_a_password_has_twelve_characters_at_least(password: str) -> None:
    with pytest.raises(Impossible):
        hash_password(password)


@pytest.mark.parametrize(
    "password",
    [
        "password1234",
        "P@ssw0rd2024!",
        "Passw0rd!!!!",
        "qwertyuiop123",
        "aaaaaaaaaaaa",
        "abcabcabcabc",
        "121212121212",
        "mara.lind.2024",
        "MaraLind!2024",
        "lindlindlind",
        "iloveyou1234",
        "WhatsApp2024!",
    ],
)
def test_what_is_tried_first_is_too_common(password: str) -> None:
    assert is_common(password, about=("mara.lind@x.example", "Mara Lind"))
    with pytest.raises(Impossible) as refusal:
        hash_password(password, about=("mara.lind@x.example", "Mara Lind"))
    assert refusal.value.code in ("password_too_common", "password_too_short")


@pytest.mark.parametrize(
    "password",
    ["correct horse battery", "four unrelated words here", "Tr0ub4dor&3-zebra", "пароль-и-ещё-слово"],
)
def test_unrelated_words_are_not(password: str) -> None:
    assert not is_common(password, about=("mara.lind@x.example", "Mara Lind"))


def test_no_password_fits_someone_who_has_none_yet() -> None:
    for stored in ("", None):
        assert not is_password("nobody has this password", stored)
        assert not is_password("", stored)
