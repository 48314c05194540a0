"""Whatever Meta answers, it is read: words are kept, nonsense counts as not said."""

import json
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from core.phones import reading
from core.phones.health import understand
from core.phones.verdicts import judge
from core.phones.verification import explain
from data.enums import NodeAspect, Severity

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.text(max_size=300)
    | st.sampled_from(["GREEN", "RED", "TIER_2K", "CONNECTED", "\x00", "\ud800", "verified"])
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = (
    *("id", "display_phone_number", "verified_name", "quality_rating", "quality_score", "throughput"),
    *("name_status", "status", "new_name_status", "whatsapp_business_manager_messaging_limit"),
    *("account_review_status", "owner_business_info", "business_verification_status", "entities"),
    "can_send_message",
)
NODES = st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), ANYTHING, max_size=12)


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@given(NODES)
def test_any_node_is_read_and_what_is_kept_is_plain_json(node: dict[str, Any]) -> None:
    for found in (reading.read_phone(node), reading.read_waba(node)):
        if found is None:
            continue
        written = json.dumps(found.kept, allow_nan=False, ensure_ascii=False)
        assert "\\u0000" not in written.replace("\\\\", "")  # a text may speak of NUL, and hold none
        written.encode()
        for name in ("name", "status"):
            word = getattr(found, name)
            assert word is None or (isinstance(word, str) and 0 < len(word) <= reading.WORD_MAX)


@given(ANYTHING)
def test_any_health_status_is_understood(said: Any) -> None:
    found = understand(said)
    assert found.can_send
    assert all(part.kind and part.can_send for part in found.parts)


@given(ANYTHING, ANYTHING)
def test_any_change_can_be_judged_and_any_verification_explained(before: Any, after: Any) -> None:
    old, new = reading.word(before), reading.word(after)
    for aspect in NodeAspect:
        judge(aspect, old, new)
    assert explain(new).title


def test_words_as_meta_writes_them_become_one_vocabulary() -> None:
    assert reading.quality_of({"score": "red"}) == "RED"
    assert reading.quality_of("NA") == "UNKNOWN"
    assert [reading.tier_of(each) for each in (2000, "2000", "TIER_2K", -1, 777, {}, True)] == [
        "TIER_2K",
        "TIER_2K",
        "TIER_2K",
        "TIER_UNLIMITED",
        "777",
        None,
        None,
    ]
    assert [reading.tier_size(each) for each in ("TIER_1K", "TIER_UNLIMITED", "TIER_NOT_SET", None)] == [
        1000,
        math.inf,
        None,
        None,
    ]
    assert reading.verification_of("UNVERIFIED") == "not_verified"
    assert reading.verification_of("Pending_Need_More_Info") == "pending_need_more_info"
    assert reading.word("x" * 500) == "x" * 200


def test_what_is_too_deep_or_too_long_is_cut() -> None:
    kept = reading.kept_node({"deep": deep(500), "long": list(range(1000)), "text": "x" * 9_000})
    assert len(kept["long"]) == reading.KEPT_LENGTH
    assert len(kept["text"]) == reading.TEXT_MAX
    assert json.dumps(kept).count("[") < 15


def test_which_changes_matter() -> None:
    def judged(aspect: NodeAspect, before: str | None, after: str | None) -> tuple[str, Any] | None:
        verdict = judge(aspect, before, after)
        return None if verdict is None else (verdict.kind, verdict.severity)

    quality, tier, status = NodeAspect.QUALITY, NodeAspect.TIER, NodeAspect.STATUS
    assert judged(quality, "GREEN", "RED") == ("phone_quality", Severity.WARNING)
    assert judged(quality, "RED", "YELLOW") is None
    assert judged(quality, "YELLOW", "GREEN") == ("phone_quality", None)
    assert judged(tier, "TIER_10K", "TIER_2K") == ("phone_tier", Severity.INFO)
    assert judged(tier, "TIER_2K", "TIER_UNLIMITED") == ("phone_tier", None)
    assert judged(tier, None, "TIER_250") is None
    assert judged(tier, "TIER_2K", "TIER_NEW") is None
    assert judged(status, "CONNECTED", "BANNED") == ("phone_restricted", Severity.CRITICAL)
    assert judged(status, "CONNECTED", "FLAGGED") == ("phone_restricted", Severity.WARNING)
    assert judged(status, "FLAGGED", "CONNECTED") == ("phone_restricted", None)
    assert judged(status, "CONNECTED", "DREAMING") is None
    assert judged(NodeAspect.NAME_STATUS, "APPROVED", "DECLINED") == ("phone_name", Severity.WARNING)
    assert judged(NodeAspect.RESTRICTION, None, "DISABLE") == ("account_restricted", Severity.CRITICAL)
    assert judged(NodeAspect.RESTRICTION, "DISABLE", None) == ("account_restricted", None)
    assert judged(NodeAspect.VERIFICATION, "pending", "rejected") == (
        "business_verification",
        Severity.WARNING,
    )
    assert judged(NodeAspect.VERIFICATION, "rejected", "verified") == ("business_verification", None)
