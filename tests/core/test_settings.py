from pathlib import Path

import pytest

from core.settings import Settings, SettingsError, load_settings


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the environment's settings nor a .env reach these tests."""
    import os

    for name in list(os.environ):
        if name.startswith(("WAYPOST_", "START_", "TOKEN_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_the_defaults_are_those_of_the_manual() -> None:
    settings = load_settings()
    assert settings.waypost_retry_delays == (60, 300, 900, 3600)
    assert settings.waypost_token_refresh_delays == (60, 300, 900)
    assert settings.token_refresh_interval_hours == 6
    assert (settings.waypost_host, settings.waypost_port) == ("127.0.0.1", 8080)
    assert (settings.waypost_retry_workers, settings.waypost_sends_in_flight) == (5, 100)
    assert (settings.waypost_graph_timeout, settings.waypost_message_max_age) == (10, 86_400)
    assert (settings.waypost_session_idle, settings.waypost_session_max) == (1800, 43_200)
    assert (settings.waypost_unknown_outcome, settings.waypost_log_format) == ("retry", "console")
    assert (settings.public_url, settings.is_public) == ("http://127.0.0.1:8080", False)
    assert (settings.secret_keys, settings.app_secrets, settings.lease_s) == ((), (), 13)


def test_lists_and_decimals_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAYPOST_RETRY_DELAYS", " 0.5, 1 ,2.25")
    monkeypatch.setenv("WAYPOST_META_APP_SECRET", "new, old")
    monkeypatch.setenv("WAYPOST_SECRET_KEYS", "a,b,")
    monkeypatch.setenv("WAYPOST_PUBLIC_URL", "https://console.example/")
    settings = load_settings()
    assert settings.waypost_retry_delays == (0.5, 1, 2.25)
    assert (settings.app_secrets, settings.secret_keys) == (("new", "old"), ("a", "b"))
    assert (settings.public_url, settings.is_public) == ("https://console.example", True)


def test_an_env_file_is_read_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("WAYPOST_PORT=9001\nWAYPOST_HOST=0.0.0.0\n")
    monkeypatch.setenv("WAYPOST_PORT", "9002")
    settings = load_settings()
    assert (settings.waypost_host, settings.waypost_port) == ("0.0.0.0", 9002)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WAYPOST_PORT", "0"),
        ("WAYPOST_PORT", "eighty"),
        ("WAYPOST_PORT", "70000"),
        ("TOKEN_REFRESH_INTERVAL_HOURS", "5"),
        ("TOKEN_REFRESH_INTERVAL_HOURS", "0"),
        ("WAYPOST_TOKEN_REFRESH_DELAYS", "60,never"),
        ("WAYPOST_DATABASE_URL", "mysql://hunter2@host/x"),
        ("WAYPOST_DATABASE_URL", "not a url"),
        ("WAYPOST_DATABASE_URL", "sqlite://"),
        ("WAYPOST_QUEUE_URL", "amqp://user:hunter2@host"),
        ("WAYPOST_QUEUE_URL", "sqlite:///var/waypost.db"),
        ("WAYPOST_PUBLIC_URL", "console.example"),
        ("WAYPOST_GRAPH_URL", "ftp://graph"),
        ("WAYPOST_GRAPH_VERSION", "23"),
        ("WAYPOST_GRAPH_TIMEOUT", "0"),
        ("WAYPOST_GRAPH_TIMEOUT", "-1"),
        ("WAYPOST_GRAPH_TIMEOUT", "nan"),
        ("WAYPOST_RETRY_DELAYS", ""),
        ("WAYPOST_RETRY_DELAYS", "60,soon"),
        ("WAYPOST_RETRY_DELAYS", "60,0"),
        ("WAYPOST_RETRY_DELAYS", "60,-5"),
        ("WAYPOST_RETRY_DELAYS", "inf"),
        ("WAYPOST_RETRY_WORKERS", "0"),
        ("WAYPOST_SENDS_IN_FLIGHT", "many"),
        ("WAYPOST_MESSAGE_MAX_AGE", "0"),
        ("WAYPOST_SESSION_IDLE", ""),
        ("WAYPOST_MAX_BODY_BYTES", "1"),
        ("WAYPOST_UNKNOWN_OUTCOME", "guess"),
        ("WAYPOST_LOG_FORMAT", "xml"),
        ("WAYPOST_SMTP_URL", "mail.example.com"),
        ("WAYPOST_SMTP_URL", "http://user:hunter2@mail.example.com"),
        ("WAYPOST_SMTP_URL", "smtp://user:hunter2@"),
        ("WAYPOST_SMTP_URL", "smtp://user:hunter2@host:notaport"),
        ("WAYPOST_MAIL_FROM", "nobody"),
        ("WAYPOST_MAIL_FROM", "a@example.com, b@example.com"),
        ("WAYPOST_MAIL_FROM", "Waypost <>"),
        ("START_MESSAGE_RETRY_WORKER", "perhaps"),
    ],
)
def test_a_wrong_setting_names_itself_in_one_line_and_repeats_no_secret(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refusal:
        load_settings()
    sentence = str(refusal.value)
    assert sentence.startswith(f"{name}: ")
    assert len(sentence.splitlines()) == 1
    assert "hunter2" not in sentence
    assert refusal.value.__cause__ is None


def test_a_secret_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAYPOST_SECRET_KEYS", "hunter2")
    monkeypatch.setenv("WAYPOST_META_APP_SECRET", "hunter2")
    monkeypatch.setenv("WAYPOST_WEBHOOK_VERIFY_TOKEN", "hunter2")
    settings = load_settings()
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in str(settings.model_dump())


def test_a_mail_server_needs_a_sender_and_no_server_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings()
    assert (settings.smtp_url, settings.mail_from) == (None, "Waypost <waypost@localhost>")
    monkeypatch.setenv("WAYPOST_SMTP_URL", "smtp://user:hunter2@mail.example.com:587")
    with pytest.raises(SettingsError, match=r"^WAYPOST_MAIL_FROM: ") as refusal:
        load_settings()
    assert "hunter2" not in str(refusal.value)
    monkeypatch.setenv("WAYPOST_MAIL_FROM", '"Nordlicht & Söhne" <ops@example.com>')
    settings = load_settings()
    assert settings.smtp_url == "smtp://user:hunter2@mail.example.com:587"
    assert settings.mail_from == '"Nordlicht & Söhne" <ops@example.com>'
    assert "hunter2" not in repr(settings)


def test_settings_cannot_be_changed_after_the_start() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings(_env_file=None).waypost_port = 1
