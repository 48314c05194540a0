"""Clients who send through the REST API, and send again with the same key whenever they got no answer."""

import queue
import random
import threading
import time
from collections import defaultdict

import httpx

from tests.crash.console import WABA_ID, Console

CLIENTS = 6
# Under way, over the limit, shutting down; and what a proxy says for one that was killed: ask again.
AGAIN = {409, 429, 502, 503, 504}
AGAIN_AFTER_S = 0.05


EMAIL, PASSWORD = "ada@example.com", "correct horse battery"
PASSING = {"kind": "error", "code": 131016, "share": 0.15, "times": 1, "per": "message"}
RESET = {"kind": "reset", "share": 0.02, "times": 1, "per": "message"}


def begin(console: Console, *, seed: int) -> "Senders":
    """Clients with a key, of a workspace whose sends meet faults: some fail once, of a few the answer is
    lost."""
    slug = console.command(
        "create-owner",
        *("--workspace", "Northwind", "--email", EMAIL, "--plan", "enterprise"),
        stdin=f"{PASSWORD}\n",
    )
    key = console.command("api-key", "create", "--workspace", slug, "--role", "agent", "--name", "crash")
    phones = console.command("connect", "--workspace", slug, "--waba", WABA_ID, stdin="crash-token\n")
    for fault in (PASSING, RESET):
        console.sandbox("POST", "/faults", fault)
    return Senders(console, key=key, phones=phones.splitlines(), seed=seed)


class Senders:
    """``ids``: number of the send → every id that an answer to it named."""

    def __init__(self, console: Console, *, key: str, phones: list[str], seed: int) -> None:
        self.ids: dict[int, set[str]] = defaultdict(set)
        self.refused: list[str] = []
        self._console, self._key, self._phones, self._seed = console, key, phones, seed
        self._numbers: queue.Queue[int | None] = queue.Queue()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def send(self, numbers: range) -> None:
        for number in numbers:
            self._numbers.put(number)

    def finish(self) -> None:
        """No more sends come; the threads end once all were answered."""
        for _ in self._threads:
            self._numbers.put(None)

    @property
    def have_finished(self) -> bool:
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        with httpx.Client(base_url=f"{self._console.url}/api/v1", trust_env=False, timeout=10) as client:
            while (number := self._numbers.get()) is not None:
                dice = random.Random(f"{self._seed}-{number}")
                times = 2 if dice.random() < 0.2 else 1  # some ask again though they were answered
                for _ in range(times):
                    self._send_until_answered(client, number, dice)

    def _send_until_answered(self, client: httpx.Client, number: int, dice: random.Random) -> None:
        words = [{"type": "text", "text": word} for word in ("Mara", f"NW-{number}")]
        body = {
            "to": f"+49151124{number:05d}",
            "phoneNumberId": self._phones[number % len(self._phones)],
            "mode": "sync" if number % 5 == 0 else "queued",
            "template": {
                "name": "order_update",
                "language": "en_US",
                "components": [{"type": "body", "parameters": words}],
            },
        }
        headers = {"Authorization": f"Bearer {self._key}", "Idempotency-Key": f"send-{number}"}
        while True:
            try:
                answer = client.post("/messages/template", json=body, headers=headers)
            except httpx.TransportError:  # it was killed; nobody knows whether it had stored this
                self._console.up.wait()
                time.sleep(dice.random() * AGAIN_AFTER_S)
                continue
            if answer.status_code in AGAIN:
                time.sleep(AGAIN_AFTER_S)
                continue
            if answer.is_success:
                self.ids[number].add(answer.json()["id"])
            else:
                self.refused.append(f"{answer.status_code} {answer.text}")
            return
