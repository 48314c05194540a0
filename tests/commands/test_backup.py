"""Backing up beside a running Waypost, and restoring on another machine."""

import shutil
from pathlib import Path

from tests.commands.conftest import PASSWORD, Place


def test_a_night_is_backed_up_while_serving_and_restored_elsewhere(place: Place, tmp_path: Path) -> None:
    place.owner()
    place.start("serve")
    place.wait_until_healthy()
    file = tmp_path / "night.db.gz"
    done = place.run("backup", str(file))
    assert done.returncode == 0, done.stderr
    assert "keep a copy of var/secret.key apart" in done.stdout
    again = place.run("backup", str(file))
    assert (again.returncode, again.stderr.count("\n")) == (1, 1)
    running = place.run("restore", str(file))
    assert running.returncode == 1
    assert "is running" in running.stderr

    folder = tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere = Place(folder, place.settings)
    refused = elsewhere.run("restore", str(file))
    assert refused.returncode == 1
    assert "key file" in refused.stderr
    assert not (folder / "var/waypost.db").exists()
    shutil.copy(place.folder / "var/secret.key", folder / "var/secret.key")
    restored = elsewhere.run("restore", str(file))
    assert restored.returncode == 0, restored.stderr
    assert "Everything is paused" in restored.stdout
    assert elsewhere.run("audit", "verify").returncode == 0
    taken = elsewhere.run(
        "create-owner", "--workspace", "Northwind", "--email", "b@x.example", given=PASSWORD
    )
    assert (taken.returncode, "northwind" in taken.stderr) == (1, True), taken.stderr
