"""What a network declares about itself, as data, each fact with how sure it is.

A client's ``facts`` drive everything that is common to all networks: connection form, pool, limiter,
planning of windows, order of versions, screens and docs. Where a fact is not certain it is either a
setting of the account (:class:`Field`), or detected, or said in the client's ``NOTES.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from network_clients.records import Kind, Status


class Grade(StrEnum):
    """How sure a fact is; the words of the fact sheets."""

    DOCUMENTED = "documented"
    """Stated in the network's own documentation."""
    SEEN = "seen"
    """Read in the code of working public clients."""
    INFERRED = "inferred"
    """Our conclusion; must stay a setting, be detected, or be said in the notes."""


class Order(StrEnum):
    """How a paged list is ordered, which decides how a broken-off read may go on."""

    APPEND_STABLE = "append_stable"
    """New rows only ever appear after the cursor (id order, cursor paging): resume anywhere."""
    SHIFTING = "shifting"
    """Rows may appear or vanish before the cursor: resume only after an overlap check."""
    SINGLE_PAGE = "single_page"
    """The whole list comes in one answer."""


class Filter(StrEnum):
    """Which date of a purchase a window selects."""

    OCCURRED = "occurred"
    """When the order happened."""
    CHANGED = "changed"
    """When the network last changed the row: the changed-since filter."""


@dataclass(frozen=True)
class Field:
    """One input of the connection form of a network's accounts.

    :param name: ``login``, ``password``, ``host`` for Airflow's own columns, else a key of the
        connection's extra. A secret extra must have a name that Airflow's masker treats as sensitive.
    :param choices: the values that it can have; any, where none are given.
    :param selects_rows: whether another value may find other rows. Where it does, rows that were read with
        the value before are not taken for vanished; a pace, for instance, decides nothing of the kind.
    """

    name: str
    label: str
    help: str = ""
    secret: bool = False
    required: bool = True
    default: str | None = None
    choices: tuple[str, ...] = ()
    selects_rows: bool = True


@dataclass(frozen=True)
class Limit:
    """How many calls a network allows, and what it counts them by.

    :param name: unique within the network, such as ``api``.
    :param counts_by: names of the credential fields whose values identify the counter on the
        network's side (the application, the user, the tenant): two accounts with equal values share it.
    :param margin: share of the allowance that is left unused, 0..1, because clocks differ.
    :param max_in_flight: how many calls may run at once under this limit; ``None`` for no bound.
    """

    name: str
    calls: int
    per_seconds: float
    counts_by: tuple[str, ...]
    grade: Grade
    source: str
    last_verified: str
    margin: float = 0.05
    max_in_flight: int | None = None

    @property
    def interval(self) -> float:
        """Seconds between two calls at an even pace, the margin included."""
        return self.per_seconds / (self.calls * (1 - self.margin))

    @property
    def allowed(self) -> int:
        """Calls per period that are used at most, the margin left out."""
        return max(1, int(self.calls * (1 - self.margin)))


@dataclass(frozen=True)
class KindFacts:
    """How one kind is read.

    :param filters: date filters that the kind takes; empty for a catalogue snapshot.
    :param max_days: the longest window of one request, in days; ``None`` where none is stated.
    :param page_size: rows asked for per page; ``None`` where the server decides.
    :param has_change_time: whether rows carry the network's own time of change.
    """

    order: Order
    filters: tuple[Filter, ...] = ()
    max_days: int | None = None
    page_size: int | None = None
    has_change_time: bool = False
    limit: str = "api"
    grade: Grade = Grade.DOCUMENTED


@dataclass(frozen=True)
class NetworkFacts:
    """Everything that a network declares about itself.

    :param slug: ``[a-z0-9]+``, the network's name in schedules, pools and tables.
    :param zone: IANA zone of the network's naive times and calendar days, unless the account's
        ``timezone`` field says otherwise.
    :param status_words: the network's words for a purchase's state, lower case, to ours.
    :param reports_status: ``False`` where rows have no status at all.
    :param reports_paid: whether rows tell when they were paid out; where they do not, an approved row is
        settled.
    :param edge_overlap_days: days read beyond both ends of a range, where the zone or the
        inclusiveness of the filter is not certain.
    :param horizon_days: how old a row may be and still be asked for again by a maturity sweep.
    :param settles_after_days: how old a row without any status must be to count as settled.
    :param reread_field: the account's field that says how many whole months before the current one are
        read again each day, where no filter tells which rows have changed (see
        :attr:`network_clients.interface.NetworkClient.reread_months`).
    :param notes: what is uncertain, in sentences for people.
    """

    slug: str
    title: str
    base_url: str
    fields: tuple[Field, ...]
    limits: tuple[Limit, ...]
    kinds: Mapping[Kind, KindFacts]
    zone: str
    zone_grade: Grade
    status_words: Mapping[str, Status] = field(default_factory=dict)
    reports_status: bool = True
    reports_paid: bool = False
    edge_overlap_days: int = 0
    horizon_days: int = 180
    max_parallel: int = 4
    settles_after_days: int = 90
    reread_field: str | None = None
    docs_url: str = ""
    notes: tuple[str, ...] = ()

    @property
    def connection_type(self) -> str:
        """The Airflow connection type of this network's accounts."""
        return f"affiliate_{self.slug}"

    @property
    def pool(self) -> str:
        """The Airflow pool that bounds how many tasks read this network at once."""
        return f"network_{self.slug}"

    def limit(self, name: str) -> Limit:
        """Find a declared limit by its name.

        :raises KeyError: for a name that the network does not declare.
        """
        return next(limit for limit in self.limits if limit.name == name)
