import multiprocessing
import stat
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from core.ports.vault import Vault, VaultError, keys_from_file

OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))


def test_k3_what_is_sealed_opens_for_its_own_row_and_field_alone() -> None:
    vault = Vault((NEW,))
    sealed = vault.seal("EAAG-secret ü", workspace_id="ws_1", field="access_token")
    assert b"EAAG" not in sealed
    assert vault.open(sealed, workspace_id="ws_1", field="access_token") == "EAAG-secret ü"
    for workspace_id, field in (("ws_2", "access_token"), ("ws_1", "audit.key"), ("", "access_token")):
        with pytest.raises(VaultError, match="another row"):
            vault.open(sealed, workspace_id=workspace_id, field=field)


def test_k3_one_secret_is_never_sealed_twice_the_same() -> None:
    vault = Vault((NEW,))
    assert len({vault.seal("x", workspace_id="ws_1", field="f") for _ in range(5)}) == 5


def test_k3_older_keys_still_open_and_the_newest_seals() -> None:
    old = Vault((OLD,)).seal("x", workspace_id="ws_1", field="f")
    both = Vault((NEW, OLD))
    assert both.open(old, workspace_id="ws_1", field="f") == "x"
    assert (
        Vault((NEW,)).open(both.seal("x", workspace_id="ws_1", field="f"), workspace_id="ws_1", field="f")
        == "x"
    )
    with pytest.raises(VaultError, match=r"WAYPOST_SECRET_KEYS or var/secret\.key"):
        Vault((NEW,)).open(old, workspace_id="ws_1", field="f")


@pytest.mark.parametrize("broken", [b"", b"x", b"gAAAA", bytes(100)])
def test_k3_what_was_never_sealed_does_not_open(broken: bytes) -> None:
    with pytest.raises(VaultError):
        Vault((NEW,)).open(broken, workspace_id="ws_1", field="f")


def test_k3_a_sealed_value_with_one_byte_changed_does_not_open() -> None:
    vault = Vault((NEW,))
    sealed = bytearray(vault.seal("x", workspace_id="ws_1", field="f"))
    sealed[20] ^= 1
    with pytest.raises(VaultError):
        vault.open(bytes(sealed), workspace_id="ws_1", field="f")


@pytest.mark.parametrize("keys", [(), ("",), ("short",), (NEW, "x" * 44 + "!")])
def test_keys_of_a_wrong_shape_are_refused_and_not_repeated(keys: tuple[str, ...]) -> None:
    with pytest.raises(VaultError, match="WAYPOST_SECRET_KEYS") as refusal:
        Vault(keys)
    assert NEW not in str(refusal.value)


def test_a_new_key_file_is_for_its_owner_alone_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "var" / "secret.key"
    keys = keys_from_file(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert keys_from_file(path) == keys
    assert [file.name for file in path.parent.iterdir()] == ["secret.key"]
    Vault(keys)


def test_several_keys_are_read_newest_first(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    path.write_text(f"{NEW}\n\n {OLD}\n")
    assert keys_from_file(path) == (NEW, OLD)


def test_ten_threads_that_start_together_agree_on_one_key(tmp_path: Path) -> None:
    for number in range(20):
        path = tmp_path / str(number) / "secret.key"
        start = threading.Barrier(10)
        with ThreadPoolExecutor(10) as pool:
            found = set(pool.map(partial(_keys_at, path), [start] * 10))
        assert found == {keys_from_file(path)}
        assert [file.name for file in path.parent.iterdir()] == ["secret.key"]


def test_ten_processes_that_start_together_agree_on_one_key(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    with ProcessPoolExecutor(10, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = set(pool.map(keys_from_file, [path] * 10))
    assert found == {keys_from_file(path)}


def _keys_at(path: Path, start: threading.Barrier) -> tuple[str, ...]:
    start.wait()
    return keys_from_file(path)
