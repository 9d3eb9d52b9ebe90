"""A real uvicorn server of the application, and somebody who watches its events."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn

from data_sync.local.ports import free_port
from tests.plugins.airflow_app import App


@dataclass(frozen=True)
class Event:
    """What came, and when on :func:`time.monotonic`'s clock."""

    name: str
    data: dict[str, Any]
    at: float


class Watcher:
    """A program that reads a stream of events as the standard says (WHATWG, server-sent events)."""

    def __init__(self, url: str, token: str, last_id: str | None = None, path: str = "/sync/events") -> None:
        self.events: list[Event] = []
        self.comments = 0
        self.retry: int | None = None
        self.last_id = last_id
        self.is_over = False
        headers = {"Authorization": f"Bearer {token}"}
        if last_id is not None:
            headers["Last-Event-ID"] = last_id
        self._client = httpx.Client(trust_env=False, timeout=httpx.Timeout(30, read=None))
        self.answer = self._client.send(
            self._client.build_request("GET", f"{url}{path}", headers=headers), stream=True
        )
        self._thread = threading.Thread(target=self._read, daemon=True)
        if self.answer.status_code == 200:
            self._thread.start()

    def _read(self) -> None:
        name, data, last_id = "message", "", self.last_id
        try:
            for line in self.answer.iter_lines():
                field, _, value = line.partition(":")
                value = value.removeprefix(" ")
                if not line:
                    self.last_id = last_id
                    if data:
                        self.events.append(Event(name, json.loads(data), time.monotonic()))
                    name, data = "message", ""
                elif not field:
                    self.comments += 1
                elif field == "event":
                    name = value
                elif field == "data":
                    data += value
                elif field == "id":
                    last_id = value
                elif field == "retry":
                    self.retry = int(value)
        except httpx.HTTPError:
            pass
        self.is_over = True

    def named(self, name: str) -> list[dict[str, Any]]:
        return [event.data for event in self.events if event.name == name]

    def until(self, check: Callable[[], object], seconds: float = 20.0) -> None:
        """Wait until something has come."""
        deadline = time.monotonic() + seconds
        while not check():
            assert time.monotonic() < deadline, [(e.name, e.data) for e in self.events[-3:]]
            time.sleep(0.01)

    def until_ready(self) -> Watcher:
        self.until(lambda: self.named("ready"))
        return self

    def close(self) -> None:
        """Go away without a word."""
        if not self.is_over:
            with suppress(OSError):
                self.answer.extensions["network_stream"].get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        self._client.close()


class Server:
    """The application behind real sockets, in this process."""

    def __init__(self, app: App) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        config = uvicorn.Config(
            app.app, host="127.0.0.1", port=self.port, lifespan="off", log_config=None, access_log=False
        )
        self.uvicorn = uvicorn.Server(config)
        self._app = app
        self._watchers: list[Watcher] = []
        self._thread = threading.Thread(target=self.uvicorn.run, daemon=True)

    def watch(self, who: str, last_id: str | None = None) -> Watcher:
        watcher = Watcher(self.url, self._app.tokens[who], last_id)
        self._watchers.append(watcher)
        return watcher

    def start(self) -> None:
        self._thread.start()
        deadline = time.monotonic() + 30
        while not self.uvicorn.started:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def stop(self) -> None:
        for watcher in self._watchers:
            watcher.close()
        self.uvicorn.should_exit = True
        self._thread.join(20)
        assert not self._thread.is_alive()


@contextmanager
def serving(app: App) -> Iterator[Server]:
    server = Server(app)
    server.start()
    try:
        yield server
    finally:
        server.stop()
