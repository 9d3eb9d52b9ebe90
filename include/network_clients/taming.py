"""Bodies that almost are JSON: what a strict reader would refuse in one row must not cost a whole page.

Some servers print ``NaN`` and ``Infinity``, which JSON does not have, and a value that is nested thousands of
levels deep exhausts any reader. Both become text: a row whose amount says ``"NaN"`` is set aside with that
reason, and one whose unread field was too deep is kept with the field's own characters as its value.
"""

from __future__ import annotations

import re

import msgspec

#: Levels of arrays and objects that are still read as such; a page of rows has fewer than ten.
DEEPEST = 100

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|-?\b(?:NaN|Infinity)\b|[\[\]{}]', re.DOTALL)


def tame(body: bytes) -> bytes:
    """Turn what is no JSON, or too deep, into text; everything else stays byte for byte.

    :param body: UTF-8. One that is broken in another way comes back broken.
    """
    parts: list[bytes] = []
    kept = depth = deep_from = 0
    for found in _TOKEN.finditer(body):
        token = found.group()
        if token in b"[{":
            depth += 1
            if depth == DEEPEST + 1:
                deep_from = found.start()
                parts.append(body[kept:deep_from])
        elif token in b"]}":
            if depth == DEEPEST + 1:
                kept = found.end()
                parts.append(_text(body[deep_from:kept]))
            depth -= 1
        elif not token.startswith(b'"') and depth <= DEEPEST:
            parts += [body[kept : found.start()], _text(token)]
            kept = found.end()
    return b"".join([*parts, body[kept:]])


def _text(value: bytes) -> bytes:
    return msgspec.json.encode(value.decode())
