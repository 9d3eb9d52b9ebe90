"""Somebody's web address, to which notifications are posted."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


class Hook(BaseHTTPRequestHandler):
    """Keeps what is posted: path, authorization, document."""

    received: list[tuple[str, str | None, dict[str, Any]]]
    answer = 200

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.received.append((self.path, self.headers["Authorization"], json.loads(body)))
        self.send_response(self.answer)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@contextmanager
def web_hook(answer: int = 200) -> Iterator[tuple[str, list]]:
    """Listen on a free port; yields the address and what has been received so far."""
    received: list = []
    handler = type("Handler", (Hook,), {"received": received, "answer": answer})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/told", received
        server.shutdown()
