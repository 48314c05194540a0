"""The sandbox's controls, for the demo and its page. Nothing else in core knows that it is not Meta."""

import time
from typing import Any

import httpx

from core.errors import Unavailable
from core.ports.unit_guard import refuse_inside_unit

TIMEOUT_S = 5.0


class SandboxControl:
    """Calls to ``/sandbox/…`` at the address that stands in for Meta's."""

    def __init__(self, base_url: str) -> None:
        self._base = base_url

    def state(self) -> dict[str, Any]:
        """Counts, faults and phones."""
        return self._call("GET", "/sandbox/state")

    def received(self, *, limit: int) -> list[dict[str, Any]]:
        """The newest requests that the sandbox got."""
        return list(self._call("GET", f"/sandbox/received?limit={limit}")["received"])

    def switch_fault(self, fault_id: str, *, enabled: bool) -> None:
        self._call("PATCH", f"/sandbox/faults/{fault_id}", {"enabled": enabled})

    def write_inbound(self, *, phone_number_id: str, sender: str, name: str, text: str) -> None:
        """A made-up customer writes to one of our numbers."""
        body = {"phoneNumberId": phone_number_id, "from": sender, "name": name, "text": text}
        self._call("POST", "/sandbox/inbound", body)

    def wait_until_ready(self, *, timeout_s: float) -> None:
        """Returns once the sandbox answers; Unavailable after ``timeout_s``."""
        give_up = time.monotonic() + timeout_s
        while True:
            try:
                self.state()
            except Unavailable:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.1)
            else:
                return

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        refuse_inside_unit()
        try:
            response = httpx.request(method, self._base + path, json=body, timeout=TIMEOUT_S)
            response.raise_for_status()
            answer: dict[str, Any] = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise Unavailable(
                "The sandbox does not answer. Start Waypost with --demo to have one."
            ) from error
        return answer
