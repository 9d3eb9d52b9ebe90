"""The days that a query asks about, where it may leave out either end."""

from __future__ import annotations

from datetime import date, timedelta

from sync_api.problems import Problem
from sync_api.shapes.problem import FieldError


def chosen_days(
    first: date | None, last: date | None, *, today: date, usual: int, most: int
) -> tuple[date, date]:
    """Return the first and the last day.

    :param usual: how many days there are where no first one is given.
    :param most: how many there may be.
    :raises Problem: for days in the wrong order, and for too many.
    """
    end = last or today
    start = first or end - timedelta(days=usual - 1)
    if end < start:
        raise _wrong("it lies after the last day", "swap the two")
    if (end - start).days >= most:
        raise _wrong(f"these are more than {most} days", "ask for fewer at a time")
    return start, end


def _wrong(message: str, fix: str) -> Problem:
    errors = [FieldError(field="from", message=message, fix=fix)]
    return Problem(422, "invalid", f"from: {message}; {fix}.", errors=errors)
