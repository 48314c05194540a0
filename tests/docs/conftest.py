from collections.abc import Iterator

import pytest
from cryptography.fernet import Fernet

from core.ports.bell import SilentBell
from core.ports.clock import SystemClock
from core.ports.graph import Graph
from core.ports.mail import Outbox
from core.ports.vault import Vault
from core.runtime import Runtime
from core.settings import Settings
from data.engine import open_database


@pytest.fixture(scope="session")
def unused(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """A runtime in which everything is on that can be, to read registries from; nothing is stored in it."""
    folder = tmp_path_factory.mktemp("unused")
    settings = Settings(_env_file=None, waypost_demo=True, waypost_backup_dir=folder)
    database = open_database(f"sqlite:///{folder / 'waypost.db'}")
    yield Runtime(
        settings=settings,
        database=database,
        clock=SystemClock(),
        vault=Vault((Fernet.generate_key().decode(),)),
        graph=Graph(base_url=settings.waypost_graph_url, version=settings.waypost_graph_version, timeout_s=1),
        bell=SilentBell(),
        holder="test",
        mail=Outbox(folder / "outbox", sender=settings.mail_from),
    )
    database.dispose()
