"""The parameters of Admitad's lists, read as strictly as the network's documents allow.

Unknown parameters are ignored, as the real network seems to do; a known one that cannot be read is refused
with 400 and error_code 3.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime

from starlette.datastructures import QueryParams

from sandbox_networks.admitad.answers import BadRequestError
from sandbox_networks.admitad.catalogue import DEFAULT_LANGUAGE, LANGUAGES
from sandbox_networks.admitad.options import PAGE_LIMIT
from sandbox_networks.zones import Zone

_DEFAULT_LIMIT = 20


@dataclass(frozen=True)
class Page:
    """Which rows of a list are wanted."""

    limit: int
    offset: int
    was_too_large: bool
    """Whether more than the cap was asked for; what the real network does then is not known."""


@dataclass(frozen=True)
class ActionFilter:
    """Which actions are wanted, besides the days; moments in epoch seconds, closing days as ordinals."""

    changed_from: int | None = None
    changed_to: int | None = None
    closed_from: int | None = None
    closed_to: int | None = None
    campaigns: frozenset[int] = frozenset()
    websites: frozenset[int] = frozenset()
    subids: tuple[tuple[int, str], ...] = ()
    """Position of the subid (0 for ``subid``, 1 for ``subid1`` ...) and its value."""
    action_ids: frozenset[int] = frozenset()
    action_id_start: int | None = None
    action_type: str | None = None
    is_paid: bool | None = None
    is_processed: bool | None = None

    @property
    def by_change(self) -> bool:
        """Whether the time of the last change is asked about."""
        return self.changed_from is not None or self.changed_to is not None

    @property
    def is_empty(self) -> bool:
        """Whether every action is wanted."""
        return all(getattr(self, field.name) in (None, frozenset(), ()) for field in fields(self))


@dataclass(frozen=True)
class ActionQuery:
    """One question for actions: days as ordinals, both inclusive, ``None`` for no bound."""

    first: int | None
    last: int | None
    filter: ActionFilter
    order: str
    """``datetime``, ``-datetime``, or ``""`` for the order of the ids."""


def read_page(query: QueryParams) -> Page:
    """Read limit and offset; a limit over the cap is cut down to it."""
    limit = whole_number(query, "limit")
    offset = whole_number(query, "offset") or 0
    if offset < 0 or (limit is not None and limit < 0):
        raise BadRequestError("limit and offset must not be negative")
    limit = _DEFAULT_LIMIT if limit is None else limit
    return Page(min(limit, PAGE_LIMIT), offset, limit > PAGE_LIMIT)


def read_language(query: QueryParams) -> str:
    """Read the language of names; Russian unless another one is asked for."""
    language = query.get("language", DEFAULT_LANGUAGE)
    return language if language in LANGUAGES else DEFAULT_LANGUAGE


def whole_number(query: QueryParams, name: str) -> int | None:
    """Read an optional whole number."""
    numbers = whole_numbers(query, name)
    return numbers[-1] if numbers else None


def whole_numbers(query: QueryParams, name: str) -> Sequence[int]:
    """Read a repeated whole number."""
    try:
        return [int(text) for text in query.getlist(name) if text != ""]
    except ValueError as error:
        raise BadRequestError(f"{name} must be a whole number") from error


def day_of(query: QueryParams, name: str) -> int | None:
    """Read an optional ``dd.mm.yyyy`` as an ordinal."""
    moment = _moment(query, name, "%d.%m.%Y", "dd.mm.yyyy")
    return None if moment is None else date(moment.year, moment.month, moment.day).toordinal()


def _moment(query: QueryParams, name: str, form: str, shape: str) -> datetime | None:
    text = query.get(name, "")
    if not text:
        return None
    try:
        return datetime.strptime(text, form)
    except ValueError as error:
        raise BadRequestError(f"{name} must look like {shape}") from error


def read_action_query(query: QueryParams, zone: Zone, now: int) -> ActionQuery:
    """Read the parameters of ``/statistics/actions/``.

    :param now: the sandbox clock's time.
    :raises BadRequestError: for a value that cannot be read, or a ``status_updated_end`` that lies in the
        future of both the sandbox clock and the real one, which the network refuses according to one client.
    """
    changed_to = _change_bound(query, "status_updated_end", zone, latest=True)
    if changed_to is not None and changed_to > max(now, time.time()):
        raise BadRequestError("status_updated_end must not lie in the future")
    order = query.getlist("order_by")
    return ActionQuery(
        day_of(query, "date_start"),
        day_of(query, "date_end"),
        ActionFilter(
            changed_from=_change_bound(query, "status_updated_start", zone, latest=False),
            changed_to=changed_to,
            closed_from=day_of(query, "closing_date_start"),
            closed_to=day_of(query, "closing_date_end"),
            campaigns=frozenset(whole_numbers(query, "campaign")),
            websites=frozenset(whole_numbers(query, "website")),
            subids=tuple((i, query[n]) for i, n in enumerate(_SUBIDS) if query.get(n)),
            action_ids=frozenset(whole_numbers(query, "action_id")),
            action_id_start=whole_number(query, "action_id_start"),
            action_type=query.get("action_type") or None,
            is_paid=_flag(query, "paid"),
            is_processed=_flag(query, "processed"),
        ),
        order[0] if order and order[0] in ("datetime", "-datetime") else "",
    )


_SUBIDS = ("subid", "subid1", "subid2", "subid3", "subid4")


def _change_bound(query: QueryParams, name: str, zone: Zone, *, latest: bool) -> int | None:
    moment = _moment(query, name, "%d.%m.%Y %H:%M:%S", "dd.mm.yyyy HH:MM:SS")
    return None if moment is None else zone.instant(moment, latest=latest)


def _flag(query: QueryParams, name: str) -> bool | None:
    number = whole_number(query, name)
    if number not in (None, 0, 1):
        raise BadRequestError(f"{name} must be 0 or 1")
    return None if number is None else bool(number)
