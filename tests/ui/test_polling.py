"""A page that polls, because no WebSocket comes through, and is sent away."""

import json
import uuid

import httpx

from data.enums import Role
from tests.conftest import Place
from tests.console import COOKIE, Console
from tests.ui.test_socket_guard import DROPPED_WITHIN_S, SOCKET_PATH, open_page, set_role

BETWEEN_PACKETS, PING = "\x1e", "2"


def test_no_poll_of_a_page_that_is_sent_away_is_refused(
    console: Console, with_row: Place, owner: str
) -> None:
    """One that comes before it is said where to go is answered once it is; were it refused, the page would
    never learn it."""
    page = open_page(console, owner)
    ids = {"document_id": str(uuid.uuid4()), "tab_id": str(uuid.uuid4())}
    query = {**page.query, **ids, "implicit_handshake": "true"}
    engine = {"EIO": "4", "transport": "polling"}
    with httpx.Client(
        base_url=page.url, headers={"Origin": page.url}, cookies={COOKIE: owner}, timeout=DROPPED_WITHIN_S
    ) as line:

        def poll() -> str:
            answer = line.get(f"{SOCKET_PATH}/", params=query | engine)
            assert answer.status_code == 200, answer.text
            return answer.text

        engine["sid"] = json.loads(poll()[1:])["sid"]
        assert line.post(f"{SOCKET_PATH}/", params=query | engine, content="40").text == "OK"
        assert poll().startswith("40")
        set_role(console, with_row, Role.VIEWER)
        while '42["open",{"path":"/"' not in poll():
            pass  # what was drawn anew meanwhile
        heard = [poll()]
        while "41" not in heard[-1].split(BETWEEN_PACKETS):
            heard.append(poll())
        assert "42[" not in "".join(heard)  # what is drawn anew would tell of what they may no longer see
        last: list[str] = []
        while (answer := line.get(f"{SOCKET_PATH}/", params=query | engine)).status_code == 200:
            last += answer.text.split(BETWEEN_PACKETS)
        assert PING not in last  # it was hung up, and did not die of silence
