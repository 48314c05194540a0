import pytest

from ui.pages.audit_words import day_of, words_of


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("member.role_changed", "Member role changed"),
        ("sign_in", "Sign in"),
        ("waba.connected", "WABA connected"),
        ("api_key.created", "API key created"),
        ("", ""),
    ],
)
def test_an_action_is_told_in_words(name: str, words: str) -> None:
    assert words_of(name) == words


def test_what_is_no_day_is_none() -> None:
    assert day_of("2026-11-23") is not None
    assert [day_of(text) for text in ("", "yesterday", "2026-13-01", "2026-11-23T10:00")] == [None] * 4
