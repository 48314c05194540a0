import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Impossible
from core.mail.rules import SUBJECT_MAX, mail_address, subject_line
from core.ports.mail import Letter, written
from tests.conftest import NOW


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("mara@example.com", "mara@example.com"),
        ("  Mara.K+waypost@mail.example.com ", "Mara.K+waypost@mail.example.com"),
        ("Mara@Bücher.example", "Mara@xn--bcher-kva.example"),
        ("o'neil@a-b.example", "o'neil@a-b.example"),
    ],
)
def test_a2_an_address_is_taken(text: str, address: str) -> None:
    assert mail_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "mara",
        "mara@",
        "@example.com",
        "mara@localhost",
        "mara@example..com",
        "mara@-example.com",
        "mara@example.com.",
        ".mara@example.com",
        "ma..ra@example.com",
        "mara k@example.com",
        '"mara k"@example.com',
        "mara(x)@example.com",
        "Mara <mara@example.com>",
        "mara@example.com,jon@example.com",
        "mara@example.com;jon@example.com",
        "mara@example.com\nBcc: jon@example.com",
        "mara\r\n@example.com",
        "mara@exa\x00mple.com",
        "mära@example.com",
        "a" * 65 + "@example.com",
        "mara@" + "a" * 64 + ".com",
        "mara@" + "a." * 130 + "com",
        "mara@[127.0.0.1]",
        "mara@exam\ud83dple.com",
    ],
)
def test_a2_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(Impossible) as refusal:
        mail_address(text)
    assert refusal.value.code == "email"
    assert refusal.value.sentence.isprintable()


def test_a2_a_subject_is_one_line() -> None:
    assert subject_line(" Join\r\nBcc: all@example.com\t now\x00 ") == "Join Bcc: all@example.com now"
    assert subject_line("ü" * 500) == "ü" * SUBJECT_MAX


@given(st.text(), st.text(alphabet=st.characters(codec="utf-8")))
def test_a2_no_subject_or_text_adds_a_header_or_a_recipient(subject: str, text: str) -> None:
    letter = Letter("mail_1", "mara@example.com", subject_line(subject), text, NOW)
    raw = written(letter, sender="Waypost <waypost@example.com>").as_bytes()
    head = raw.partition(b"\r\n\r\n")[0]
    names = [line.partition(b":")[0] for line in head.split(b"\r\n") if not line.startswith((b" ", b"\t"))]
    assert sorted(names) == [
        b"Auto-Submitted",
        b"Content-Transfer-Encoding",
        b"Content-Type",
        b"Date",
        b"From",
        b"MIME-Version",
        b"Message-ID",
        b"Subject",
        b"To",
    ]
