"""What people ask the lists for: at random, the same for the API and for what it asks the database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from benchmarks.log_stock import RARE_WORD
from data_sync import budgets
from data_sync.database import Cursor, one
from data_sync.looking import accounts, by_hand, log, logs, schedules
from data_sync.looking.coverage import coverage
from data_sync.looking.days import midnight
from data_sync.looking.log_filters import LogFilter
from data_sync.looking.stats import By, stats
from data_sync.looking.viewer import Viewer
from data_sync.runs.retrying import why_not_retried

#: The question that goes on where the one for logs has ended.
FURTHER = "logs, further pages"

#: The parameters of one request.
Query = Mapping[str, str]


@dataclass(frozen=True)
class Known:
    """What is known of a stock.

    :param last_log: the number of the newest; they are numbered from 1.
    :param switches: of every schedule, by its key.
    :param middle: a place deep in the list of logs.
    """

    today: date
    last_log: int
    switches: Mapping[str, schedules.Switch]
    middle: logs.Mark


@dataclass(frozen=True)
class Question:
    """A route and how often it is asked for beside the others.

    :param path: below ``/sync``; ``{log}`` stands for the number of a log.
    :param draw: makes the parameters of a request.
    :param ask: what the route asks our database.
    """

    name: str
    path: str
    share: int
    draw: Callable[[Random, Known], Query]
    ask: Callable[[Cursor, Viewer, Query, Known], object]


def known(cursor: Cursor) -> Known:
    """Look at a stock."""
    keys = [row["key"] for row in cursor.execute("SELECT key FROM data_sync.sync_schedules").fetchall()]
    cursor.execute(
        "SELECT max(id) AS last_log, min(created_at) + (max(created_at) - min(created_at)) * 0.6 AS middle, "
        "max(created_at) AS last FROM data_sync.sync_logs"
    )
    row = one(cursor.fetchone())
    switches = {key: schedules.Switch(is_paused=False, next_run=None) for key in keys}
    return Known(row["last"].date(), row["last_log"], switches, logs.Mark(row["middle"], 1))


_WORDS = (RARE_WORD, "refused", "shop 77", "admitad", "nothing of it", "gate u07", "tim", "every hour")
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "network": ("admitad", "boostiny"),
    "account": ("admitad_default", "admitad_shop7", "boostiny_shop40"),
    "status": ("failed", "completed", "superseded", "processing", "skipped"),
    "schedule": ("s00000", "s00077", "s00199", "manual"),
    "sync_type": ("all", "purchases"),
    "trigger": ("scheduled", "quick_sync", "run_now", "backfill"),
    "text": _WORDS,
    "days": ("1", "7", "30", "90", "300"),
}


def filters(draw: Random, today: date) -> Query:
    """Return up to four filters of the list of logs, of whatever kind."""
    names = draw.sample(sorted(_CHOICES), draw.choice((0, 1, 1, 2, 2, 3, 4)))
    chosen = {name: draw.choice(_CHOICES[name]) for name in names}
    days = chosen.pop("days", None)
    if days is not None:
        # Half of them end long ago.
        last = today - timedelta(days=draw.choice((0, draw.randrange(300))))
        chosen |= {"from": f"{last - timedelta(days=int(days))}", "to": f"{last}"}
    return chosen


def filter_of(query: Query) -> LogFilter:
    """Return what the API makes of these parameters."""
    same = ("network", "account", "status", "sync_type", "trigger", "text")
    chosen: dict[str, Any] = {name: query[name] for name in same if name in query}
    if (schedule := query.get("schedule")) is not None:
        chosen |= {"without_schedule": True} if schedule == "manual" else {"schedule": schedule}
    utc = ZoneInfo("UTC")
    if "from" in query:
        chosen["since"] = midnight(date.fromisoformat(query["from"]), utc)
        chosen["before"] = midnight(date.fromisoformat(query["to"]), utc, later=1)
    return LogFilter(**chosen)


def _nothing(draw: Random, known: Known) -> Query:
    return {}


def _filters(draw: Random, known: Known) -> Query:
    return filters(draw, known.today)


def _schedules(draw: Random, known: Known) -> Query:
    chosen = draw.choice(({}, {"search": "shop 7"}, {"network": "boostiny"}, {"state": "active"}))
    sort = draw.choice([sort.value for sort in schedules.ScheduleSort])
    return {**chosen, "sort": sort, "limit": "50", "offset": draw.choice(("0", "50", "150"))}


def _one(draw: Random, known: Known) -> Query:
    return {"log": str(draw.randint(1, known.last_log))}


def _figures(by: By) -> Callable[[Random, Known], Query]:
    def draw_days(draw: Random, known: Known) -> Query:
        first = known.today - timedelta(days=draw.choice((6, 6, 30)))
        return {"by": by.value, "from": f"{first}", "to": f"{known.today}"}

    return draw_days


def _days(draw: Random, known: Known) -> Query:
    last = known.today - timedelta(days=draw.choice((0, 0, 0, draw.randrange(270))))
    return {"from": f"{last - timedelta(days=draw.choice((6, 30, 91)))}", "to": f"{last}"}


def _ask_schedules(cursor: Cursor, viewer: Viewer, query: Query, known: Known) -> object:
    wanted = schedules.Wanted(
        sort=schedules.ScheduleSort(query["sort"]), text=query.get("search"), network=query.get("network"),
        state=schedules.ScheduleState(query["state"]) if "state" in query else None,
        limit=int(query["limit"]), offset=int(query["offset"]),
    )  # fmt: skip
    page = schedules.list_page(cursor, viewer, wanted, known.switches)
    return page, schedules.cards(cursor, viewer, known.switches)


def _ask_logs(cursor: Cursor, viewer: Viewer, query: Query, known: Known) -> object:
    return logs.list_page(cursor, viewer, filter_of(query), after=None, limit=50)


def _ask_more_logs(cursor: Cursor, viewer: Viewer, query: Query, known: Known) -> object:
    return logs.list_page(cursor, viewer, filter_of(query), after=known.middle, limit=50)


def _ask_log(cursor: Cursor, viewer: Viewer, query: Query, known: Known) -> object:
    row = log.find(cursor, viewer, int(query["log"]))
    if row is None:
        return None
    parts = (log.steps(cursor, row["id"]), log.rejected(cursor, row["id"]), log.around(cursor, viewer, row))
    return parts, why_not_retried(cursor, row["id"], user=viewer.name, is_trusted=lambda _: viewer.is_admin)


def _ask_stats(cursor: Cursor, viewer: Viewer, query: Query, known: Known) -> object:
    first, last = (date.fromisoformat(query[end]) for end in ("from", "to"))
    return stats(cursor, viewer, LogFilter(), By(query["by"]), first=first, last=last, zone="UTC")


def _ask_networks(cursor: Cursor, viewer: Viewer, query: Query, known: Known) -> object:
    return accounts.visible_accounts(cursor, viewer), budgets.list_budgets(cursor)


def _ask_recent(cursor: Cursor, viewer: Viewer, query: Query, known: Known) -> object:
    return by_hand.recent(cursor, viewer)


def _ask_coverage(cursor: Cursor, viewer: Viewer, query: Query, known: Known) -> object:
    first, last = (date.fromisoformat(query[end]) for end in ("from", "to"))
    return coverage(cursor, viewer, first, last)


#: Every list, and one log.
QUESTIONS = (
    Question("schedules", "/schedules", 20, _schedules, _ask_schedules),
    Question("logs", "/logs", 30, _filters, _ask_logs),
    Question(FURTHER, "/logs", 10, _filters, _ask_more_logs),
    Question("one log", "/logs/{log}", 15, _one, _ask_log),
    Question("stats by day", "/stats", 5, _figures(By.DAY), _ask_stats),
    Question("stats by network", "/stats", 3, _figures(By.NETWORK), _ask_stats),
    Question("stats by schedule", "/stats", 2, _figures(By.SCHEDULE), _ask_stats),
    Question("networks", "/networks", 5, _nothing, _ask_networks),
    Question("coverage", "/coverage", 3, _days, _ask_coverage),
    Question("started by hand", "/manual/recent", 5, _nothing, _ask_recent),
)
