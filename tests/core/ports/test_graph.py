"""Every way a call can go, against real sockets: certain is told apart from unknown (Q6)."""

import asyncio
import json
import socket
import struct
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from core.ports.graph import WABA_FIELDS, Graph
from core.ports.graph_replies import GraphError, Reply, ReplyKind
from core.ports.graph_tokens import MetaApp

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
ACCEPTED, REFUSED, UNKNOWN = ReplyKind.ACCEPTED, ReplyKind.REFUSED, ReplyKind.UNKNOWN


def answers(status: int, body: bytes | dict[str, Any], **headers: str) -> Handler:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(
            f"HTTP/1.1 {status} X\r\ncontent-length: {len(content)}\r\n{head}\r\n".encode() + content
        )
        await writer.drain()

    return handle


async def read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return head + await reader.readexactly(int(line.split(b":")[1]))
    return head


async def reset(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The body was read, then the connection is reset."""
    await read_request(_reader)
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    await reader.read()


async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)


async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"messages":')
    await writer.drain()


async def noise(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"220 mail.example ESMTP\r\n")
    await writer.drain()


def send_to(
    handler: Handler, *, timeout_s: float = 2.0, on_written: Callable[[], None] | None = None
) -> Reply:
    async def whole() -> Reply:
        serving = []

        async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            serving.append(asyncio.current_task())
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await handler(reader, writer)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

        server = await asyncio.start_server(once, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        graph = Graph(base_url=f"http://127.0.0.1:{port}", version="v23.0", timeout_s=timeout_s)
        try:
            return await graph.send(phone_number_id="1", token="t", body={"to": "+49"}, on_written=on_written)
        finally:
            await graph.close()
            await asyncio.gather(*(task for task in serving if task is not None))
            server.close()
            await server.wait_closed()

    return asyncio.run(whole())


def error(code: Any, **more: Any) -> dict[str, Any]:
    return {"error": {"message": "(#1) No", "code": code, "fbtrace_id": "trace", **more}}


def test_q13_when_a_request_has_left_is_known_long_before_its_answer() -> None:
    left: list[float] = []
    began = time.monotonic()
    reply = send_to(hang, timeout_s=1.0, on_written=lambda: left.append(time.monotonic() - began))
    assert reply.word == "network_timeout"
    assert [took < 1.0 for took in left] == [True]


def test_q13_what_never_reached_the_network_has_not_left() -> None:
    left: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    async def call() -> Reply:
        graph = Graph(base_url=f"http://127.0.0.1:{port}", version="v23.0", timeout_s=2.0)
        try:
            return await graph.send(
                phone_number_id="1", token="t", body={}, on_written=lambda: left.append(1)
            )
        finally:
            await graph.close()

    assert asyncio.run(call()).word == "connection_failed"
    assert left == []


USAGE = '{"1":[{"estimated_time_to_regain_access": %s}]}'
TAKEN = {"messaging_product": "whatsapp", "messages": [{"id": "wamid.A", "message_status": "accepted"}]}


@pytest.mark.parametrize(
    ("handler", "kind", "word", "code"),
    [
        (answers(200, TAKEN), ACCEPTED, None, None),
        (answers(200, b"{"), UNKNOWN, "bad_response", None),
        (answers(200, b""), UNKNOWN, "bad_response", None),
        (answers(200, {"messages": []}), UNKNOWN, "bad_response", None),
        (answers(200, {"messages": [{"id": 7}]}), UNKNOWN, "bad_response", None),
        (answers(200, b"[" * 100_000), UNKNOWN, "bad_response", None),
        (answers(400, error(131026)), REFUSED, None, 131026),
        (answers(500, error(131000)), REFUSED, None, 131000),
        (answers(503, error(2, is_transient=True)), REFUSED, None, 2),
        (answers(401, error(190)), REFUSED, None, 190),
        (answers(400, error("131026")), REFUSED, "http_400", None),
        (answers(400, error(True)), REFUSED, "http_400", None),
        (answers(404, b"<html>"), REFUSED, "http_404", None),
        (answers(429, b""), REFUSED, "http_429", None),
        (answers(500, b""), UNKNOWN, "http_500", None),
        (answers(502, b"<html>Bad gateway</html>"), UNKNOWN, "http_502", None),
        (answers(503, {"error": "busy"}), UNKNOWN, "http_503", None),
        (answers(302, b"", location="http://127.0.0.1:9/"), REFUSED, "bad_response", None),
        (reset, UNKNOWN, "connection_failed", None),
        (close, UNKNOWN, "connection_failed", None),
        (half, UNKNOWN, None, None),
        (noise, UNKNOWN, "bad_response", None),
    ],
)
def test_q6_every_answer_becomes_one_of_three_words(
    handler: Handler, kind: ReplyKind, word: str | None, code: int | None
) -> None:
    reply = send_to(handler)
    assert (reply.kind, reply.meta_code) == (kind, code)
    if word is not None or kind is not UNKNOWN:
        assert reply.word == word
    assert (reply.wamid == "wamid.A") is (kind is ACCEPTED)
    assert reply.detail or kind is ACCEPTED


def test_q6_no_answer_in_time_is_unknown() -> None:
    reply = send_to(hang, timeout_s=0.2)
    assert (reply.kind, reply.word) == (UNKNOWN, "network_timeout")


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "http://no-such-host.invalid", "ftp://127.0.0.1"])
def test_q6_a_connection_that_never_was_took_nothing(address: str) -> None:
    async def whole() -> Reply:
        graph = Graph(base_url=address, version="v23.0", timeout_s=2)
        try:
            return await graph.send(phone_number_id="1", token="t", body={})
        finally:
            await graph.close()

    reply = asyncio.run(whole())
    assert (reply.kind, reply.word) == (REFUSED, "connection_failed")


def test_what_meta_says_to_a_person_stands_where_it_gives_no_details() -> None:
    told = {"error_subcode": 2388024, "error_user_msg": "There is already en content for this template."}
    reply = send_to(answers(400, error(100, **told)))
    assert (reply.subcode, reply.detail) == (2388024, "There is already en content for this template.")


def test_what_no_database_keeps_is_replaced_before_anybody_sees_it() -> None:
    """NUL and half characters: the transaction that settles them would settle nothing else either."""
    failed = send_to(answers(400, error(131026, error_data={"details": "a\x00b\ud800"}, fbtrace_id="t\x00")))
    assert (failed.detail, failed.trace_id) == ("a\ufffdb\ufffd", "t\ufffd")
    taken = send_to(answers(200, {"messages": [{"id": "wamid.\x00"}]}))
    assert (taken.kind, taken.wamid) == (ACCEPTED, "wamid.\ufffd")


def test_what_meta_says_of_a_failure_is_kept() -> None:
    data = {"messaging_product": "whatsapp", "details": "Recipient is not on WhatsApp"}
    reply = send_to(answers(400, error(131026, error_data=data, is_transient=False)))
    assert (reply.detail, reply.trace_id, reply.http_status) == ("Recipient is not on WhatsApp", "trace", 400)
    assert not reply.is_transient
    assert len(send_to(answers(400, error(1, message="x" * 9000))).detail) == 500


@pytest.mark.parametrize(
    ("headers", "expected_s"),
    [
        ({"x_business_use_case_usage": USAGE % 1, "retry_after": "90"}, 90.0),
        ({"x_business_use_case_usage": USAGE % 3}, 180.0),
        ({"retry_after": "30"}, 30.0),
        ({"retry_after": "-5"}, 0.0),
        ({"retry_after": "soon"}, 0.0),
        ({"retry_after": "inf"}, 0.0),
        ({"x_business_use_case_usage": "[[["}, 0.0),
        (
            {
                "x_business_use_case_usage": '{"1":[{"estimated_time_to_regain_access": 1}]}',
                "retry_after": "90",
            },
            90.0,
        ),
        ({}, 0.0),
    ],
)
def test_q4_how_long_meta_asks_to_wait(headers: dict[str, str], expected_s: float) -> None:
    assert send_to(answers(429, error(80007), **headers)).retry_after_s == expected_s


def test_k3_a_failed_read_never_shows_the_token_in_its_address() -> None:
    async def whole() -> None:
        graph = Graph(
            base_url="http://127.0.0.1:9", version="v23.0", timeout_s=1, app=MetaApp("app", "secret")
        )
        try:
            await graph.inspect_token(token="EAAG-secret")
        finally:
            await graph.close()

    with pytest.raises(GraphError) as failure:
        asyncio.run(whole())
    shown = f"{failure.value!r} {failure.value.reply} {failure.value.__cause__}"
    assert "EAAG-secret" not in shown
    assert "app|secret" not in shown


def test_pages_are_read_to_their_end(sandbox_url: str) -> None:
    async def whole() -> tuple[list[Any], list[Any], dict[str, Any]]:
        graph = Graph(base_url=sandbox_url, version="v23.0", timeout_s=2)
        try:
            return (
                await graph.phones(waba_id="100200300400500", token="t"),
                await graph.templates(waba_id="100200300400500", token="t", name="order_update"),
                await graph.waba(waba_id="100200300400500", token="t"),
            )
        finally:
            await graph.close()

    phones, templates, waba = asyncio.run(whole())
    assert [phone["id"] for phone in phones] == ["106540352242922", "106540352242923"]
    assert {template["name"] for template in templates} == {"order_update"}
    assert waba["id"] == "100200300400500"


NO_FIELD = "(#100) Tried accessing nonexisting field (%s) on node type (X)"


@contextmanager
def meta_that_knows(*known: str) -> Iterator[tuple[str, list[list[str]]]]:
    """A Meta that knows those fields only, and the fields of each call to it."""
    asked: list[list[str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            fields = parse_qs(urlsplit(self.path).query)["fields"][0].split(",")
            asked.append(fields)
            unknown = next((name for name in fields if name not in known), None)
            answer: dict[str, Any] = {"id": "1"}
            if unknown is not None:
                answer = error(100, message=NO_FIELD % unknown)
            body = json.dumps(answer).encode()
            self.send_response(200 if unknown is None else 400)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


def test_a_field_that_meta_does_not_know_is_left_out_and_never_asked_for_again() -> None:
    async def whole(url: str) -> dict[str, Any]:
        graph = Graph(base_url=url, version="v23.0", timeout_s=2)
        try:
            await graph.waba(waba_id="1", token="t")
            return await graph.waba(waba_id="1", token="t")
        finally:
            await graph.close()

    known = [name for name in WABA_FIELDS.split(",") if name not in ("country", "subscribed_apps")]
    with meta_that_knows(*known) as (url, asked):
        assert asyncio.run(whole(url)) == {"id": "1"}
    assert [len(fields) for fields in asked] == [len(known) + 2, len(known) + 1, len(known), len(known)]
    assert asked[-1] == known


def test_what_meta_cannot_say_is_not_said() -> None:
    async def whole(address: str) -> Any:
        graph = Graph(base_url=address, version="v23.0", timeout_s=2)
        try:
            return await graph.health(node_id="1", token="t")
        finally:
            await graph.close()

    with meta_that_knows("id") as (url, asked):
        assert asyncio.run(whole(url)) is None
    assert asked == [["id", "health_status"], ["id"]]
