"""Planted secrets are found nowhere (K3): in no file, log, page, answer, export or error of a Waypost that
has renewed, failed, told, mailed and refused with them."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from sqlmodel import col, select

from core.alerts import channels
from core.alerts.channel_forms import ChannelForm
from core.alerts.commands import raise_alert
from core.ports.vault import token_field
from core.sandbox.config import SandboxConfig
from core.team import second_factor
from core.team.invitations import invite
from core.team.owners import COMMAND
from data.alerts import Alert, Mail
from data.channels import AlertChannel
from data.enums import ChannelKind, Role, Severity
from data.people import User
from data.sending import AccessToken
from tests.conftest import APP_SECRET, PASSWORD, Place, make_place
from tests.console import COOKIE, Console, running_console, wait_for
from tests.core.office import Office
from ui.pages import PAGES

SMTP_PASSWORD = "canary-smtp-password"
VERIFY_TOKEN = "canary-verify-token"
HOOK_PATH = "canary-hook-path-0123456789"
SLACK = "https://hooks.slack.com/services/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"
TYPED = "canary-typed-in-a-wrong-place"


@dataclass
class Planted:
    """A Waypost that worked with secrets for a while. ``seen``: everything that it answered."""

    console: Console
    folder: Path
    place: Place
    secrets: dict[str, str]
    cookie: str
    seen: dict[str, str] = field(default_factory=dict)

    def get(self, client: httpx.Client, path: str) -> None:
        answer = client.get(path)
        self.seen[path] = f"{answer.headers}{answer.text}"


@pytest.fixture(scope="module")
def planted(
    tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path, sandbox_url: str, password_hash: str
) -> Iterator[Planted]:
    folder = tmp_path_factory.mktemp("canaries")
    settings = {
        "WAYPOST_SMTP_URL": f"smtp://mailer:{SMTP_PASSWORD}@127.0.0.1:9",
        "WAYPOST_MAIL_FROM": "waypost@northwind.example",
        "WAYPOST_META_APP_ID": SandboxConfig().app_id,
        "WAYPOST_WEBHOOK_VERIFY_TOKEN": VERIFY_TOKEN,
    }
    with running_console(
        folder, migrated_sqlite, sandbox_url, password_hash, command="serve", more_settings=settings
    ) as console:
        place = make_place(console.runtime, password_hash)  # of the account that the sandbox knows
        office = Office(console.runtime, place, password_hash)
        secrets = {"app secret": APP_SECRET, "smtp password": SMTP_PASSWORD, "verify token": VERIFY_TOKEN}
        secrets |= {"hook path": HOOK_PATH, "slack": SLACK.rpartition("/")[2], "typed": TYPED}
        secrets |= {"password": PASSWORD, "vault key": console.runtime.vault._keys[0]}
        secrets |= {f"key of {role}": key for role, key in place.keys.items()}
        secrets["cookie"] = console.token_for(console.owner_email(place))
        secrets["factor"] = office.do(office.owner().browser, second_factor.begin).secret
        office.do(office.owner().browser, invite, email="mara@x.example", role=Role.AGENT)
        secrets["invitation"] = office.link_secret("mara@x.example")
        secrets |= plant_tokens(console, place, console.new_place())
        secrets |= tell_of_it(console, place)
        yield Planted(console, folder, place, secrets, secrets["cookie"])


def plant_tokens(console: Console, *places: Place) -> dict[str, str]:
    """One that is renewed, one that cannot be; and what the first became."""
    found: dict[str, str] = {}
    for place, fate in zip(places, ("soon", "stuck"), strict=True):
        token = found[fate] = f"{fate}-canary-0123456789"
        with console.runtime.unit(place.owner, write=True) as unit:
            row = unit.session.exec(unit.scoped(AccessToken)).one()
            field_name = token_field(row.waba_id)
            row.sealed = unit.vault.seal(token, workspace_id=row.workspace_id, field=field_name)
            row.due_at, row.wants_new = unit.now, True
            unit.session.add(row)

    def rows() -> list[AccessToken]:
        with console.runtime.unit(COMMAND) as unit:
            return list(unit.session.exec(select(AccessToken).order_by(col(AccessToken.id))))

    wait_for(lambda: rows()[0].refreshed_at is not None and rows()[1].attempts > 0, within_s=60)
    renewed = rows()[0]
    found["renewed"] = console.runtime.vault.open(
        renewed.sealed, workspace_id=renewed.workspace_id, field=token_field(renewed.waba_id)
    )
    assert found["renewed"] != found["soon"]
    return found


def tell_of_it(console: Console, place: Place) -> dict[str, str]:
    """Channels with secrets were told of an alert, in vain, and the mail server was tried."""
    with console.runtime.unit(place.owner, write=True) as unit:
        target = f"https://127.1:9/{HOOK_PATH}"
        _, secret = channels.make_channel(unit, ChannelForm("Hook", ChannelKind.WEBHOOK, target=target))
        channels.make_channel(
            unit, ChannelForm("Ops", ChannelKind.SERVICE, target=SLACK, least=Severity.CRITICAL)
        )
        channels.make_channel(unit, ChannelForm("Mail", ChannelKind.MAIL, roles=[Role.OWNER]))
    with console.runtime.unit(COMMAND, write=True) as unit:
        about = {"kind": "phone_quality", "subject": "1", "severity": Severity.WARNING, "title": "Fell"}
        raise_alert(unit, **about, workspace_id=place.workspace.id)  # type: ignore[arg-type]

    def is_told() -> bool:
        with console.runtime.unit(COMMAND) as unit:
            failed = unit.session.exec(select(AlertChannel).where(col(AlertChannel.last_error).is_not(None)))
            mails = unit.session.exec(select(Mail).where(col(Mail.last_error).is_not(None)))
            return failed.first() is not None and mails.first() is not None

    wait_for(is_told, within_s=60)
    assert secret is not None
    return {"signing secret": secret}


def test_k3_no_page_answer_export_or_error_holds_a_planted_secret(planted: Planted) -> None:
    with httpx.Client(
        base_url=planted.console.url, cookies={COOKIE: planted.cookie}, timeout=60, trust_env=False
    ) as browser:
        for page in PAGES:
            planted.get(browser, page.path.replace("{", "").replace("}", ""))
        for path in ("/audit/export?form=csv", "/audit/export?form=jsonl", "/nothing/here", "/metrics"):
            planted.get(browser, path)
    key = {"Authorization": f"Bearer {planted.place.keys[Role.OWNER]}"}
    with httpx.Client(
        base_url=f"{planted.console.url}/api/v1", headers=key, timeout=60, trust_env=False
    ) as script:
        paths = script.get("/openapi.json").json()["paths"]
        for path in (one for one, methods in paths.items() if "get" in methods and "{" not in one):
            planted.get(script, path.removeprefix("/api/v1"))
        for body in (
            {"wabaId": "x", "accessToken": TYPED},
            {"wabaId": "1", "accessToken": TYPED, "x": TYPED},
        ):
            planted.seen[f"connections {body}"] = script.post("/connections", json=body).text
        planted.seen["bad key"] = script.get("/tokens", headers={"Authorization": f"Bearer wp_{TYPED}"}).text
    whole = "".join(planted.seen.values())
    assert planted.place.workspace.slug in whole
    assert "Hook" in whole
    assert "waypost_" in planted.seen["/metrics"]
    assert "stuck" not in whole
    found = [(name, where) for where, text in planted.seen.items() for name in told_in(planted, text)]
    assert found == []


def told_in(planted: Planted, text: str) -> list[str]:
    return [name for name, secret in planted.secrets.items() if secret in text]


def test_k3_no_file_or_backup_holds_a_planted_secret(planted: Planted) -> None:
    """As they lie there while it runs: database, its write-ahead log, queue, logs, mails; and a backup."""
    path = planted.folder / "waypost.db"
    with (
        closing(sqlite3.connect(path)) as database,
        closing(sqlite3.connect(planted.folder / "backup.db")) as backup,
    ):
        database.backup(backup)
    files = {file: file.read_bytes() for file in planted.folder.rglob("*") if file.is_file()}
    assert {"waypost.db", "waypost.db-wal", "backup.db", "web.log"} <= {file.name for file in files}
    for name in ("waypost.db", "backup.db"):
        assert b"phone_quality" in files[planted.folder / name] + files[planted.folder / "waypost.db-wal"]
    found = [
        (name, file.name)
        for file, content in files.items()
        for name, secret in planted.secrets.items()
        if secret.encode() in content
    ]
    assert found == []


def test_k3_every_planted_secret_was_used(planted: Planted) -> None:
    """So that not finding it means something."""

    def tries() -> int:
        with planted.console.runtime.unit(COMMAND) as unit:
            mail = unit.session.exec(select(Mail).where(col(Mail.kind) == "alert")).first()
            return 0 if mail is None else mail.attempts

    wait_for(lambda: tries() > 0, within_s=60)
    with planted.console.runtime.unit(COMMAND) as unit:
        errors = list(unit.session.exec(select(AlertChannel.last_error)))
        owner = unit.session.exec(select(User)).first()
        alerts = unit.session.exec(select(Alert)).all()
    assert any("private network" in str(error) for error in errors)
    assert owner is not None
    assert alerts
