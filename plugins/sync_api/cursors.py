"""Cursors: a place in a list, as a word that callers send back and need not understand."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime

from data_sync.looking.logs import Mark
from sync_api.problems import Problem
from sync_api.shapes.problem import FieldError

_MOST = 2**63 - 1


def cursor_of(mark: Mark | None) -> str | None:
    """Return the word for a place; nothing for the end."""
    if mark is None:
        return None
    text = f"{mark.at.astimezone(UTC).isoformat()}|{mark.id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def mark_of(cursor: str | None) -> Mark | None:
    """Return the place that a word stands for.

    :raises Problem: when it is not one of ours.
    """
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        moment, _, number = base64.b64decode(padded, altchars=b"-_", validate=True).decode().partition("|")
        at, found = datetime.fromisoformat(moment), int(number)
        if at.tzinfo is None or not 0 < found <= _MOST:
            raise ValueError(cursor)
    except (ValueError, binascii.Error):
        message = "it is not one that this list has given"
        raise Problem(
            422, "invalid", f"cursor: {message}.",
            errors=[FieldError(field="cursor", message=message, fix="begin again without it")],
        ) from None  # fmt: skip
    return Mark(at, found)
