"""A real HTTP server that answers by script, good and bad answers alike, and remembers what it was asked."""

from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Reply:
    """One answer of the script."""

    status: int = 200
    body: bytes = b'{"ok": true}'
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Announce the whole body, send half of it and hang up.
    cut: bool = False
    #: Hang up without an answer.
    drop: bool = False
    #: Say nothing until the wire is closed.
    silent: bool = False
    #: Send the body again and again, byte by byte, until the caller gives up.
    drip: bool = False
    #: Send the body in chunks, without announcing its length.
    chunked: bool = False


@dataclass(frozen=True)
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    params: list[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes


class Wire:
    """The server's script and memory. Replies are used up in order, the last one for ever."""

    def __init__(self) -> None:
        self.url = ""
        self.seen: list[Seen] = []
        self.closing = threading.Event()
        self._replies = [Reply()]

    def script(self, *replies: Reply) -> None:
        self._replies = list(replies)

    def next_reply(self) -> Reply:
        return self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    wire: Wire

    def handle_error(self, request: object, client_address: object) -> None:
        """Callers that hang up are part of the script."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        parts = urlsplit(self.path)
        params = parse_qsl(parts.query, keep_blank_values=True)
        seen = Seen(self.command, parts.path, params, dict(self.headers), self.rfile.read(length))
        self.server.wire.seen.append(seen)
        self._answer(self.server.wire.next_reply())

    do_POST = do_GET

    def _answer(self, reply: Reply) -> None:
        if reply.silent:
            self.server.wire.closing.wait(60)
        if reply.silent or reply.drop:
            self.close_connection = True
            return
        self.send_response_only(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.drip:
            self._drip(reply.body)
        elif reply.chunked:
            self._send_chunks(reply.body)
        else:
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body[: len(reply.body) // 2] if reply.cut else reply.body)
            self.close_connection = reply.cut

    def _drip(self, body: bytes) -> None:
        self.close_connection = True
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        with suppress(OSError):
            while not self.server.wire.closing.wait(0.01):
                self.wfile.write(body[:1])

    def _send_chunks(self, body: bytes) -> None:
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for start in range(0, len(body), 7):
            piece = body[start : start + 7]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


@contextmanager
def listening(tls: ssl.SSLContext | None = None) -> Iterator[Wire]:
    server = _Server(("127.0.0.1", 0), _Handler)
    server.wire = wire = Wire()
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    wire.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield wire
    finally:
        wire.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
