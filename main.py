"""Composition root and commands: everything is built here, and nowhere else."""

from __future__ import annotations

import asyncio
import getpass
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from huey import Huey

    from core.ports.vault import Vault
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
platform_people = typer.Typer(help="Flags of people of the platform.", no_args_is_help=True)
app.add_typer(platform_people, name="platform-admin")
vault_keys = typer.Typer(help="Keys that seal secrets at rest.", no_args_is_help=True)
app.add_typer(vault_keys, name="keys")
audit_log = typer.Typer(help="The audit log.", no_args_is_help=True)
app.add_typer(audit_log, name="audit")
proofs = typer.Typer(help="Proofs that what is stored is what it is made of.", no_args_is_help=True)
app.add_typer(proofs, name="verify")

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
    # What its children could not start with is said here, once.
    _refuse_read_only(settings)
    _migrate(settings)
    _refuse_wrong_keys(settings)
    _queue(settings)
    begin = None if demo else _offer_beginning(settings)
    sys.exit(supervisor.run(prepare=_prepare_demo if demo else None, begin=begin))


@app.command()
def web(supervised_by: SupervisedBy = 0) -> None:
    """The web process alone: pages, REST API and webhooks."""
    settings = _settings()
    if not supervised_by:
        _refuse_taken_port(settings)
    _start_process(settings, "web", supervised_by=supervised_by)
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
    _start_process(settings, "worker", supervised_by=supervised_by)
    from jobs.worker import run_worker

    with _runtime(settings) as runtime:
        run_worker(runtime, _queue(settings), with_clock=with_clock)


@app.command()
def clock(supervised_by: SupervisedBy = 0) -> None:
    """A clock process alone: decides when. Of several, one leads."""
    settings = _settings()
    _start_process(settings, "clock", supervised_by=supervised_by)
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
    _end_well_when_told()
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
    link: Annotated[
        bool, typer.Option("--link", help="No password now: a link for the owner, on standard error.")
    ] = False,
) -> None:
    """A new workspace with its first owner. Prints its slug."""
    from core.team import owners
    from core.team.passwords import hash_password

    with _command() as runtime:
        kind = _plan(plan)
        if link:
            with runtime.unit(owners.COMMAND, write=True) as unit:
                made, address = owners.create_with_link(
                    unit, workspace_name=workspace, email=email, plan=kind, timezone=timezone
                )
            print(made.slug)
            print(address, file=sys.stderr)
            return
        password = _read_secret("Password (at least 12 characters): ")
        hashed = hash_password(password)
        with runtime.unit(owners.COMMAND, write=True) as unit:
            made = owners.create_owner(
                unit,
                workspace_name=workspace,
                email=email,
                password_hash=hashed,
                plan=kind,
                timezone=timezone,
            )
        print(made.slug)


@app.command("owner-recover")
def recover_owner(
    workspace: Annotated[str, typer.Option(help="Slug of the workspace.")],
    email: Annotated[str, typer.Option(help="Address of who is to be owner.")],
    reason: Annotated[str, typer.Option(help="Why, for the audit log.")],
) -> None:
    """An owner again, when the last is gone. Prints a link for someone who has no password yet."""
    from core.team import owners

    with _command() as runtime:
        with runtime.unit(owners.COMMAND, write=True) as unit:
            found = owners.workspace_by_slug(unit, workspace)
            link = owners.recover_owner(unit, workspace=found, email=email, reason=reason)
        if link is not None:
            print(link)


@platform_people.command("grant")
def grant_platform(
    email: Annotated[str, typer.Option(help="Address of a person who is known.")],
    support: Annotated[bool, typer.Option("--support", help="Support only: sees, masked.")] = False,
) -> None:
    """Makes someone platform admin, or platform support."""
    from core.team.owners import COMMAND
    from core.team.platform import grant_platform as grant

    with _command() as runtime, runtime.unit(COMMAND, write=True) as unit:
        grant(unit, email=email, support_only=support)


@platform_people.command("revoke")
def revoke_platform(
    email: Annotated[str, typer.Option(help="Address of a person who is known.")],
) -> None:
    """Takes both flags of the platform from someone."""
    from core.team.owners import COMMAND
    from core.team.platform import revoke_platform as revoke

    with _command() as runtime, runtime.unit(COMMAND, write=True) as unit:
        revoke(unit, email=email)


@vault_keys.command("rotate")
def rotate_keys() -> None:
    """Seals every secret with a new key, beside running processes. Run it again where it was cut off."""
    from core.ports.vault import add_key, drop_old_keys
    from core.rotation import count_stale, reseal

    settings = _settings()
    _migrate(settings)
    with _plain_failures(), _runtime(settings) as runtime:
        goes_on = count_stale(runtime) > 0
    if not settings.secret_keys and not goes_on:
        add_key(settings.key_file)
    with _plain_failures(), _runtime(settings) as runtime:
        done = reseal(runtime)
    if settings.secret_keys:
        print(f"{done} secrets sealed anew with the first of WAYPOST_SECRET_KEYS.")
    else:
        drop_old_keys(settings.key_file)
        print(f"{done} secrets sealed anew with the first key in {settings.key_file}.")


@audit_log.command("verify")
def verify_audit() -> None:
    """Recomputes the chain of the whole log; exit 1 and the number of the first entry that is wrong."""
    from core import audit
    from core.team.owners import COMMAND

    with _command() as runtime, runtime.unit(COMMAND) as unit:
        verdict = audit.verify(unit.session, unit.vault)
    if not verdict.whole:
        _fail(f"Entry {verdict.first_broken} is missing or was changed, of {verdict.entries}.")
    print(f"The audit log is whole: {verdict.entries} entries.")


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Option(help="What it is for.")],
    workspace: Annotated[str, typer.Option(help="Slug of the workspace.")] = "",
    role: Annotated[str, typer.Option(help="owner, manager, agent, viewer or support.")] = "",
    platform: Annotated[bool, typer.Option("--platform", help="A key that acts as platform admin.")] = False,
) -> None:
    """Prints a new key, once, and nothing else."""
    from core.errors import Impossible
    from core.team.keys import create_api_key
    from core.team.owners import COMMAND, workspace_by_slug

    with _command() as runtime:
        if (platform and (workspace or role)) or not (platform or (workspace and role)):
            raise Impossible("Give --workspace and --role, or --platform.")
        with runtime.unit(COMMAND, write=True) as unit:
            owner = None if platform else workspace_by_slug(unit, workspace)
            kind = None if platform else _role(role)
            _, secret = create_api_key(unit, workspace=owner, role=kind, name=name)
        print(secret)


@app.command()
def connect(
    workspace: Annotated[str, typer.Option(help="Slug of the workspace.")],
    waba: Annotated[str, typer.Option(help="Meta's id of the WhatsApp Business Account.")],
) -> None:
    """Connects an account; its token comes from standard input. Prints the phone number ids."""
    from core.team.owners import COMMAND, workspace_by_slug
    from core.tokens.connect import connect as connect_account
    from core.unit import Identity

    with _command() as runtime:
        with runtime.unit(COMMAND) as unit:
            workspace_id = workspace_by_slug(unit, workspace).id
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


@proofs.command("conversations")
def verify_conversations() -> None:
    """Computes every conversation anew from the messages and compares; exit 1 if any differs."""
    from core.billing.workspaces import workspace_ids
    from core.conversations.commands import CONVERSATIONS, catch_up
    from core.conversations.verify import verify

    with _command() as runtime:
        differing = []
        for workspace_id in workspace_ids(runtime):
            with runtime.unit(CONVERSATIONS, write=True) as unit:
                catch_up(unit, workspace_id)
                differing += verify(unit, workspace_id)
        _say_verdict(differing, "Every conversation is what its messages make it.")


@proofs.command("invoices")
def verify_invoices() -> None:
    """Computes every finalised invoice again from its inputs and compares; exit 1 if any differs."""
    from core.billing.invoices import BILLING
    from core.billing.verify import verify_workspace
    from core.billing.workspaces import workspace_ids

    with _command() as runtime:
        findings = []
        for workspace_id in workspace_ids(runtime):
            with runtime.unit(BILLING) as unit:
                findings += verify_workspace(unit, workspace_id)
        found = [f"{one.subject}: {one.sentence}" for one in findings]
        _say_verdict(found, "Every invoice is what its inputs come to.")


@app.command()
def doctor() -> None:
    """Checks settings, processes, database, queue, webhooks, Meta, mail, disk, backups and tokens; one line
    each, exit 1 if any fails."""
    from core.monitoring.doctor import diagnose
    from core.monitoring.rules import Standing

    words = {Standing.WELL: "ok", Standing.OFF: "off", Standing.WARNING: "warn", Standing.BAD: "FAIL"}
    settings = _settings()
    print("ok    settings")
    with _runtime(settings) as runtime:
        findings = diagnose(runtime)
    for finding in findings:
        print(f"{words[finding.standing]:<5} {finding.part}: {finding.sentence}")
    if any(finding.standing is Standing.BAD for finding in findings):
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


@app.command()
def backup(
    file: Annotated[
        Path, typer.Argument(help="The new file: gzip, or age if WAYPOST_BACKUP_RECIPIENT is set")
    ],
) -> None:
    """SQLite: everything but the key file in one file, taken while Waypost runs. Tokens in it stay sealed."""
    from core.backups.taking import take

    settings = _settings()
    with _command() as runtime:
        about = take(runtime, file)
    print(f"{file}: {sum(about.rows.values()):,} rows, {file.stat().st_size:,} bytes.")
    keys = "WAYPOST_SECRET_KEYS" if settings.secret_keys else str(settings.key_file)
    print(f"It holds everything but the keys: keep a copy of {keys} apart from it.")


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A file that backup made")],
    identity: Annotated[
        Path | None, typer.Option(help="The file with the age identity of an encrypted one")
    ] = None,
) -> None:
    """SQLite: goes back to a backup once all of it is checked. What was there before stays beside it, and
    everything is paused until somebody resumes it."""
    from core.backups.restoring import restore as go_back

    settings = _settings()
    with _plain_failures(), _runtime(settings) as runtime:
        done = go_back(runtime, file, identity=identity)
    print(f"Restored as of {done.about.taken_at:%Y-%m-%d %H:%M} UTC: {sum(done.about.rows.values()):,} rows.")
    if done.kept_as is not None:
        print(f"What was there before: {done.kept_as}")
    print(
        "Everything is paused: what was sent after the backup would be sent again. Resume on the Queue page."
    )


@app.command()
def move(
    to: Annotated[str, typer.Option(help="postgresql+psycopg://user@host/name, an empty database")],
) -> None:
    """Everything from SQLite to PostgreSQL, compared row by row; the SQLite file stays as it is. Cut off, it
    goes on where it was."""
    from core.backups.moving import move as move_everything

    with _command() as runtime:
        done = move_everything(runtime, to, say=lambda name: print(f"copied  {name}"))
    print(f"Moved and compared: {done.rows:,} rows of {done.tables} tables.")
    print("Set WAYPOST_DATABASE_URL to the new address, then start. The keys stay where they are.")


def _say_verdict(findings: list[str], whole: str) -> None:
    for finding in findings:
        print(finding)
    if findings:
        _fail(f"{len(findings):,} found.")
    print(whole)


@contextmanager
def _runtime(settings: Settings) -> Iterator[Runtime]:
    """Everything that faces work with, from the settings."""
    from core.ports.clock import SystemClock
    from core.ports.graph import Graph
    from core.ports.graph_tokens import MetaApp
    from core.ports.mail import mailer_for
    from core.runtime import Runtime
    from jobs.queue import HueyBell

    vault = _vault(settings)
    database = _database(settings)
    secret = settings.app_secrets[0] if settings.app_secrets else None
    app_id = settings.waypost_meta_app_id
    graph = Graph(
        base_url=settings.waypost_graph_url,
        version=settings.waypost_graph_version,
        timeout_s=settings.waypost_graph_timeout,
        app=MetaApp(app_id, secret) if app_id and secret else None,
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
            mail=mailer_for(settings.smtp_url, sender=settings.mail_from, folder=settings.outbox),
        )
    finally:
        database.dispose()


def _vault(settings: Settings) -> Vault:
    from core.ports.vault import Vault, VaultError, keys_from_file

    path = settings.key_file
    try:
        if settings.secret_keys:
            return Vault(settings.secret_keys)
        return Vault(keys_from_file(path), again=lambda: keys_from_file(path))
    except VaultError as error:
        _fail(str(error), status=2)
    except OSError as error:
        _fail(f"{path}: {error.strerror}", status=2)


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


def _start_process(settings: Settings, process: str, *, supervised_by: int) -> None:
    from core.tracing import set_up_tracing

    _end_well_when_told()
    set_up_tracing(settings, process=process, version=__version__)
    _refuse_read_only(settings)
    if supervised_by:
        _stop_with_parent(supervised_by)  # its supervisor has migrated, and asked for the keys, already
    else:
        _migrate(settings)
        _refuse_wrong_keys(settings)


def _end_well_when_told() -> None:
    """SIGINT and SIGTERM end this process with status 0. uvicorn, once it has stopped, raises the signal anew
    for whoever was there before it."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))


def _refuse_wrong_keys(settings: Settings) -> None:
    """Ends with status 2, before anything is served, when what is stored was sealed with other keys."""
    from core.opening import opens

    database = _database(settings)
    with _plain_failures():
        is_well = opens(database, _vault(settings))
    database.dispose()
    if not is_well:
        where = "WAYPOST_SECRET_KEYS" if settings.secret_keys else str(settings.key_file)
        _fail(
            f"{where}: these keys do not open what is stored, which was sealed with others. Put those back, "
            "or add them after the new one.",
            status=2,
        )


def _refuse_read_only(settings: Settings) -> None:
    """Ends where nothing could be written: a process that opened its database so never could, whatever
    becomes of the disk; one that is started again can."""
    database = _database(settings)
    if database.is_read_only():
        _fail(f"WAYPOST_DATABASE_URL: {database.path} is read-only. Make it writable, then start again.")


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


def _offer_beginning(settings: Settings) -> str | None:
    """Where the first owner is made; None when there is one."""
    from core.team.beginning import offer_beginning
    from core.team.owners import COMMAND

    with _plain_failures(), _runtime(settings) as runtime, runtime.unit(COMMAND, write=True) as unit:
        return offer_beginning(unit)


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
