import doctest
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ports import meta_errors
from core.ports.meta_error_table import LOCAL_ROWS, META_ROWS
from core.ports.meta_errors import (
    RANGES,
    TABLE,
    ErrorClass,
    Explanation,
    Scope,
    classify,
    explain,
    fingerprint,
    normalise_detail,
    suppresses,
)

# fmt: off
# By hand from the class column of Meta's table: of two letters the first, and our choice where it has none.
CODES_BY_CLASS = {
    "retry": [1, 2, 130429, 131000, 131016, 131056, 131057, 133004],
    "wait": [
        4, 17, 341, 613, 80007, 80008, 80012, 131049, 132015, 132069, 133008, 133009, 133015, 133016,
        134101, 2388039, 2494100,
    ],
    "fix": [
        100, 803, 131008, 131009, 131020, 131030, 131041, 131051, 131053, 131055, 131059, 131062,
        *range(131201, 131216), 132000, 132001, 132005, 132008, 132012, 132018, 133000, 134100, 135000,
        136025, *range(138000, 138019), *range(139000, 139005), *range(139100, 139104), *range(147001,
        147006), 200005, 200006, 200007, 2388012, 2388019, 2388040, 2388047, 2388072, 2388073, 2388091,
        2388093, 2388103, 2388293, 2388299,
    ],
    "permanent": [
        506, 130472, 131021, 131026, 131043, 131047, 131052, 132007, 132016, 132068, 137000, 1752041,
        2593107, 2593108,
    ],
    "recipient": [130403, 130497, 131050],
    "hold": [
        0, 3, 10, 33, 102, 104, 190, *range(200, 300), 368, 131005, 131031, 131037, 131042, 131044,
        131045, 131048, 131063, 131064, 133005, 133006, 133010, 134011, 134102, 141008, 141014,
    ],
}
EXPECTED = [(code, klass) for klass, codes in CODES_BY_CLASS.items() for code in codes]

SCOPES = {
    "account": [
        0, 3, 10, 17, 102, 104, 190, 200, 250, 299, 368, 80007, 131005, 131031, 131042, 131044, 131064,
        134011, 141008, 141014,
    ],
    "lane": [33, 130429, 131037, 131045, 131048, 131057, 133005, 133006, 133010, 133015],
    "template": [131063, 132001, 132007, 132015, 132016, 132069, 134101, 134102],
    "contact": [130403, 130472, 130497, 131026, 131049, 131050],
    "pair": [131047, 131056, 137000],
    "app": [4, 341, 613],
    "message": [1, 2, 100, 131000, 131009, 131016, 131021, 132000, 132012, 138005],
}
# fmt: on

MIN_WAITS = {80007: 300, 131049: 86_400, 131057: 60, 132015: 10_800, 132069: 3_600, 133015: 300, 134101: 600}

LOCAL_CLASSES = {
    "network_timeout": "retry",
    "connection_failed": "retry",
    "bad_response": "retry",
    "http_500": "retry",
    "http_503": "retry",
    "http_599": "retry",
    "http_408": "retry",
    "http_429": "retry",
    "http_302": "fix",
    "http_404": "fix",
    "expired": "permanent",
    "poison": "permanent",
    "plan_limit_reached": "fix",
    "budget_reached": "fix",
    "window_closed": "permanent",
    "recipient_suppressed": "permanent",
    "template_not_sendable": "fix",
}

EVERY_EXPLANATION = [
    *TABLE.values(),
    *RANGES.values(),
    *(explain(word) for word in ("http_302", "http_404", "http_429", "http_503", "meta_999999")),
    classify(999999, http_status=500, is_transient=False),
]

words = st.one_of(
    st.text(),
    st.sampled_from(sorted(TABLE)),
    st.integers().map(lambda number: f"meta_{number}"),
    st.integers(0, 999).map(lambda number: f"http_{number:03}"),
    st.from_regex(r"(meta|http)_.*"),
)
statuses = st.one_of(st.sampled_from([0, 200, 302, 400, 401, 429, 500, 503]), st.integers())


@pytest.mark.parametrize(("code", "klass"), EXPECTED)
def test_every_code_of_metas_table_has_the_class_it_prescribes(code: int, klass: str) -> None:
    explanation = explain(f"meta_{code}")
    assert explanation.klass == klass
    assert explanation.code == f"meta_{code}"
    assert explanation.title != "Code not known"


@pytest.mark.parametrize(
    ("code", "scope"), [(code, scope) for scope, codes in SCOPES.items() for code in codes]
)
def test_a_cause_reaches_as_far_as_its_scope(code: int, scope: str) -> None:
    assert explain(f"meta_{code}").scope == scope


def test_the_hand_written_list_names_every_code_once_and_the_table_knows_no_other() -> None:
    listed = [f"meta_{code}" for code, _ in EXPECTED]
    assert len(listed) == len(set(listed))
    assert {word for word in TABLE if word.startswith("meta_")} <= set(listed)
    assert {f"meta_{number}" for codes in RANGES for number in codes} <= set(listed)


def test_no_row_hides_another() -> None:
    assert len(TABLE) == len(META_ROWS) + len(LOCAL_ROWS)
    ranges = list(RANGES)
    assert all(a is b or not set(a) & set(b) for a in ranges for b in ranges)


@pytest.mark.parametrize("code", [131058, 141006, 300, 131216, 138019, 139005, 139104, 147006, 999999])
def test_codes_without_a_source_are_not_known(code: int) -> None:
    explanation = explain(f"meta_{code}")
    assert explanation.title == "Code not known"
    assert explanation.advice.startswith("This code is not known to Waypost")
    assert explanation.klass is ErrorClass.PERMANENT


@pytest.mark.parametrize(("word", "klass"), LOCAL_CLASSES.items())
def test_every_word_of_our_own_is_explained(word: str, klass: str) -> None:
    explanation = explain(word)
    assert (explanation.code, explanation.klass) == (word, klass)
    assert explanation.title != "Code not known"


def test_a_timeout_is_titled_as_the_api_shows_it() -> None:
    assert explain("network_timeout").title == "Network timeout"


@pytest.mark.parametrize(("code", "seconds"), MIN_WAITS.items())
def test_codes_with_a_wait_state_its_minimum(code: int, seconds: int) -> None:
    assert explain(f"meta_{code}").min_wait_s == seconds


def test_class_wait_always_has_a_minimum_and_dead_or_held_ones_never_do() -> None:
    for explanation in EVERY_EXPLANATION:
        if explanation.klass is ErrorClass.WAIT:
            assert explanation.min_wait_s > 0, explanation.code
        if not explanation.can_pass:
            assert explanation.min_wait_s == 0, explanation.code


def test_only_waiting_for_a_rate_limit_uses_no_rung() -> None:
    free = {explanation.code for explanation in EVERY_EXPLANATION if not explanation.uses_rung}
    assert free == {"meta_130429", "meta_131056", "meta_80007"}


def test_what_can_pass_and_what_holds_follow_from_the_class() -> None:
    for explanation in EVERY_EXPLANATION:
        assert explanation.can_pass == (explanation.klass in {"retry", "wait"})
        assert explanation.holds == (explanation.klass == "hold")


def test_a_hold_holds_more_than_one_message() -> None:
    for explanation in EVERY_EXPLANATION:
        if explanation.holds:
            assert explanation.scope in {Scope.TEMPLATE, Scope.LANE, Scope.ACCOUNT}, explanation.code


@pytest.mark.parametrize("explanation", EVERY_EXPLANATION, ids=lambda explanation: explanation.code)
def test_every_entry_reads_as_plain_sentences(explanation: Explanation) -> None:
    title, meaning, advice = explanation.title, explanation.meaning, explanation.advice
    assert 0 < len(title) <= 60
    assert title[0].isupper()
    assert title[-1].isalnum()
    assert explanation.code.removeprefix("meta_") not in title
    for sentences in (meaning, advice):
        assert 0 < len(sentences) <= 160
        assert sentences[0].isupper()
        assert sentences.endswith(".")
        assert sentences.count(". ") <= 1, "one or two sentences"
    for text in (title, meaning, advice):
        assert "!" not in text
        assert "  " not in text
        assert text == text.strip()
        assert not re.search(r"\b(WABA|BSUID|payload|API error|HTTP)\b", text), "jargon"


def test_a_closed_window_says_what_to_send_instead() -> None:
    for word in ("meta_131047", "window_closed"):
        assert explain(word).advice.startswith("Send a template instead")


def test_recipient_codes_say_what_they_stop() -> None:
    assert suppresses("meta_130403") == "all"
    assert suppresses("meta_130497") == "all"
    assert suppresses("meta_131050") == "marketing"
    assert suppresses("meta_131026") is None
    assert suppresses("recipient_suppressed") is None


@given(words)
def test_a_contact_is_suppressed_by_class_recipient_and_nothing_else(word: str) -> None:
    assert (suppresses(word) is not None) == (explain(word).klass is ErrorClass.RECIPIENT)


@given(words)
def test_explaining_is_total_and_keeps_the_word(word: str) -> None:
    explanation = explain(word)
    assert explanation.code == word
    assert explanation.title
    assert explanation.meaning
    assert explanation.advice


def test_a_code_of_thousands_of_digits_is_only_unknown() -> None:
    assert explain("meta_" + "9" * 5_000).title == "Code not known"


@given(st.none() | st.integers() | st.sampled_from([code for code, _ in EXPECTED]), statuses, st.booleans())
def test_every_answer_gets_a_class_of_the_enum(code: int | None, status: int, is_transient: bool) -> None:
    explanation = classify(code, http_status=status, is_transient=is_transient)
    assert isinstance(explanation.klass, ErrorClass)
    assert isinstance(explanation.scope, Scope)
    if code is not None:
        assert explanation.code == f"meta_{code}"


@given(st.sampled_from([code for code, _ in EXPECTED]), statuses, st.booleans())
def test_a_listed_code_decides_whatever_the_status_says(code: int, status: int, is_transient: bool) -> None:
    assert classify(code, http_status=status, is_transient=is_transient) == explain(f"meta_{code}")


@pytest.mark.parametrize(
    ("http_status", "is_transient", "klass"),
    [
        (400, False, "permanent"),
        (400, True, "retry"),
        (500, False, "retry"),
        (503, True, "retry"),
        (499, False, "permanent"),
        (429, False, "permanent"),
    ],
)
@pytest.mark.parametrize("code", [999999, 131058, 141006])
def test_an_unlisted_code_can_pass_only_if_meta_or_the_status_says_so(
    code: int, http_status: int, is_transient: bool, klass: str
) -> None:
    explanation = classify(code, http_status=http_status, is_transient=is_transient)
    assert (explanation.code, explanation.klass) == (f"meta_{code}", klass)
    assert explanation.title == "Code not known"
    assert explanation.advice.startswith("This code is not known to Waypost")


@pytest.mark.parametrize(
    ("http_status", "is_transient", "code", "klass"),
    [
        (503, False, "http_503", "retry"),
        (429, False, "http_429", "retry"),
        (404, False, "http_404", "fix"),
        (404, True, "http_404", "retry"),
        (200, False, "bad_response", "retry"),
        (0, False, "bad_response", "retry"),
    ],
)
def test_an_answer_without_metas_error_is_named_by_its_status(
    http_status: int, is_transient: bool, code: str, klass: str
) -> None:
    explanation = classify(None, http_status=http_status, is_transient=is_transient)
    assert (explanation.code, explanation.klass) == (code, klass)


# What a detail differs in from message to message, by kind; a template string has one hole of each.
numbers = st.one_of(
    st.integers(-(10**15), 10**15).map(str),
    st.floats(allow_nan=False, allow_infinity=False, min_value=-1e6, max_value=1e6).map(lambda x: f"{x:.3f}"),
    st.integers(1, 10**6).map(lambda x: f"{x:,}"),
    st.integers(10**9, 10**14).map(lambda x: f"+{x}"),
    st.dates().map(str),
)
ids = st.one_of(
    st.uuids().map(str),
    st.from_regex(r"wamid\.[A-Za-z0-9+/]{20,60}={0,2}", fullmatch=True),
    st.from_regex(r"msg_0[0-9a-hjkmnp-tv-z]{24}[a-z]", fullmatch=True),
    st.from_regex(r"[A-Z]{2}\.(ENT\.)?1[0-9]{17}", fullmatch=True).filter(lambda x: "wamid" not in x),
    st.binary(min_size=16, max_size=32).map(lambda raw: "a1" + raw.hex()),
    st.from_regex(r"A[A-Za-z0-9_-]{9}x7[A-Za-z0-9]{9}Q", fullmatch=True),
)
inner = st.text(st.characters(exclude_characters="\"'“”„«»`‘’", exclude_categories=["Cs"]), max_size=20)
quotes = st.builds(
    lambda marks, text: f"{marks[0]}{text}{marks[1]}",
    st.sampled_from(['""', "''", "“”", "«»", "``", "„“"]),
    inner,
)
shapes: list[Callable[[str, str, str], str]] = [
    lambda number, id_, quote: f"Parameter {quote} of {id_} is {number} characters too long.",
    lambda number, id_, quote: f"(#100) {id_} isn't valid: expected {number}, got {quote}",
    lambda number, id_, quote: f"{number} of the user's messages ({id_}) had {quote}",
    lambda number, id_, quote: f"{quote} {id_} [{number}]",
]


@given(st.data(), st.sampled_from(shapes))
def test_details_that_differ_in_numbers_ids_and_quotes_have_one_fingerprint(
    data: st.DataObject, shape: Callable[[str, str, str], str]
) -> None:
    first, second = (shape(data.draw(numbers), data.draw(ids), data.draw(quotes)) for _ in range(2))
    assert normalise_detail(first) == normalise_detail(second)
    assert fingerprint("meta_131009", template=None, detail=first) == fingerprint(
        "meta_131009", template=None, detail=second
    )


@pytest.mark.parametrize(
    ("detail", "normal"),
    [
        ("Parameter name is missing", "parameter name is missing"),
        ("  Parameter \n name   is missing ", "parameter name is missing"),
        ("number of localizable_params (3) is wrong", "number of localizable_params (<n>) is wrong"),
        ("components[2].parameters[10].text is invalid", "components[<n>].parameters[<n>].text is invalid"),
        ("template 'spring_sale' isn't available in 'en_US'", "template <text> isn't available in <text>"),
        ("the user's phone can't take it", "the user's phone can't take it"),
        ("header_image_handle_2 is missing", "header_image_handle_<n> is missing"),
        ("to +49 170 123-4567", "to <n>"),
        ("user US.13491208655302741918 is gone", "user <id> is gone"),
        ("fbtrace AX3dQ_l9mN0pZrStUvWxYz1", "fbtrace <id>"),
        ("media at HTTPS://x.example/a/1.png failed", "media at <url> failed"),
        ("", ""),
    ],
)  # fmt: skip
def test_the_details_varying_parts_are_named_by_kind(detail: str, normal: str) -> None:
    assert normalise_detail(detail) == normal


def test_a_different_code_template_field_or_wording_is_another_group() -> None:
    prints = {
        fingerprint("meta_132000", template="order", detail="too many"),
        fingerprint("meta_132001", template="order", detail="too many"),
        fingerprint("meta_132000", template="invoice", detail="too many"),
        fingerprint("meta_132000", template=None, detail="too many"),
        fingerprint("meta_132000", template=None, field="order", detail="too many"),
        fingerprint("meta_132000", template=None, field="to", detail="too many"),
        fingerprint("meta_132000", template="order", detail="too few"),
    }
    assert len(prints) == 7


def test_the_field_counts_only_where_there_is_no_template() -> None:
    assert fingerprint("meta_100", template="order", field="to", detail="x") == fingerprint(
        "meta_100", template="order", field="body", detail="x"
    )


names = st.none() | st.text(min_size=1)


@given(st.tuples(words, names), st.tuples(words, names), st.text())
def test_different_codes_or_templates_never_share_a_fingerprint(
    first: tuple[str, str | None], second: tuple[str, str | None], detail: str
) -> None:
    prints = [fingerprint(code, template=template, detail=detail) for code, template in (first, second)]
    assert (prints[0] == prints[1]) == (first == second)


@given(st.text(), st.text() | st.none(), st.text() | st.none(), st.text())
def test_a_fingerprint_is_sixteen_hex_digits_for_any_text(
    code: str, template: str | None, field: str | None, detail: str
) -> None:
    assert re.fullmatch(r"[0-9a-f]{16}", fingerprint(code, template=template, field=field, detail=detail))


def test_a_long_list_of_numbers_is_one_number() -> None:
    assert normalise_detail("1, " * 20_000) == "<n>,"


def test_the_examples_of_the_docstrings_are_true() -> None:
    results = doctest.testmod(meta_errors)
    assert results.attempted >= 10
    assert results.failed == 0
