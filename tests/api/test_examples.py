"""The examples of docs/api.md, run as they are written, against a real server and the sandbox."""

import json
import os
import shutil
import subprocess
import sys

import httpx
import pytest

from data.enums import Role
from tests.api.conftest import Caller, dead_letter
from tests.conftest import Place
from tests.docs.markdown import DOCS, examples

API_MD = DOCS / "api.md"


def run(words: list[str], api: httpx.Client, place: Place) -> str:
    given = {"WAYPOST_URL": str(api.base_url).rstrip("/"), "WAYPOST_KEY": place.keys[Role.OWNER]}
    done = subprocess.run(
        words, env=os.environ | given, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
def test_the_examples_with_curl(api: httpx.Client, place: Place, owner: Caller) -> None:
    dead_letter(owner)
    answers = [
        json.JSONDecoder().raw_decode(said)[0]
        for code in examples(API_MD, "sh")
        for said in [run(["sh", "-ec", code], api, place)]
    ]
    sent, listed, groups, paused, health = answers
    assert sent["success"] is True
    assert sent["id"] in [message["id"] for message in listed["items"]]
    assert groups["items"][0]["count"] == 1
    assert "error" not in paused
    assert health["database"]
    assert owner.get("/queues/status").json()["messageRetry"]["dead"] == 1


def test_the_examples_with_python(api: httpx.Client, place: Place, owner: Caller) -> None:
    letter = dead_letter(owner)
    said = [run([sys.executable, "-c", code], api, place) for code in examples(API_MD, "python")]
    sent, redriven, walked = said
    for line in sent.splitlines():
        assert owner.get(f"/messages/{line.split()[1]}").json()["status"] == "queued"
    assert len(sent.splitlines()) == 2
    assert "running" in redriven
    assert letter["messageId"] in walked
    assert len(walked.splitlines()) == 3
