"""The actions of one day of one application: which are visible, which changed when, in order of time."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from sandbox_networks.admitad.life import DRAW, LIFE, NEVER, Draw, Life, live

_BITS = 20
_INDEX = (1 << _BITS) - 1


class ActionDay:
    """All actions that ever happen on one local calendar day, by their index.

    Keeps about 120 bytes per action.

    :param midnight: when the day starts, in epoch seconds.
    :param length: how many seconds it has.
    :param drawn: :data:`sandbox_networks.admitad.life.DRAW` bytes for each action.
    """

    def __init__(self, ordinal: int, midnight: int, length: int, drawn: bytes) -> None:
        """Work out every action's moments and put them in order."""
        self.ordinal = ordinal
        self._drawn = drawn
        lives = [live(Draw._make(numbers), midnight, length) for numbers in DRAW.iter_unpack(drawn)]
        self._lives = array("I", chain.from_iterable(lives))
        self._arrivals, self._vanishings = self._lives[1::7], self._lives[6::7]
        self._events = array("Q", sorted(_pack(lives)))
        self._order = array("I", sorted(range(len(lives)), key=self._lives[0::7].__getitem__))

    def draw(self, index: int) -> Draw:
        """Give the random numbers of one action."""
        return Draw._make(DRAW.unpack_from(self._drawn, index * DRAW.size))

    def life(self, index: int) -> Life:
        """Give the moments of one action."""
        return Life._make(LIFE.unpack_from(self._lives, index * LIFE.size))

    def version(self, now: int) -> int:
        """Count what has happened by a moment: while this number stands still, so does the day."""
        return bisect_left(self._events, now + 1 << _BITS)

    def visible(self, now: int) -> Sequence[int]:
        """List the indexes of the actions that are reported at a moment, in order of time."""
        return self._only_visible(self._order, now)

    def visible_moved(self, start: int, end: int, now: int) -> Sequence[int]:
        """Like :meth:`visible`, for actions that something happened to from start to end, inclusive."""
        first = bisect_left(self._events, start << _BITS)
        last = bisect_left(self._events, min(end, now) + 1 << _BITS)
        moved = {event & _INDEX for event in self._events[first:last]}
        lives = self._lives
        return self._only_visible(sorted(moved, key=lambda index: (lives[index * 7], index)), now)

    def _only_visible(self, indexes: Iterable[int], now: int) -> array[int]:
        arrivals, vanishings = self._arrivals, self._vanishings
        return array("I", [index for index in indexes if arrivals[index] <= now < vanishings[index]])


def _pack(lives: Sequence[Life]) -> Iterator[int]:
    """Number every moment at which something happens to an action, so that numbers sort by time."""
    for column in range(1, 7):
        for index, life in enumerate(lives):
            if life[column] != NEVER:
                yield life[column] << _BITS | index
