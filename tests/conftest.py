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
from sqlalchemy import create_engine, event, text
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, select

from core.ports.bell import SilentBell
from core.ports.clock import FrozenClock
from core.ports.graph import Graph
from core.ports.mail import Outbox
from core.ports.vault import Vault, token_field
from core.runtime import Runtime
from core.sandbox.config import SandboxConfig
from core.sandbox.server import running
from core.settings import Settings
from core.team.keys import create_api_key
from core.team.owners import COMMAND, create_owner
from core.team.passwords import hash_password
from core.unit import Identity
from data.engine import Database, open_database
from data.enums import PlanName, Role
from data.people import Workspace
from data.schema import migrate
from data.sending import AccessToken, Lane, Phone, Template, Waba
from tests.moulds import Mould, is_empty, lift, sweep
from tests.plans import Plans

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
APP_SECRET = "test-app-secret"
PASSWORD = "correct horse battery"
POSTGRES_URL = os.environ.get(
    "WAYPOST_TEST_POSTGRES_URL", "postgresql+psycopg://root@127.0.0.1:5432/postgres"
)
WABA_ID = "100200300400500"
PHONE_ID = "106540352242922"
# Of those that write to SQLite at once one is first; on a busy machine the last may wait longer than in life.
PATIENCE_MS = 60_000
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
            # No test cuts the power: a commit need not wait for the disk.
            connection.execute(text(f"ALTER DATABASE {name} SET synchronous_commit = off"))
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


@pytest.fixture(scope="session")
def plans() -> Plans:
    return Plans()


@pytest.fixture(scope="session")
def sqlite(tmp_path_factory: pytest.TempPathFactory, plans: Plans) -> Database:
    """Where the SQLite file of each test is, one after the other. The engines stay: they know every statement
    once they have compiled it."""
    found = open_database(f"sqlite:///{tmp_path_factory.mktemp('sqlite') / 'waypost.db'}")

    def be_patient(connection: Any, _record: Any) -> None:
        connection.execute(f"PRAGMA busy_timeout={PATIENCE_MS}")
        connection.execute("PRAGMA synchronous=OFF")  # no test cuts the power

    for engine in (found.write, found.read):
        event.listen(engine, "connect", be_patient)
        plans.watch(engine)
    return found


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """An empty database; every test that uses it runs on both kinds."""
    if request.param == "sqlite":
        found: Database = request.getfixturevalue("sqlite")
        shutil.copy(request.getfixturevalue("migrated_sqlite"), found.path)
        yield _of_this_test(found)
        found.dispose()
        for path in found.path.parent.iterdir():
            path.unlink()
        walked = request.getfixturevalue("plans").told()
        assert not walked, "A table that grows was walked:\n" + "\n\n".join(walked)
        return
    shared: Database | None = request.getfixturevalue("postgres")
    if shared is None:
        pytest.skip("no PostgreSQL answers at WAYPOST_TEST_POSTGRES_URL")
    sweep(shared)
    yield _of_this_test(shared)


def _of_this_test(shared: Database) -> Database:
    """The same connections; what a test listens for there ends with it."""
    return replace(shared, write=shared.write.execution_options(), read=shared.read.execution_options())


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
def vault_key() -> str:
    return Fernet.generate_key().decode()


@pytest.fixture(scope="session")
def vault(vault_key: str) -> Vault:
    return Vault((vault_key,))


@pytest.fixture
def runtime(
    database: Database, clock: FrozenClock, settings: Settings, vault: Vault, tmp_path: Path
) -> Runtime:
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
        mail=Outbox(tmp_path / "outbox", sender=settings.mail_from),
    )


@dataclass(frozen=True)
class Place:
    """A workspace with two phones, some templates and one key a role. ``owner`` is a process of that
    workspace, for commands whose permission is not what the test is about."""

    workspace: Workspace
    owner: Identity
    keys: dict[Role, str]

    def acting(self, role: Role) -> Identity:
        from core.team.names import hash_key

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
                sealed=unit.vault.seal("test-token", workspace_id=workspace.id, field=token_field(waba_id)),
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


class Places:
    """Makes a place at a moment once for each kind of database; from then on its rows are put in."""

    def __init__(self, folder: Path, password_hash: str) -> None:
        self._folder = folder
        self._password_hash = password_hash
        self._known: dict[tuple[str, datetime], tuple[Place, Mould]] = {}

    def put(self, runtime: Runtime) -> Place:
        """A place in the runtime's database, which holds nothing yet."""
        database, kind = runtime.database, runtime.database.url.get_backend_name()
        key = (kind, runtime.clock.now())
        if key not in self._known:
            made = make_place(runtime, self._password_hash)
            self._known[key] = made, lift(database, self._folder, f"{kind}_{len(self._known)}")
            return made
        made, mould = self._known[key]
        mould.pour(database)
        with Session(database.read, expire_on_commit=False) as session:  # tests may change theirs
            workspace = session.exec(select(Workspace)).one()
        return Place(workspace, made.owner, dict(made.keys))


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory, password_hash: str) -> Places:
    return Places(tmp_path_factory.mktemp("places"), password_hash)


@pytest.fixture
def place(runtime: Runtime, password_hash: str, places: Places) -> Place:
    if is_empty(runtime.database):
        return places.put(runtime)
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
