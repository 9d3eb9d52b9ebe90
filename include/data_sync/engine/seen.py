"""Which names of a list have certainly not been seen yet: what spares most pages a look into the database."""

from __future__ import annotations

from collections.abc import Iterable

#: Bits of the filter: 16 MB. With a million names, one in a million is taken for seen without reason.
_BITS = 27
_MASK = (1 << _BITS) - 1


class SeenNames:
    """Remembers names in a fixed amount of memory; it may take one for seen that was not, never the reverse.

    It lives as long as its process: a read that is taken up by another one knows nothing of the pages
    before (``knows_all``).
    """

    def __init__(self, *, knows_all: bool) -> None:
        self.knows_all = knows_all
        self._bits = bytearray(1 << (_BITS - 3) if knows_all else 0)

    def suspects(self, names: Iterable[str]) -> list[str]:
        """Return the names that may have been added before."""
        if not self.knows_all:
            return list(names)
        return [name for name in names if self._may_hold(hash(name))]

    def add(self, names: Iterable[str]) -> None:
        """Remember names."""
        if not self.knows_all:
            return
        bits = self._bits
        for name in names:
            mixed = hash(name)
            place, step = mixed & _MASK, (mixed >> _BITS) & _MASK | 1
            for _ in range(4):
                bits[place >> 3] |= 1 << (place & 7)
                place = (place + step) & _MASK

    def _may_hold(self, mixed: int) -> bool:
        bits = self._bits
        place, step = mixed & _MASK, (mixed >> _BITS) & _MASK | 1
        for _ in range(4):
            if not bits[place >> 3] >> (place & 7) & 1:
                return False
            place = (place + step) & _MASK
        return True
