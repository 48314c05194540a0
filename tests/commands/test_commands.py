"""Commands that do one thing and end."""

import re
import sqlite3
import stat

import httpx
import pytest
from cryptography.fernet import Fernet
from sqlalchemy import create_engine, text

from data.engine import Database
from tests.commands.conftest import APP_SECRET, PASSWORD, PHONE_ID, TOKEN, WABA_ID, Place, wait_for


def test_create_owner_prints_the_slug_and_only_the_slug(place: Place) -> None:
    words = ("create-owner", "--workspace", "Nordlicht & Söhne", "--email", "ada@nordlicht.example")
    made = place.run(*words, "--plan", "pro", "--timezone", "Europe/Berlin", given=PASSWORD + "\n")
    assert (made.returncode, made.stdout, made.stderr) == (0, "nordlicht-söhne\n", "")
    again = place.run(*words, given=PASSWORD)
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr.count("\n") == 1
    assert "nordlicht-söhne" in again.stderr
    with sqlite3.connect(place.folder / "var/waypost.db") as database:
        assert database.execute("SELECT count(*), max(is_platform_admin) FROM user_account").fetchone() == (
            1,
            1,
        )
        assert database.execute("SELECT plan, timezone FROM workspace").fetchall() == [
            ("pro", "Europe/Berlin")
        ]
    database.close()
    assert stat.S_IMODE((place.folder / "var/secret.key").stat().st_mode) == 0o600


def test_create_owner_refuses_in_one_line(place: Place) -> None:
    def tried(given: str | bytes = PASSWORD, **changed: str) -> str:
        options = {"workspace": "Northwind", "email": "ada@x.example"} | changed
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        done = place.run("create-owner", *words, given=given)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.count("\n") == 1
        return done.stderr

    assert "12 characters" in tried(given="eleven char\n")
    assert "UTF-8" in tried(given=b"a long \xff\xfe password")
    assert "e-mail" in tried(email="nobody")
    assert "plan" in tried(plan="gold")
    with sqlite3.connect(place.folder / "var/waypost.db") as database:
        assert database.execute("SELECT count(*) FROM workspace").fetchone() == (0,)
    database.close()


def test_api_key_prints_the_key_and_only_the_key(place: Place) -> None:
    assert re.fullmatch(r"wp_[A-Za-z0-9_-]{40,}", place.owner())
    assert place.key("--platform").startswith("wp_")
    for words in (
        ("--workspace", "northwind", "--role", "king"),
        ("--workspace", "nowhere", "--role", "owner"),
        ("--platform", "--workspace", "northwind"),
    ):
        done = place.run("api-key", "create", "--name", "test", *words)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.count("\n") == 1


def test_connect_reads_the_numbers_and_replaces_the_token(northwind: Place) -> None:
    words = ("connect", "--workspace", "northwind", "--waba", WABA_ID)
    made = northwind.run(*words, given=f"{TOKEN}\n")
    assert (made.returncode, made.stderr) == (0, "")
    assert made.stdout.split() == [PHONE_ID, str(int(PHONE_ID) + 1)]
    again = northwind.run(*words, given=f"{TOKEN}-2\n")
    assert again.stdout == made.stdout
    with sqlite3.connect(northwind.folder / "var/waypost.db") as database:
        ((sealed,),) = database.execute("SELECT sealed FROM access_token").fetchall()
        assert TOKEN.encode() not in sealed
    database.close()
    assert TOKEN.encode() not in (northwind.folder / "var/waypost.db").read_bytes()


def test_connect_stores_nothing_when_meta_refuses(northwind: Place, sandbox_url: str) -> None:
    for words, given in (
        (("--workspace", "northwind", "--waba", "999"), TOKEN),
        (("--workspace", "northwind", "--waba", WABA_ID), "expired-token"),
        (("--workspace", "northwind", "--waba", WABA_ID), ""),
        (("--workspace", "northwind", "--waba", "no-number"), TOKEN),
        (("--workspace", "nowhere", "--waba", WABA_ID), TOKEN),
    ):
        done = northwind.run("connect", *words, given=given)
        assert (done.returncode, done.stdout) == (1, ""), (words, given)
        assert done.stderr.count("\n") == 1
    silent = northwind.run(
        "connect",
        "--workspace",
        "northwind",
        "--waba",
        WABA_ID,
        given=TOKEN,
        WAYPOST_GRAPH_URL="http://127.0.0.1:1",
    )
    assert (silent.returncode, silent.stderr.count("\n")) == (1, 1)
    with sqlite3.connect(northwind.folder / "var/waypost.db") as database:
        for table in ("waba", "phone", "access_token", "template"):
            assert database.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    database.close()


def test_migrate_twice_is_as_good_as_once(place: Place) -> None:
    for _ in range(2):
        done = place.run("migrate")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_doctor_says_what_is_wrong_and_exits_1(place: Place) -> None:
    place.run("migrate")
    lonely = place.run("doctor")
    assert lonely.returncode == 1
    lines = lonely.stdout.splitlines()
    said = {line.split(":")[0].split(maxsplit=1)[1].strip(): line.split()[0] for line in lines}
    processes = {"web", "worker", "inbox", "clock"}
    assert {part for part, word in said.items() if word == "FAIL"} == processes
    assert said["backups"] == "off"
    assert {part for part, word in said.items() if word == "ok"} >= {
        *("settings", "database", "queue", "webhooks", "meta", "mail", "meta address", "tokens")
    }
    unreachable = place.run("doctor", WAYPOST_GRAPH_URL="http://127.0.0.1:1")
    assert "FAIL  meta address" in unreachable.stdout


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("WAYPOST_PORT", "eighty"),
        ("WAYPOST_DATABASE_URL", "mysql://x/y"),
        ("WAYPOST_RETRY_DELAYS", "60,soon"),
        ("WAYPOST_SECRET_KEYS", "canary-no-fernet-key"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_one_line(place: Place, setting: str, value: str) -> None:
    place.secrets.append("canary-no-fernet-key")
    done = place.run("doctor", **{setting: value})
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"{setting}: ")


def test_k3_other_keys_than_those_it_was_sealed_with_stop_the_start(northwind: Place) -> None:
    other = Fernet.generate_key().decode()
    for command in ("serve", "web", "worker", "clock"):
        done = northwind.run(command, WAYPOST_SECRET_KEYS=other)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("WAYPOST_SECRET_KEYS: these keys do not open what is stored")
        assert done.stderr.count("\n") == 1
        assert other not in done.stderr


def test_settings_come_from_a_file_too(place: Place) -> None:
    (place.folder / ".env").write_text("WAYPOST_LOG_FORMAT=xml\n")
    done = place.run("migrate")
    assert done.returncode == 2
    assert done.stderr.startswith("WAYPOST_LOG_FORMAT: ")


def test_a_database_that_cannot_be_made_is_one_line(place: Place) -> None:
    (place.folder / "file").write_text("")
    (place.folder / "garbage.db").write_bytes(b"this is no database, whatever its name says" * 100)
    for url, *words in (
        ("sqlite:///file/waypost.db", "migrate"),
        ("sqlite:///garbage.db", "serve"),
        (f"postgresql+psycopg://u:{APP_SECRET}@127.0.0.1:1/x", "serve"),
        (
            f"postgresql+psycopg://u:{APP_SECRET}@127.0.0.1:1/x",
            "api-key",
            "create",
            "--platform",
            "--name",
            "x",
        ),
    ):
        done = place.run(*words, WAYPOST_DATABASE_URL=url)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("WAYPOST_DATABASE_URL: ")
        assert done.stderr.count("\n") == 1


def test_a_queue_that_cannot_be_used_is_one_line(place: Place) -> None:
    (place.folder / "file").write_text("")
    done = place.run("serve", WAYPOST_QUEUE_URL="sqlite:///file/huey.db")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("WAYPOST_QUEUE_URL: ")


def test_a_taken_port_is_said_before_anything_starts(place: Place, sandbox_url: str) -> None:
    taken = sandbox_url.rpartition(":")[2]
    done = place.run("serve", WAYPOST_PORT=taken)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("WAYPOST_PORT: ")
    assert taken in done.stderr
    assert done.stderr.count("\n") == 1
    demo = place.run("serve", "--demo", WAYPOST_SANDBOX_PORT=taken)
    assert demo.returncode == 1
    assert demo.stderr.startswith("WAYPOST_SANDBOX_PORT: ")
    alone = place.run("sandbox", "--port", taken)
    assert alone.returncode != 0


def test_another_schema_on_postgresql_stops_the_start(place: Place, postgres: Database | None) -> None:
    if postgres is None:
        pytest.skip("no PostgreSQL answers at WAYPOST_TEST_POSTGRES_URL")
    admin = create_engine(postgres.url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    name = f"{postgres.url.database}_commands"
    url = postgres.url.set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        empty = place.run("web", WAYPOST_DATABASE_URL=url)
        assert empty.returncode == 1
        assert "python main.py migrate" in empty.stderr
        assert place.run("migrate", WAYPOST_DATABASE_URL=url).returncode == 0
        made = place.run("api-key", "create", "--platform", "--name", "x", WAYPOST_DATABASE_URL=url)
        place.said.remove(made.stdout)
        assert made.returncode == 0
        database = create_engine(url)
        with database.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        database.dispose()
        for word in ("serve", "worker"):
            newer = place.run(word, WAYPOST_DATABASE_URL=url)
            assert newer.returncode == 1, word
            assert "9999" in newer.stderr
            assert newer.stderr.count("\n") == 1
    finally:
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        admin.dispose()


def test_the_sandbox_runs_alone(place: Place) -> None:
    port = place.settings["WAYPOST_SANDBOX_PORT"]
    child = place.start("sandbox", "--port", port, "--phones", "3")

    def phones() -> int | None:
        try:
            return len(httpx.get(f"http://127.0.0.1:{port}/sandbox/state", trust_env=False).json()["phones"])
        except httpx.TransportError:
            return None

    assert wait_for(phones, within_s=10) == 4
    child.terminate()
    assert child.wait(10) in (0, -15)
