"""A bounded memory for what follows from the world at one state of it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

V = TypeVar("V")


class Remembered(Generic[V]):
    """Keeps the last used values by key, each good for one version only: a newer version replaces it."""

    def __init__(self, size: int) -> None:
        """Remember at most ``size`` values."""
        self._size = size
        self._values: OrderedDict[Hashable, tuple[int, V]] = OrderedDict()

    def get(self, key: Hashable, version: int, make: Callable[[], V]) -> V:
        """Return the value of this version, made anew where it is not at hand."""
        known = self._values.get(key)
        if known is not None and known[0] == version:
            self._values.move_to_end(key)
            return known[1]
        value = make()
        self._values[key] = (version, value)
        self._values.move_to_end(key)
        if len(self._values) > self._size:
            self._values.popitem(last=False)
        return value
