"""What a unit says about its read, in sentences for people."""

from __future__ import annotations

from collections.abc import Iterable

MOVED = (
    "The list kept changing while it was read, or kept showing a row twice, so rows may be missing, and "
    "rows that vanished are not marked this time. The next sync of these days reads it again."
)
DOUBLES = (
    "Several rows of one report have the same identity. Each is kept and counts: the second one's key ends "
    "with #2, the third one's with #3, in the order in which the network lists them."
)


def unknown_words(words: Iterable[str]) -> list[str]:
    """Name each status word that the network's facts do not list."""
    return [
        f"The network used the status {word!r}, which is not known; its rows are kept as 'unknown'."
        for word in sorted(words)
    ]
