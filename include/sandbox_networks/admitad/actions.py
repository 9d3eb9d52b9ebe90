"""All actions of one application: found by day and filter, and printed page by page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from sandbox_networks.admitad.catalogue import Campaign, Catalogue
from sandbox_networks.admitad.days import ActionDay
from sandbox_networks.admitad.life import DRAW, MAX_LIFE_DAYS, Draw, Life
from sandbox_networks.admitad.options import AdmitadOptions, App
from sandbox_networks.admitad.queries import ActionFilter, ActionQuery
from sandbox_networks.admitad.rows import RowPrinter
from sandbox_networks.admitad.spoiling import fault_of, spoil
from sandbox_networks.admitad.standings import Standing, currency_of, standing, subids_of
from sandbox_networks.faults import FaultKind
from sandbox_networks.remembered import Remembered
from sandbox_networks.world import World
from sandbox_networks.zones import Zone

_EPOCH = date(2010, 1, 1).toordinal()
_REMEMBERED_ACTIONS = 1_500_000
_REMEMBERED_MATCHES = 4_000_000
_REMEMBERED_PAGES = 200

BadRows = tuple[tuple[FaultKind, int], ...]


class Action(NamedTuple):
    """One action with all that is known about it at one moment."""

    number: int
    place: int
    campaign: Campaign
    draw: Draw
    life: Life
    stands: Standing
    website: int

    @property
    def currency(self) -> str:
        """The ISO code of its amounts."""
        return currency_of(self.campaign, self.draw)


class ActionBook:
    """The actions of one application.

    Days, matches and pages are remembered within fixed bounds (about 300 MB when full): a world that is
    larger costs time, not memory.

    :param position: which application this is; ids of actions differ between applications.
    """

    def __init__(
        self, world: World, options: AdmitadOptions, catalogue: Catalogue, zone: Zone, position: int
    ) -> None:
        """Start with nothing remembered."""
        self._world = world
        self._campaigns = catalogue.campaigns
        self._zone = zone
        self._app: App = options.apps[position]
        self._paid_counts = options.paid_moves_status_updated
        self._position = position
        self._printer = RowPrinter(catalogue.campaigns, zone)
        self._day = lru_cache(maxsize=max(4, _REMEMBERED_ACTIONS // world.rows_per_day))(self._read_day)
        self._pages: Remembered[tuple[bytes, int]] = Remembered(_REMEMBERED_PAGES)
        self._matches: Remembered[Sequence[int]] = Remembered(
            max(64, _REMEMBERED_MATCHES // world.rows_per_day)
        )

    def page(self, query: ActionQuery, limit: int, offset: int, bad: BadRows) -> tuple[bytes, int]:
        """Print one page of the actions asked for, as JSON joined by commas, and count all of them.

        :param bad: the faults of rows in force.
        """
        now = self._world.clock.now()
        days = list(self._days(query, now))
        # Every day's version only ever grows with the clock, so their sum stands for all of them.
        version = sum(day.version(now) for day in days)
        key = (query, len(days), limit, offset, bad)
        return self._pages.get(key, version, lambda: self._write(days, query, limit, offset, bad))

    def _write(
        self, days: Sequence[ActionDay], query: ActionQuery, limit: int, offset: int, bad: BadRows
    ) -> tuple[bytes, int]:
        now = self._world.clock.now()
        rows: list[bytes] = []
        count = 0
        for day in days:
            matches = self._matching(day, query, now)
            start, count = max(offset - count, 0), count + len(matches)
            for index in matches[start : start + limit - len(rows)]:
                action = self._action(day, index, now)
                row = self._printer.write(action.number, *action[2:])
                fault = fault_of(index, bad)
                rows.append(spoil(row, fault) if fault else row)
        return b",".join(rows), count

    def visible(self, first: int, last: int) -> Iterator[Action]:
        """List the actions of some days that are reported now.

        :param first: first day as an ordinal, inclusive.
        :param last: last day as an ordinal, inclusive.
        """
        now = self._world.clock.now()
        query = ActionQuery(first, last, ActionFilter(), "datetime")
        for day in self._days(query, now):
            for index in self._matching(day, query, now):
                yield self._action(day, index, now)

    def _read_day(self, ordinal: int) -> ActionDay:
        size = self._world.rows_per_day * DRAW.size
        drawn = self._world.draw(size, "admitad", "actions", self._app.client_id, ordinal)
        return ActionDay(ordinal, self._zone.midnight(ordinal), self._zone.day_length(ordinal), drawn)

    def _days(self, query: ActionQuery, now: int) -> Iterator[ActionDay]:
        first, last = self._world.first_day, self._zone.day(now)
        wanted = query.filter
        if wanted.changed_from is not None:
            first = max(first, self._zone.day(wanted.changed_from) - MAX_LIFE_DAYS - 1)
        if wanted.changed_to is not None:
            last = min(last, self._zone.day(wanted.changed_to))
        first = first if query.first is None else max(first, query.first)
        last = last if query.last is None else min(last, query.last)
        ordinals = range(first, last + 1)
        for ordinal in reversed(ordinals) if query.order == "-datetime" else ordinals:
            yield self._day(ordinal)

    def _matching(self, day: ActionDay, query: ActionQuery, now: int) -> Sequence[int]:
        key = (day.ordinal, query.filter, query.order)
        return self._matches.get(key, day.version(now), lambda: self._find(day, query, now))

    def _find(self, day: ActionDay, query: ActionQuery, now: int) -> Sequence[int]:
        wanted = query.filter
        if wanted.by_change:
            found = day.visible_moved(wanted.changed_from or 0, wanted.changed_to or now, now)
        else:
            found = day.visible(now)
        if not wanted.is_empty:
            found = [index for index in found if _meets(self._action(day, index, now), wanted, self._zone)]
        if query.order == "-datetime":
            return found[::-1]
        return found if query.order else sorted(found)

    def _action(self, day: ActionDay, index: int, now: int) -> Action:
        draw, life = day.draw(index), day.life(index)
        campaign = self._campaigns[draw.campaign % len(self._campaigns)]
        return Action(
            (self._position << 14 | day.ordinal - _EPOCH) << 20 | index,
            index,
            campaign,
            draw,
            life,
            standing(campaign, draw, life, now, paid_counts=self._paid_counts),
            self._app.websites[draw.website % len(self._app.websites)],
        )


def _meets(action: Action, wanted: ActionFilter, zone: Zone) -> bool:
    stands = action.stands
    return (
        _within(stands.changed, wanted.changed_from, wanted.changed_to)
        and _closes_within(stands, wanted, zone)
        and _among(action.campaign.id, wanted.campaigns)
        and _among(action.website, wanted.websites)
        and _among(action.number, wanted.action_ids)
        and _within(action.number, wanted.action_id_start, None)
        and wanted.action_type in (None, action.campaign.action_type)
        and wanted.is_paid in (None, stands.is_paid)
        and wanted.is_processed in (None, stands.is_processed)
        and all((*subids_of(action.draw), None, None)[place] == value for place, value in wanted.subids)
    )


def _closes_within(stands: Standing, wanted: ActionFilter, zone: Zone) -> bool:
    if wanted.closed_from is None and wanted.closed_to is None:
        return True
    return stands.closed is not None and _within(
        zone.day(stands.closed), wanted.closed_from, wanted.closed_to
    )


def _within(value: int, low: int | None, high: int | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


def _among(value: int, wanted: frozenset[int]) -> bool:
    return not wanted or value in wanted
