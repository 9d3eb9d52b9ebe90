"""Pages on their way: the next ones travel while the last ones are stored."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Generator, Iterator

from network_clients.records import Page

#: How often a thread with a page that nobody takes looks whether anybody still wants it, in seconds.
_LOOK = 0.5


class Feed:
    """Asks for the pages of a list in a thread of its own, in order, at most ``ahead`` more than are taken.

    Whoever leaves the ``with`` block stops it, and waits for the answer that is under way: a network that
    bears one call at a time gets no second one. What the thread raises is raised to whoever takes the
    pages, behind those that came before.

    :param ahead: 0 asks for each page when it is wanted, without a thread.
    """

    def __init__(self, pages: Iterator[Page], ahead: int) -> None:
        self._pages = pages
        self._ahead = ahead
        self._ready: queue.Queue[tuple[Page, float] | BaseException | None] = queue.Queue(max(ahead, 1))
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pages", daemon=True)

    def __enter__(self) -> Feed:
        """Begin to ask."""
        if self._ahead:
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Ask for nothing more."""
        self._stopped.set()
        if kind is not None and not issubclass(kind, Exception):
            # The process is told to end: it does not wait for an answer.
            return
        if self._ahead:
            self._thread.join()
        # A generator holds what is under way until it is closed.
        if isinstance(self._pages, Generator):
            self._pages.close()

    def take(self, seconds: float | None = None) -> tuple[Page, float] | None:
        """Return the next page, and when it was asked for on :func:`time.monotonic`'s clock.

        :param seconds: how long to wait; without a thread, a page is waited for as long as it takes.
        :return: ``None`` behind the last page.
        :raises queue.Empty: when none has come in time.
        """
        found = self._ready.get(timeout=seconds) if self._ahead else self._next()
        if isinstance(found, BaseException):
            raise found
        return found

    def _next(self) -> tuple[Page, float] | None:
        asked = time.monotonic()
        page = next(self._pages, None)
        return None if page is None else (page, asked if page.asked is None else page.asked)

    def _run(self) -> None:
        found: tuple[Page, float] | BaseException | None
        while not self._stopped.is_set():
            try:
                found = self._next()
            except BaseException as error:  # It is raised where the pages are taken.
                found = error
            self._hand_over(found)
            if not isinstance(found, tuple) or found[0].cursor is None:
                return

    def _hand_over(self, found: tuple[Page, float] | BaseException | None) -> None:
        while not self._stopped.is_set():
            try:
                self._ready.put(found, timeout=_LOOK)
            except queue.Full:
                continue
            return
