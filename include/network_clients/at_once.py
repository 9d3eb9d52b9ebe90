"""Several pages of one list on their way at the same time, handed out in order."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")
Params = tuple[tuple[str, str], ...]


class PagesAtOnce(Generic[T]):
    """Asks for pages before they are wanted.

    A page that was asked for and is not wanted after all, because the one before it was shorter than
    expected, cost a request and nothing else.

    :param ask: sends the request for one page; it is called in several threads at once.
    :param most: how many; with 1, each page is asked for when it is wanted.
    """

    def __init__(self, ask: Callable[[Params], T], most: int) -> None:
        self._ask = ask
        self._threads = ThreadPoolExecutor(most, thread_name_prefix="page") if most > 1 else None
        self._under_way: OrderedDict[Params, Future[tuple[float, T]]] = OrderedDict()

    def __enter__(self) -> PagesAtOnce[T]:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Drop what is no longer wanted, and wait for what is under way."""
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)

    def get(self, page: Params) -> tuple[float, T]:
        """Return a page, and a moment before it was asked for on :func:`time.monotonic`'s clock."""
        if (coming := self._under_way.pop(page, None)) is not None:
            return coming.result()
        self._drop()
        return self._timed(page)

    def expect(self, pages: Sequence[Params]) -> None:
        """Ask for the pages that will be wanted next, those left out that are under way already."""
        if self._threads is None:
            return
        if not self._under_way.keys() <= {*pages}:
            self._drop()
        for page in pages:
            if page not in self._under_way:
                self._under_way[page] = self._threads.submit(self._timed, page)

    def _drop(self) -> None:
        for coming in self._under_way.values():
            coming.cancel()
        self._under_way.clear()

    def _timed(self, page: Params) -> tuple[float, T]:
        asked = time.monotonic()
        return asked, self._ask(page)
