"""Commands for owners, people of the platform, keys that seal, and the audit log."""

import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from core.ports.vault import Vault
from data.tables import sealed_columns
from tests.commands.conftest import PASSWORD, TOKEN, WABA_ID, Place


def keys_in(place: Place) -> list[str]:
    return (place.folder / "var/secret.key").read_text().split()


def audited(place: Place) -> list[str]:
    with closing(sqlite3.connect(place.folder / "var/waypost.db")) as database:
        return [row[0] for row in database.execute("SELECT action FROM audit_entry ORDER BY number")]


def test_an_owner_is_invited_by_link_and_only_the_slug_is_printed(place: Place) -> None:
    made = place.run("create-owner", "--workspace", "Fresh", "--email", "ada@x.example", "--link")
    assert (made.returncode, made.stdout) == (0, "fresh\n")
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/invite/[\w-]{43}\n", made.stderr)


def test_p8_people_of_the_platform_are_named_by_command(northwind: Place) -> None:
    for words in ((), ("--support",)):
        done = northwind.run("platform-admin", "grant", "--email", "northwind@x.example", *words)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    unknown = northwind.run("platform-admin", "grant", "--email", "nobody@x.example")
    assert (unknown.returncode, unknown.stderr.count("\n")) == (1, 1)
    assert audited(northwind).count("platform.granted") == 2


def test_an_owner_is_put_back_when_the_last_is_gone(northwind: Place) -> None:
    words = ("owner-recover", "--workspace", "northwind", "--email", "mara@x.example", "--reason", "Left")
    refused = northwind.run(*words)
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    with closing(sqlite3.connect(northwind.folder / "var/waypost.db")) as database:
        database.execute("UPDATE member SET status = 'removed'")
        database.commit()
    done = northwind.run(*words)
    assert done.returncode == 0
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/invite/[\w-]{43}\n", done.stdout)


def test_k3_keys_are_rotated_and_everything_still_opens(northwind: Place) -> None:
    (first,) = keys_in(northwind)
    rotated = northwind.run("keys", "rotate")
    assert rotated.returncode == 0, rotated.stderr
    assert "1 secrets sealed anew" in rotated.stdout
    second, kept = keys_in(northwind)
    assert kept == first
    assert northwind.run("audit", "verify").returncode == 0
    northwind.run("keys", "rotate")
    third, kept = keys_in(northwind)
    assert (kept, third in (first, second)) == (second, False)
    assert northwind.run("audit", "verify").returncode == 0
    assert (
        northwind.run("create-owner", "--workspace", "B", "--email", "b@x.example", "--link").returncode == 0
    )
    assert (northwind.folder / "var/secret.key").stat().st_mode & 0o777 == 0o600
    assert not [
        path for path in Path(northwind.folder / "var").iterdir() if path.name.startswith("secret.key.")
    ]


def test_p9_the_log_is_verified_by_command(northwind: Place) -> None:
    whole = northwind.run("audit", "verify")
    assert (whole.returncode, whole.stdout) == (0, "The audit log is whole: 2 entries.\n")
    with closing(sqlite3.connect(northwind.folder / "var/waypost.db")) as database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f"DROP TRIGGER {name}")
        database.execute("UPDATE audit_entry SET actor = 'usr_other' WHERE number = 2")
        database.commit()
    broken = northwind.run("audit", "verify")
    assert (broken.returncode, broken.stdout) == (1, "")
    assert broken.stderr == "Entry 2 is missing or was changed, of 2.\n"


def test_k3_a_rotation_that_was_killed_goes_on_with_the_key_it_had_begun_with(place: Place) -> None:
    words = ("--workspace", "Northwind", "--email", "northwind@x.example")
    assert place.run("create-owner", *words, given=PASSWORD).returncode == 0
    connected = place.run("connect", "--workspace", "northwind", "--waba", WABA_ID, given=TOKEN)
    assert connected.returncode == 0, connected.stderr
    root = Path(__file__).parents[2]
    died = subprocess.run(
        [sys.executable, str(root / "tests/crash/rotator.py")],
        cwd=place.folder,
        env=place.environment(PYTHONPATH=str(root)),
        timeout=120,
        check=False,
    )
    assert died.returncode == -signal.SIGKILL
    newest, former = keys_in(place)
    stale = sealed_with(place, former)
    assert stale
    assert sealed_with(place, newest)
    again = place.run("keys", "rotate")
    assert f"{len(stale)} secrets sealed anew" in again.stdout
    assert keys_in(place) == [newest, former]
    assert sealed_with(place, former) == []
    assert len(sealed_with(place, newest)) == 2


def sealed_with(place: Place, key: str) -> list[str]:
    """Table and column of every value that this key alone opens."""
    vault, found = Vault((key,)), []
    with closing(sqlite3.connect(place.folder / "var/waypost.db")) as database:
        for column in sealed_columns():
            name = f"{column.table.name}.{column.name}"
            values = database.execute(f"SELECT {column.name} FROM {column.table.name}").fetchall()
            found += [name for (value,) in values if value is not None and vault.opens(value)]
    return found
