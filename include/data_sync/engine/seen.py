"""Which names of a list have been seen before: what spares most pages a look into the database."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence

#: Places at the beginning, and at most: 32 MB, which hold two and a half million names.
_FEWEST, _MOST = 1 << 16, 1 << 22
#: The share of the places that may be taken: beyond it, finding a free one takes long.
_FULL = 0.6


def own_hashes(names: Sequence[str]) -> Sequence[int]:
    """Hash names for as long as this process lives."""
    return [*map(hash, names)]


class SeenNames:
    """Remembers 64-bit hashes of names in a bounded amount of memory.

    It may take a name for seen that was not, never the reverse. With more names than it has room for, it
    takes every name for seen.

    :param hashes_of: hashes names.
    :param known: hashes of what was seen before this process began to read.
    """

    def __init__(
        self, hashes_of: Callable[[Sequence[str]], Sequence[int]] = own_hashes, known: Iterable[int] = ()
    ) -> None:
        self._hashes_of = hashes_of
        # An open hash table; a place that is free holds 0.
        self._places = _empty(_FEWEST)
        self._taken = 0
        self._overflows = False
        self._put(known)

    def suspects(self, names: Sequence[str]) -> list[str]:
        """Return the names that may have been added before."""
        if self._overflows:
            return [*names]
        places, mask = self._places, len(self._places) - 1
        # No name has the hash 0, which stands for an empty place.
        hashed = zip(names, (value or 1 for value in self._hashes_of(names)), strict=True)
        return [name for name, value in hashed if places[value & mask] and self._holds(value)]

    def add(self, names: Sequence[str]) -> None:
        """Remember names."""
        if not self._overflows:
            self._put(self._hashes_of(names))

    def _holds(self, value: int) -> bool:
        places, mask = self._places, len(self._places) - 1
        at = value & mask
        while (held := places[at]) and held != value:
            at = (at + 1) & mask
        return held == value

    def _put(self, values: Iterable[int]) -> None:
        places, mask = self._places, len(self._places) - 1
        room = int(len(places) * _FULL) - self._taken
        left = iter(values)
        for value in left:
            value = value or 1
            at = value & mask
            while (held := places[at]) and held != value:
                at = (at + 1) & mask
            if held:
                continue
            places[at] = value
            self._taken += 1
            room -= 1
            if not room:
                self._grow()
                if not self._overflows:
                    self._put(left)
                return

    def _grow(self) -> None:
        held = self._places
        self._overflows = len(held) >= _MOST
        self._places = _empty(_FEWEST if self._overflows else 2 * len(held))
        self._taken = 0
        if not self._overflows:
            self._put(filter(None, held))


def _empty(places: int) -> array[int]:
    return array("q", bytes(8 * places))
