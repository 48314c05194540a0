"""A real database of each kind, a frozen clock, a real sandbox, and a workspace to work in."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from core.ports.bell import SilentBell
from core.ports.clock import FrozenClock
from core.ports.graph import Graph
from core.ports.vault import Vault
from core.runtime import Runtime
from core.sandbox.config import SandboxConfig
from core.sandbox.server import running
from core.settings import Settings
from core.team.commands import COMMAND, create_api_key, create_owner
from core.team.passwords import hash_password
from core.unit import Identity
from data.engine import Database, open_database
from data.enums import PlanName, Role
from data.people import Workspace
from data.schema import migrate
from data.sending import AccessToken, Lane, Phone, Template, Waba
from data.tables import METADATA

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
APP_SECRET = "test-app-secret"
PASSWORD = "correct horse battery"
POSTGRES_URL = os.environ.get(
    "WAYPOST_TEST_POSTGRES_URL", "postgresql+psycopg://root@127.0.0.1:5432/postgres"
)
WABA_ID = "100200300400500"
PHONE_ID = "106540352242922"
SECOND_PHONE_ID = "106540352242923"


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the schema and nothing else, to be copied."""
    path = tmp_path_factory.mktemp("schema") / "empty.db"
    database = open_database(f"sqlite:///{path}")
    migrate(database)
    with database.write.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.exec_driver_sql("BEGIN")
    database.dispose()
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[Database | None]:
    """A database of our own on the server that the environment names; None where none answers."""
    admin = create_engine(POSTGRES_URL, isolation_level="AUTOCOMMIT")
    name = f"waypost_test_{os.getpid()}"
    try:
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
    except OperationalError:
        admin.dispose()
        yield None
        return
    database = open_database(admin.url.set(database=name).render_as_string(hide_password=False))
    migrate(database)
    yield database
    database.dispose()
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database; every test that uses it runs on both kinds."""
    if request.param == "sqlite":
        path = tmp_path / "waypost.db"
        shutil.copy(request.getfixturevalue("migrated_sqlite"), path)
        found = open_database(f"sqlite:///{path}")
        yield found
        found.dispose()
        return
    shared: Database | None = request.getfixturevalue("postgres")
    if shared is None:
        pytest.skip("no PostgreSQL answers at WAYPOST_TEST_POSTGRES_URL")
    with shared.write.begin() as connection:  # deleting what a test left takes 5 ms, truncating 100
        connection.execute(text("ALTER TABLE audit_entry DISABLE TRIGGER USER"))
        for table in reversed(METADATA.sorted_tables):
            if table.name != "plan":
                connection.execute(table.delete())
        connection.execute(text("ALTER TABLE audit_entry ENABLE TRIGGER USER"))
    yield shared


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


@pytest.fixture(scope="session")
def sandbox_url() -> Iterator[str]:
    """A sandbox that answers at once and reports nothing by itself. Reset it with POST /sandbox/reset."""
    config = SandboxConfig(app_secret=APP_SECRET, statuses=False, answer_delay_s=(0.0, 0.0))
    with running(config) as url:
        yield url


@pytest.fixture
def settings(sandbox_url: str) -> Settings:
    return Settings(
        _env_file=None,
        waypost_graph_url=sandbox_url,
        waypost_graph_timeout=2.0,
        waypost_meta_app_secret=APP_SECRET,
        waypost_webhook_verify_token="test-verify-token",
    )


@pytest.fixture(scope="session")
def vault() -> Vault:
    return Vault((Fernet.generate_key().decode(),))


@pytest.fixture
def runtime(database: Database, clock: FrozenClock, settings: Settings, vault: Vault) -> Runtime:
    return Runtime(
        settings=settings,
        database=database,
        clock=clock,
        vault=vault,
        graph=Graph(
            base_url=settings.waypost_graph_url,
            version=settings.waypost_graph_version,
            timeout_s=settings.waypost_graph_timeout,
        ),
        bell=SilentBell(),
        holder="test",
    )


@dataclass(frozen=True)
class Place:
    """A workspace with two phones, some templates and one key a role. ``owner`` is a process of that
    workspace, for commands whose permission is not what the test is about."""

    workspace: Workspace
    owner: Identity
    keys: dict[Role, str]

    def acting(self, role: Role) -> Identity:
        from core.team.commands import hash_key

        return Identity(key_hash=hash_key(self.keys[role]))


@pytest.fixture(scope="session")
def password_hash() -> str:
    return hash_password(PASSWORD)


def make_place(
    runtime: Runtime, password_hash: str, *, name: str = "Northwind", waba_id: str = WABA_ID, first: int = 0
) -> Place:
    """``first`` sets the phones' ids apart from those of another place."""
    with runtime.unit(COMMAND, write=True) as unit:
        workspace = create_owner(
            unit,
            workspace_name=name,
            email=f"owner@{name.lower()}.example",
            password_hash=password_hash,
            plan=PlanName.PRO,
        )
        keys = {
            role: create_api_key(unit, workspace=workspace, role=role, name=role.value)[1] for role in Role
        }
        unit.session.add(Waba(id=waba_id, workspace_id=workspace.id, name=name, connected_at=unit.now))
        unit.session.flush()
        unit.session.add(
            AccessToken(
                id=unit.new_id("tok"),
                workspace_id=workspace.id,
                waba_id=waba_id,
                sealed=unit.vault.seal("test-token", workspace_id=workspace.id, field="access_token"),
                replaced_at=unit.now,
            )
        )
        for number in range(2):
            phone_id = str(int(PHONE_ID) + first + number)
            unit.session.add(
                Phone(
                    id=phone_id,
                    workspace_id=workspace.id,
                    waba_id=waba_id,
                    display_number=f"+49 30 5557 01{42 + first + number}",
                    verified_name=f"{name} {number + 1}",
                    quality="GREEN",
                    throughput_level="STANDARD",
                    status="CONNECTED",
                    synced_at=unit.now,
                )
            )
            unit.session.flush()
            unit.session.add(Lane(phone_number_id=phone_id, workspace_id=workspace.id))
        for template in TEMPLATES:
            unit.session.add(
                Template(
                    id=unit.new_id("tpl"),
                    workspace_id=workspace.id,
                    waba_id=waba_id,
                    parameter_format="POSITIONAL",
                    synced_at=unit.now,
                    **template,
                )
            )
    return Place(workspace, Identity(process="test", workspace_id=workspace.id), keys)


TEMPLATES: list[dict[str, Any]] = [
    {
        "name": "order_update",
        "language": "en_US",
        "category": "UTILITY",
        "status": "APPROVED",
        "components": [{"type": "BODY", "text": "Hello {{1}}, your order {{2}} is on its way."}],
    },
    {
        "name": "winter_sale",
        "language": "en_US",
        "category": "MARKETING",
        "status": "APPROVED",
        "components": [{"type": "BODY", "text": "Only this week: {{1}} off."}],
    },
    {
        "name": "hello_world",
        "language": "en_US",
        "category": "UTILITY",
        "status": "APPROVED",
        "components": [{"type": "BODY", "text": "Hello and welcome."}],
    },
    {
        "name": "spring_sale",
        "language": "en_US",
        "category": "MARKETING",
        "status": "PAUSED",
        "components": [{"type": "BODY", "text": "Spring is here."}],
    },
]


@pytest.fixture
def place(runtime: Runtime, password_hash: str) -> Place:
    return make_place(runtime, password_hash)


@pytest.fixture
def other_place(runtime: Runtime, password_hash: str) -> Place:
    return make_place(runtime, password_hash, name="Harbour", waba_id="100200300400600", first=50)


def with_settings(runtime: Runtime, **changes: Any) -> Runtime:
    """The same runtime under other settings."""
    return replace(runtime, settings=runtime.settings.model_copy(update=changes))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Page tests come last: the browser's driver keeps an event loop running in this thread from its first
    test to the end, and no other test could run one of its own beside it."""
    items.sort(key=lambda item: "tests/pages/" in item.nodeid)
