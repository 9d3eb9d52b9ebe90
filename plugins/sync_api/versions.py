"""Versions of what can be changed: nobody's work is overwritten unseen.

What is shown carries an ``ETag``; a change sends it back as ``If-Match``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Header

from data_sync.errors import ScheduleChangedError
from sync_api.problems import Problem

IfMatch = Annotated[
    str | None,
    Header(max_length=100, description="The ETag of what the change is made from.", examples=['"3"']),
]

_MISSING = "Send the header If-Match with the ETag of the schedule that you looked at."


def tag_of(row: Mapping[str, Any]) -> str:
    """Return the ETag of a schedule: its revision, and whether it is paused."""
    return f'"{row["revision"]}{"-paused" if row["is_paused"] else ""}"'


def require_version(row: Mapping[str, Any], if_match: str | None) -> int:
    """Return the revision that a change is made from.

    :raises Problem: 428 when the caller names none.
    :raises ScheduleChangedError: when it is not the one of now.
    """
    # A proxy that packs an answer makes its tag a weak one.
    named = re.fullmatch(r'(?:W/)?("\d{1,18}(?:-paused)?")', (if_match or "").strip())
    if named is None:
        raise Problem(428, "version-missing", _MISSING)
    if named[1] != tag_of(row):
        raise ScheduleChangedError(
            f"The schedule {row['key']} has been changed meanwhile. Look at it again, then make your change "
            "once more."
        )
    return int(row["revision"])
