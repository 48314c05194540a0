"""Composition root and commands: everything is built here, and nowhere else."""

from __future__ import annotations

import asyncio
import getpass
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from huey import Huey

    from core.runtime import Runtime
    from core.settings import Settings
    from data.engine import Database
    from data.enums import PlanName, Role

__version__ = "0.1.0"

app = typer.Typer(
    help="Waypost: a console for people who send WhatsApp messages for a living.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
keys = typer.Typer(help="Keys for the REST API.", no_args_is_help=True)
app.add_typer(keys, name="api-key")

SupervisedBy = Annotated[int, typer.Option(hidden=True, help="Process id of the supervisor.")]


@app.command()
def serve(
    demo: Annotated[bool, typer.Option("--demo", help="With sandbox and demo workspace.")] = False,
) -> None:
    """Web, worker and clock under one supervisor; Ctrl-C stops all of them and loses nothing."""
    from jobs.supervisor import Supervisor

    if demo:
        _demo_environment()
    settings = _settings()
    supervisor = Supervisor(settings, demo=demo)
    supervisor.refuse_taken_ports()
    _migrate(settings)
    with _runtime(settings):
        pass  # what its children could not start with is said here, once
    sys.exit(supervisor.run(prepare=_prepare_demo if demo else None))


@app.command()
def web(supervised_by: SupervisedBy = 0) -> None:
    """The web process alone: pages, REST API and webhooks."""
    settings = _settings()
    if not supervised_by:
        _refuse_taken_port(settings)
    _start_process(settings, supervised_by=supervised_by)
    from ui.server import run_web

    with _runtime(settings) as runtime:
        run_web(runtime, version=__version__)


@app.command()
def worker(
    supervised_by: SupervisedBy = 0,
    with_clock: Annotated[bool, typer.Option("--with-clock", help="Run the clock in it too.")] = False,
) -> None:
    """A worker process alone: sends what is due."""
    settings = _settings()
    _start_process(settings, supervised_by=supervised_by)
    from jobs.worker import run_worker

    with _runtime(settings) as runtime:
        run_worker(runtime, _queue(settings), with_clock=with_clock)


@app.command()
def clock(supervised_by: SupervisedBy = 0) -> None:
    """A clock process alone: decides when. Of several, one leads."""
    settings = _settings()
    _start_process(settings, supervised_by=supervised_by)
    from jobs.clock import run_clock

    with _runtime(settings) as runtime:
        run_clock(runtime)


@app.command()
def sandbox(
    port: Annotated[int, typer.Option(help="Where it listens, on 127.0.0.1.")] = 8090,
    webhook_url: Annotated[str, typer.Option(help="Where its webhooks go; none are sent without.")] = "",
    phones: Annotated[int, typer.Option(help="Sending numbers of the first account.", min=1)] = 2,
    statuses: Annotated[bool, typer.Option(help="Whether accepted messages get statuses.")] = True,
    answer_delay: Annotated[float, typer.Option(help="Seconds before it answers a send, at most.")] = 0.12,
    demo: Annotated[bool, typer.Option("--demo", help="With the demo's faults switched on.")] = False,
    supervised_by: SupervisedBy = 0,
) -> None:
    """Meta's Graph API as a sandbox, for demo, development and tests. Webhooks are signed with
    WAYPOST_META_APP_SECRET."""
    settings = _settings()
    if supervised_by:
        _stop_with_parent(supervised_by)
    from core.sandbox.config import SandboxConfig
    from core.sandbox.server import serve as serve_sandbox

    defaults = SandboxConfig()
    secret = settings.app_secrets[0] if settings.app_secrets else defaults.app_secret
    serve_sandbox(
        SandboxConfig(
            webhook_url=webhook_url or None,
            app_secret=secret,
            phones=phones,
            statuses=statuses,
            answer_delay_s=(answer_delay / 4, answer_delay),
            demo=demo,
        ),
        port=port,
    )


@app.command()
def migrate() -> None:
    """Brings the database schema up to date."""
    from data.schema import migrate as bring_up_to_date

    with _plain_failures():
        database = _database(_settings())
        bring_up_to_date(database)
        database.dispose()


@app.command("create-owner")
def create_owner(
    workspace: Annotated[str, typer.Option(help="Name of the new workspace.")],
    email: Annotated[str, typer.Option(help="Address of its first owner.")],
    plan: Annotated[str, typer.Option(help="free, starter, pro or enterprise.")] = "starter",
    timezone: Annotated[str, typer.Option(help="IANA zone, such as Europe/Berlin.")] = "UTC",
) -> None:
    """A new workspace with its first owner. Prints its slug."""
    from core.team import commands as team
    from core.team.passwords import hash_password

    with _command() as runtime:
        kind = _plan(plan)
        password = _read_secret("Password (at least 12 characters): ")
        hashed = hash_password(password)
        with runtime.unit(team.COMMAND, write=True) as unit:
            made = team.create_owner(
                unit,
                workspace_name=workspace,
                email=email,
                password_hash=hashed,
                plan=kind,
                timezone=timezone,
            )
        print(made.slug)


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Option(help="What it is for.")],
    workspace: Annotated[str, typer.Option(help="Slug of the workspace.")] = "",
    role: Annotated[str, typer.Option(help="owner, manager, agent, viewer or support.")] = "",
    platform: Annotated[bool, typer.Option("--platform", help="A key that acts as platform admin.")] = False,
) -> None:
    """Prints a new key, once, and nothing else."""
    from core.errors import Impossible
    from core.team import commands as team

    with _command() as runtime:
        if (platform and (workspace or role)) or not (platform or (workspace and role)):
            raise Impossible("Give --workspace and --role, or --platform.")
        with runtime.unit(team.COMMAND, write=True) as unit:
            owner = None if platform else team.workspace_by_slug(unit, workspace)
            kind = None if platform else _role(role)
            _, secret = team.create_api_key(unit, workspace=owner, role=kind, name=name)
        print(secret)


@app.command()
def connect(
    workspace: Annotated[str, typer.Option(help="Slug of the workspace.")],
    waba: Annotated[str, typer.Option(help="Meta's id of the WhatsApp Business Account.")],
) -> None:
    """Connects an account; its token comes from standard input. Prints the phone number ids."""
    from core.team import commands as team
    from core.tokens.connect import connect as connect_account
    from core.unit import Identity

    with _command() as runtime:
        with runtime.unit(team.COMMAND) as unit:
            workspace_id = team.workspace_by_slug(unit, workspace).id
        identity = Identity(process="command", workspace_id=workspace_id)
        token = _read_secret("Access token: ")

        async def run() -> None:
            try:
                made = await connect_account(runtime, identity, waba_id=waba, access_token=token)
            finally:
                await runtime.graph.close()
            for phone in made.phones:
                print(phone.phone_number_id)

        asyncio.run(run())


@app.command()
def doctor() -> None:
    """Checks settings, database, queue, clock, Meta and tokens; one line each, exit 1 if any fails."""
    from core.monitoring.doctor import examine

    settings = _settings()
    print("ok    settings")
    with _runtime(settings) as runtime:
        findings = examine(runtime, queue_depth=lambda: _queue(settings).pending_count())
        for finding in findings:
            print(f"{'ok   ' if finding.is_well else 'FAIL '} {finding.part}: {finding.sentence}")
    if not all(finding.is_well for finding in findings):
        sys.exit(1)


@app.command()
def maintain() -> None:
    """SQLite: checks the file, refreshes its statistics, gives back its free pages."""
    from data.engine import open_database
    from data.maintenance import maintain as maintain_file

    database = open_database(_settings().waypost_database_url)
    if not database.is_sqlite:
        _fail("PostgreSQL looks after itself: autovacuum, or vacuumdb --analyze.")
    if not database.path.exists():
        _fail(f"WAYPOST_DATABASE_URL: there is no file {database.path} yet.")
    done = maintain_file(database.path)
    for problem in done.problems:
        print(problem)
    if done.problems:
        _fail("The file is damaged. Stop Waypost and restore a backup.")
    print(f"The file is whole: {done.size_before:,} bytes before, {done.size_after:,} after.")


@contextmanager
def _runtime(settings: Settings) -> Iterator[Runtime]:
    """Everything that faces work with, from the settings."""
    from core.ports.clock import SystemClock
    from core.ports.graph import Graph
    from core.ports.vault import Vault, VaultError, keys_from_file
    from core.runtime import Runtime
    from jobs.queue import HueyBell

    try:
        vault = Vault(settings.secret_keys or keys_from_file(settings.key_file))
    except VaultError as error:
        _fail(str(error), status=2)
    except OSError as error:
        _fail(f"{settings.key_file}: {error.strerror}", status=2)
    database = _database(settings)
    secret = settings.app_secrets[0] if settings.app_secrets else None
    app_id = settings.waypost_meta_app_id
    graph = Graph(
        base_url=settings.waypost_graph_url,
        version=settings.waypost_graph_version,
        timeout_s=settings.waypost_graph_timeout,
        app_token=f"{app_id}|{secret}" if app_id and secret else None,
    )
    try:
        yield Runtime(
            settings=settings,
            database=database,
            clock=SystemClock(),
            vault=vault,
            graph=graph,
            bell=HueyBell(_queue(settings)),
            holder=f"{os.uname().nodename}:{os.getpid()}",
        )
    finally:
        database.dispose()


def _database(settings: Settings) -> Database:
    from data.engine import open_database

    try:
        return open_database(settings.waypost_database_url)
    except OSError as error:
        _fail(f"WAYPOST_DATABASE_URL: {error.filename}: {error.strerror}")


def _queue(settings: Settings) -> Huey:
    from jobs.queue import open_queue

    try:
        return open_queue(settings.waypost_queue_url)
    except Exception as error:  # noqa: BLE001 - each kind of storage has its own way to fail
        _fail(f"WAYPOST_QUEUE_URL: the queue cannot be used: {error}")


@contextmanager
def _command() -> Iterator[Runtime]:
    """A runtime for one command: migrated on SQLite, refusals as one line and exit 1."""
    settings = _settings()
    _migrate(settings)
    with _plain_failures(), _runtime(settings) as runtime:
        yield runtime


@contextmanager
def _plain_failures() -> Iterator[None]:
    from sqlalchemy.exc import DBAPIError

    from core.errors import DomainError

    try:
        yield
    except DomainError as error:
        _fail(error.sentence)
    except DBAPIError as error:
        _fail(f"WAYPOST_DATABASE_URL: the database cannot be used: {str(error.orig).splitlines()[0]}")


def _settings() -> Settings:
    from core.settings import SettingsError, load_settings
    from core.telemetry import set_up_logging

    try:
        settings = load_settings()
    except SettingsError as error:
        _fail(str(error), status=2)
    set_up_logging(settings)
    return settings


def _migrate(settings: Settings) -> None:
    """On SQLite the schema is brought up to date; elsewhere another schema stops the start."""
    from data.schema import migrate as bring_up_to_date
    from data.schema import revision

    with _plain_failures():
        database = _database(settings)
        try:
            present, wanted = (
                revision(database) if database.path.exists() or not database.is_sqlite else ("", "-")
            )
            if present == wanted:
                return
            if not database.is_sqlite:
                _fail(
                    f"The database is at schema {present or 'none'}, this program needs {wanted}. "
                    "Run: python main.py migrate"
                )
            bring_up_to_date(database)
        finally:
            database.dispose()


def _start_process(settings: Settings, *, supervised_by: int) -> None:
    if supervised_by:
        _stop_with_parent(supervised_by)  # its supervisor has migrated already
    else:
        _migrate(settings)


def _refuse_taken_port(settings: Settings) -> None:
    from jobs.supervisor import Supervisor

    Supervisor(settings, demo=False).refuse_taken_ports()


def _stop_with_parent(supervisor: int) -> None:
    from jobs.supervisor import stop_with_parent

    stop_with_parent(supervisor)


def _demo_environment() -> None:
    from jobs.supervisor import demo_environment

    demo_environment()


def _prepare_demo(settings: Settings) -> tuple[str, str]:
    """The demo's sign-in: address and password."""
    from core import demo

    with _plain_failures(), _runtime(settings) as runtime:
        password = demo.prepare(runtime) or demo.new_password(runtime)
    return demo.OWNER_EMAIL, password


def _read_secret(prompt: str) -> str:
    """One line that is never shown: from the terminal, or from standard input when that is none."""
    if sys.stdin.isatty():
        return getpass.getpass(prompt)
    try:
        return sys.stdin.buffer.readline().decode().rstrip("\r\n")
    except UnicodeDecodeError:
        _fail("What came on standard input is no UTF-8 text.")


def _plan(text: str) -> PlanName:
    from core.errors import Impossible
    from data.enums import PlanName

    try:
        return PlanName(text)
    except ValueError:
        raise Impossible(f"“{text}” is no plan. Plans are {', '.join(PlanName)}.") from None


def _role(text: str) -> Role:
    from core.errors import Impossible
    from data.enums import Role

    try:
        return Role(text)
    except ValueError:
        raise Impossible(f"“{text}” is no role. Roles are {', '.join(Role)}.") from None


def _fail(sentence: str, *, status: int = 1) -> NoReturn:
    print(sentence, file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    app()
