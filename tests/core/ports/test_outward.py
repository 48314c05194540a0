"""Where alerts may be told, as the addresses are written and as they lead (A3)."""

import asyncio

import pytest

from core.ports import outward, services
from core.ports.outward import NotTold, Post, post, shown, wrong_with

SLACK = "https://hooks.slack.com/services/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"
INSIDE = (
    "https://127.0.0.1/x",
    "https://localhost/x",
    "https://printer.local/x",
    "https://10.0.0.8/x",
    "https://169.254.169.254/latest/meta-data/",
    "https://0.0.0.0/x",
    "https://224.0.0.1/x",
    "https://[::1]/x",
    "https://[::ffff:10.0.0.1]/x",
    "https://[64:ff9b::a00:1]/x",
    "https://[2002:a00:1::]/x",
    "https://[fd00::1]/x",
    "https://[fe80::1]/x",
)
NONE = (
    "",
    "nonsense",
    "ftp://hooks.example.com/x",
    "http://hooks.example.com/x",
    "https://user:password@hooks.example.com/x",
    "https://",
    "https://[::1",
    "https://hooks.example.com:99999/x",
)


@pytest.mark.parametrize("url", [*INSIDE, *NONE])
def test_a3_what_is_no_address_of_the_internet_is_refused_without_repeating_it(url: str) -> None:
    problem = wrong_with(url, may_be_private=False)
    assert problem
    assert "password@" not in problem
    assert bool(wrong_with(url, may_be_private=True)) is (url in NONE and not url.startswith("http://"))


@pytest.mark.parametrize(
    "url", ["https://hooks.example.com/a?token=b", "https://1.1.1.1/x", "https://[2606:4700::1111]:8443/x"]
)
def test_a3_what_is_one_is_taken_and_only_its_host_is_shown(url: str) -> None:
    assert wrong_with(url, may_be_private=False) == ""
    assert shown("https://hooks.example.com/a?token=b") == "https://hooks.example.com/…"


@pytest.mark.parametrize("host", ["127.1", "0x7f000001", "2130706433", "017700000001"])
def test_a3_an_odd_spelling_of_this_machine_is_seen_when_it_is_called(host: str) -> None:
    call = Post(id="ntc_1", url=f"https://{host}:9/x", secret="s", body=b"{}", at_s=1)
    with pytest.raises(NotTold, match="private network") as refusal:
        asyncio.run(post(call, may_be_private=False))
    assert refusal.value.is_final


def test_a3_the_signature_is_what_the_readme_says() -> None:
    made = outward.signature("whsec_x", at_s=1764000000, body=b'{"id":"ntc_1"}')
    assert made == "sha256=d522b87c16d6eada2a7771183b61569dfdcb713bbff1d493ab036910ef3d0feb"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "json://127.0.0.1/x",
        "file:///etc/passwd",
        "gotify://127.0.0.1/AbcdefghijklmnO",
        "ntfy://own.example/topic",
        f"{SLACK}?template=/etc/passwd",
        f"{SLACK}?rto=90000",
        "slack://no",
        "https://hooks.example.com/x",
        "workflows://10.0.0.1/643e69f83c8944438d68119179a10a64/signature-signature",
    ],
)
def test_a3_a_service_that_is_not_known_or_asks_for_more_is_refused(url: str) -> None:
    problem = services.wrong_with(url, may_be_private=False)
    assert problem
    assert not url or url not in problem


def test_a3_a_service_is_shown_by_its_name_alone() -> None:
    assert services.wrong_with(SLACK, may_be_private=False) == ""
    assert services.shown(SLACK) == "Slack"
