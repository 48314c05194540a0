import hashlib
import hmac

import pytest

from core.inbox.rules import is_signed


def signature(body: bytes, secret: str) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def test_a_body_is_signed_by_any_of_the_app_secrets_and_by_no_other() -> None:
    body = b'{"entry":[]}'
    assert is_signed(body, signature(body, "new"), ["new", "old"])
    assert is_signed(body, signature(body, "old"), ["new", "old"])
    assert is_signed(body, signature(body, "new").upper().replace("SHA256", "sha256"), ["new"])
    assert not is_signed(body, signature(body, "stranger"), ["new", "old"])
    assert not is_signed(body + b" ", signature(body, "new"), ["new"])


@pytest.mark.parametrize("header", [None, "", "sha256=", "sha1=abc", "sha256=é", "abc", "sha256=" + "0" * 64])
def test_a_missing_or_broken_signature_signs_nothing(header: str | None) -> None:
    assert not is_signed(b"{}", header, ["secret"])
    assert not is_signed(b"{}", header, [])
