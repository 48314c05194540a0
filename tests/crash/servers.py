"""PostgreSQL and Redis: those that answer, and some of our own, which may be killed and flushed."""

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from tests.conftest import POSTGRES_URL
from tests.ports import free_port

REDIS_URL = os.environ.get("WAYPOST_TEST_REDIS_URL", "redis://127.0.0.1:6379/9")
STARTED_WITHIN_S = 60
LOOK_EVERY_S = 0.05
_numbers = itertools.count(1)


@contextmanager
def beside_postgres_and_redis() -> Iterator[dict[str, str]]:
    """Settings of a console in a database of its own on the servers that answer; skips where none does."""
    admin = create_engine(POSTGRES_URL, isolation_level="AUTOCOMMIT")
    name = f"waypost_crash_{os.getpid()}_{next(_numbers)}"
    try:
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
    except OperationalError:
        pytest.skip("no PostgreSQL answers at WAYPOST_TEST_POSTGRES_URL")
    try:
        with Redis.from_url(REDIS_URL) as redis:
            redis.ping()
    except RedisError:
        pytest.skip("no Redis answers at WAYPOST_TEST_REDIS_URL")
    try:
        yield _settings(make_url(POSTGRES_URL).set(database=name).render_as_string(False), REDIS_URL)
    finally:
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        admin.dispose()


@dataclass(frozen=True, slots=True)
class OwnServers:
    """A PostgreSQL and a Redis in a folder and on ports of their own."""

    folder: Path
    postgres_port: int
    redis_port: int

    @property
    def settings(self) -> dict[str, str]:
        return _settings(
            f"postgresql+psycopg://waypost@127.0.0.1:{self.postgres_port}/postgres",
            f"redis://127.0.0.1:{self.redis_port}/0",
        )

    def start_postgres(self) -> None:
        ports = f"-p {self.postgres_port} -k {self.folder} -c listen_addresses=127.0.0.1"
        self._pg_ctl("start", "-w", "-l", str(self.folder / "postgres.log"), "-o", ports)

    def crash_postgres(self) -> None:
        """As a power cut would: what was not on disk is gone."""
        self._pg_ctl("stop", "-m", "immediate")

    def start_redis(self) -> None:
        """An empty one: nothing of it is kept on disk."""
        words = ["redis-server", "--port", str(self.redis_port), "--bind", "127.0.0.1", "--save", ""]
        self._run([*words, "--dir", str(self.folder), "--daemonize", "yes"])
        deadline = time.monotonic() + STARTED_WITHIN_S
        while True:
            try:
                with self.redis() as redis:
                    redis.ping()
                return
            except RedisError:
                assert time.monotonic() < deadline, "Redis did not start"
                time.sleep(LOOK_EVERY_S)

    def stop_redis(self) -> None:
        with self.redis() as redis:
            redis.shutdown(nosave=True)

    def redis(self) -> Redis:
        return Redis(port=self.redis_port)

    def _pg_ctl(self, *words: str) -> None:
        self._run([_postgres_program("pg_ctl"), "-D", str(self.folder / "data"), *words])

    def _run(self, words: list[str]) -> None:
        user = _unprivileged()
        subprocess.run(
            words,
            user=user,
            group=None if user is None else pwd.getpwuid(user).pw_gid,
            extra_groups=None if user is None else [],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
            timeout=STARTED_WITHIN_S,
        )


@contextmanager
def own_servers() -> Iterator[OwnServers]:
    """Started and empty; skips where their programs are not installed."""
    if _postgres_program("initdb") == "" or shutil.which("redis-server") is None:
        pytest.skip("the programs of PostgreSQL and Redis are not installed here")
    # Beside pytest's folders, which are root's alone.
    folder = Path(tempfile.mkdtemp(prefix="waypost-servers-"))
    user = _unprivileged()
    if user is not None:
        os.chown(folder, user, -1)
    servers = OwnServers(folder, free_port(), free_port())
    try:
        words = ["--auth", "trust", "--username", "waypost", "--encoding", "UTF8", "--no-sync"]
        servers._run([_postgres_program("initdb"), "-D", str(folder / "data"), *words])
        servers.start_postgres()
        servers.start_redis()
        try:
            yield servers
        finally:
            servers.stop_redis()
            servers.crash_postgres()
    finally:
        shutil.rmtree(folder)


def _settings(database_url: str, queue_url: str) -> dict[str, str]:
    return {
        "WAYPOST_DATABASE_URL": database_url,
        "WAYPOST_QUEUE_URL": queue_url,
        "WAYPOST_SECRET_KEYS": Fernet.generate_key().decode(),
    }


def _postgres_program(name: str) -> str:
    """Its path; empty where it is not installed. Debian keeps them out of PATH."""
    found = shutil.which(name)
    return found or next((str(path) for path in Path("/usr/lib/postgresql").glob(f"*/bin/{name}")), "")


def _unprivileged() -> int | None:
    """Whom to run them as: PostgreSQL refuses to be root's."""
    return pwd.getpwnam("nobody").pw_uid if os.getuid() == 0 else None
