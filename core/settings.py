"""Every setting, read once at start from the environment and ``.env``."""

from email import policy
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

Seconds = Annotated[float, Field(gt=0, le=7 * 86_400)]
Commas = Annotated[tuple[float, ...], NoDecode]


class SettingsError(Exception):
    """One line that names the setting that is wrong."""


class Settings(BaseSettings):
    """Names are those of the environment, in lower case. Durations are seconds."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", case_sensitive=False, frozen=True)

    waypost_host: str = "127.0.0.1"
    waypost_port: int = Field(default=8080, ge=1, le=65_535)
    waypost_database_url: str = "sqlite:///var/waypost.db"
    waypost_queue_url: str = "sqlite:///var/huey.db"
    waypost_secret_keys: SecretStr | None = None
    waypost_public_url: str = ""
    waypost_graph_url: str = "https://graph.facebook.com"
    waypost_graph_version: str = Field(default="v23.0", pattern=r"^v\d+\.\d+$")
    waypost_graph_timeout: Seconds = 10.0
    waypost_meta_app_id: str | None = None
    waypost_meta_app_secret: SecretStr | None = None
    waypost_webhook_verify_token: SecretStr | None = None
    otel_exporter_otlp_endpoint: str = ""
    waypost_retry_delays: Commas = (60.0, 300.0, 900.0, 3600.0)
    waypost_token_refresh_delays: Commas = (60.0, 300.0, 900.0)
    token_refresh_interval_hours: int = Field(default=6, ge=1, le=24)
    waypost_retry_workers: int = Field(default=5, ge=1, le=1000)
    waypost_sends_in_flight: int = Field(default=100, ge=1, le=10_000)
    waypost_pair_limit: bool = False
    waypost_message_max_age: Seconds = 86_400.0
    waypost_session_idle: Seconds = 1800.0
    waypost_session_max: Seconds = 43_200.0
    waypost_invitation_ttl: Seconds = 604_800.0
    waypost_trusted_proxies: Annotated[tuple[str, ...], NoDecode] = ()
    waypost_max_body_bytes: int = Field(default=1_048_576, ge=1024, le=64 * 1_048_576)
    waypost_abuse_warn_rate: float = Field(default=0.30, ge=0, le=1)
    waypost_abuse_flag_rate: float = Field(default=0.50, ge=0, le=1)
    waypost_abuse_min_decided: int = Field(default=3, ge=1, le=10_000)
    waypost_abuse_flag_rejections: int = Field(default=5, ge=1, le=10_000)
    waypost_abuse_flag_sends: int = Field(default=5, ge=1, le=10_000)
    waypost_backup_dir: Path | None = None
    waypost_backup_hours: int = Field(default=24, ge=1, le=168)
    waypost_backup_keep: int = Field(default=14, ge=1, le=10_000)
    waypost_backup_recipient: str = ""
    waypost_retention_days: int = Field(default=90, ge=1, le=3650)
    waypost_dead_letter_retention_days: int = Field(default=365, ge=8, le=3650)
    start_message_retry_worker: bool = True
    start_webhook_worker: bool = True
    waypost_smtp_url: SecretStr | None = None
    waypost_mail_from: str = ""
    waypost_alerts_private_targets: bool = False
    waypost_unknown_outcome: Literal["retry", "hold"] = "retry"
    waypost_log_format: Literal["console", "json"] = "console"
    waypost_demo: bool = False
    waypost_sandbox_port: int = Field(default=8090, ge=1, le=65_535)

    @field_validator("waypost_retry_delays", "waypost_token_refresh_delays", mode="before")
    @classmethod
    def _split_delays(cls, value: Any) -> Any:
        return [part.strip() for part in value.split(",")] if isinstance(value, str) else value

    @field_validator("waypost_trusted_proxies", mode="before")
    @classmethod
    def _split_addresses(cls, value: Any) -> Any:
        return (
            [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
        )

    @field_validator("waypost_retry_delays", "waypost_token_refresh_delays")
    @classmethod
    def _some_positive_delays(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not value or any(not 0 < delay <= 7 * 86_400 for delay in value):
            raise ValueError("give one or more waits in seconds, each above 0, such as 60,300,900,3600")
        return value

    @field_validator("token_refresh_interval_hours")
    @classmethod
    def _divides_the_day(cls, value: int) -> int:
        if 24 % value:
            raise ValueError(
                "give a divisor of 24, so that every day has the same hours: 1, 2, 3, 4, 6, 8, 12 or 24"
            )
        return value

    @field_validator("waypost_database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        try:
            url = make_url(value)
        except (ArgumentError, ValueError) as error:
            raise ValueError("give sqlite:///path or postgresql+psycopg://user@host/name") from error
        if url.drivername not in ("sqlite", "postgresql+psycopg") or not url.database:
            raise ValueError("give sqlite:///path or postgresql+psycopg://user@host/name")
        return value

    @field_validator("waypost_queue_url")
    @classmethod
    def _known_queue(cls, value: str) -> str:
        if not value.startswith(("sqlite:///", "postgresql://", "redis://")):
            raise ValueError("give sqlite:///path, postgresql://… or redis://…")
        return value

    @field_validator("otel_exporter_otlp_endpoint")
    @classmethod
    def _where_traces_go(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError(
                "give the http:// or https:// address of a collector, such as http://127.0.0.1:4318"
            )
        return value

    @field_validator("waypost_graph_url", "waypost_public_url")
    @classmethod
    def _http_address(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("give an address that begins with http:// or https://")
        return value.rstrip("/")

    @field_validator("waypost_graph_url")
    @classmethod
    def _some_address(cls, value: str) -> str:
        if not value:
            raise ValueError("give the address of Meta's API, or of a sandbox")
        return value

    @field_validator("waypost_trusted_proxies")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for address in value:
            ip_address(address)  # its ValueError names the address
        return value

    @field_validator("waypost_smtp_url")
    @classmethod
    def _mail_server(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not value.get_secret_value():
            return None
        try:
            url = urlsplit(value.get_secret_value())
            is_server = url.scheme in ("smtp", "smtps") and bool(url.hostname) and url.port != 0
        except ValueError:
            is_server = False
        if not is_server:
            raise ValueError("give smtp://user:password@host:587 or smtps://user:password@host")
        return value

    @field_validator("waypost_backup_recipient")
    @classmethod
    def _age_key(cls, value: str) -> str:
        if value:
            from data.backup import recipient_of  # what it imports is not for every start

            recipient_of(value)
        return value

    @field_validator("waypost_mail_from")
    @classmethod
    def _one_sender(cls, value: str) -> str:
        header = policy.default.header_factory("From", " ".join(value.splitlines()))
        if value and (
            header.defects or len(header.addresses) != 1 or not header.addresses[0].domain.isascii()
        ):
            raise ValueError("give one address, such as Waypost <waypost@example.com>")
        return value

    @model_validator(mode="after")
    def _mail_has_a_sender(self) -> Self:
        if self.waypost_smtp_url is not None and not self.waypost_mail_from:
            raise ValueError("WAYPOST_MAIL_FROM: say whom mail comes from, such as waypost@example.com")
        return self

    @model_validator(mode="after")
    def _warned_before_flagged(self) -> Self:
        if self.waypost_abuse_warn_rate > self.waypost_abuse_flag_rate:
            raise ValueError(
                "WAYPOST_ABUSE_WARN_RATE: give a share that is not above WAYPOST_ABUSE_FLAG_RATE"
            )
        return self

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.waypost_queue_url == self.waypost_database_url:
            raise ValueError("WAYPOST_QUEUE_URL: the queue needs a file of its own, apart from the database")
        return self

    @property
    def public_url(self) -> str:
        """The base of links, without a slash at the end."""
        return self.waypost_public_url or f"http://{self.waypost_host}:{self.waypost_port}"

    @property
    def is_public(self) -> bool:
        """Served over https: secure cookies and HSTS."""
        return self.public_url.startswith("https://")

    @property
    def app_secrets(self) -> tuple[str, ...]:
        """Newest first."""
        return _secrets(self.waypost_meta_app_secret)

    @property
    def missing_app_settings(self) -> tuple[str, ...]:
        """Those without which Meta exchanges no token."""
        needed = (
            ("WAYPOST_META_APP_ID", self.waypost_meta_app_id),
            ("WAYPOST_META_APP_SECRET", self.app_secrets),
        )
        return tuple(name for name, value in needed if not value)

    @property
    def secret_keys(self) -> tuple[str, ...]:
        """Fernet keys, newest first; empty when they are to come from the key file."""
        return _secrets(self.waypost_secret_keys)

    @property
    def smtp_url(self) -> str | None:
        """The mail server, with its password; None where mail is kept in files."""
        return self.waypost_smtp_url.get_secret_value() if self.waypost_smtp_url else None

    @property
    def mail_from(self) -> str:
        """Whom mail comes from."""
        return self.waypost_mail_from or "Waypost <waypost@localhost>"

    @property
    def outbox(self) -> Path:
        """Where mail is kept when no server is named."""
        return Path("var") / "outbox"

    @property
    def key_file(self) -> Path:
        return Path("var") / "secret.key"

    @property
    def lease_s(self) -> float:
        """How long a claim is ours: one call, and three seconds to write down what came of it (C2)."""
        return self.waypost_graph_timeout + 3.0


@cache  # asked for with every webhook
def _secrets(value: SecretStr | None) -> tuple[str, ...]:
    return (
        tuple(part.strip() for part in value.get_secret_value().split(",") if part.strip()) if value else ()
    )


def load_settings(**overrides: Any) -> Settings:
    """The settings of this process. SettingsError, in one line, names the first that is wrong; values of
    secrets are never repeated."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = str(first["loc"][0]).upper() if first["loc"] else ""
        sentence = first["msg"].removeprefix("Value error, ")
        raise SettingsError(f"{name}: {sentence}" if name else sentence) from None
