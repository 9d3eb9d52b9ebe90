"""What past days add up to is kept, and is always what their logs say."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from data_sync.database import Database
from data_sync.looking.log_filters import LogFilter
from data_sync.looking.stats import By, stats
from data_sync.looking.viewer import Viewer
from data_sync.schedules.model import Schedule
from tests.data_sync.kit import rows
from tests.plugins.log_stock import make_log
from tests.plugins.routes import DEFINITION

ADA = Viewer("ada", is_admin=True)
MINE = Schedule.from_dict(DEFINITION)
TODAY = datetime.now(UTC).date()
FIRST = TODAY - timedelta(days=6)
#: Well over in every zone, and in the middle of the days that are asked for.
NOON = datetime.now(UTC).replace(hour=12) - timedelta(days=3)

ZONES = ("UTC", "America/New_York", "Asia/Kathmandu", "Pacific/Auckland")

COUNTED = """
SELECT (created_at AT TIME ZONE %(zone)s)::date AS day,
    CASE WHEN %(by)s = 'network' THEN network END AS network,
    count(*) AS runs, count(*) FILTER (WHERE status = 'failed') AS failed, sum(requests) AS requests,
    COALESCE(sum((counts -> 'purchases' ->> 'read')::int), 0) AS rows_read,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY EXTRACT(EPOCH FROM finished_at - started_at)::float8)
        AS median_seconds
FROM data_sync.sync_logs
WHERE created_at >= %(first)s::timestamp AT TIME ZONE %(zone)s
  AND created_at < (%(last)s + 1)::timestamp AT TIME ZONE %(zone)s
  AND (%(who)s::text IS NULL OR requested_by = %(who)s)
GROUP BY 1, 2 ORDER BY 1, 2
"""


@pytest.fixture
def db(database: str) -> Iterator[Database]:
    opened = Database()
    yield opened
    opened.close()


@pytest.fixture
def other(database: str) -> Iterator[Database]:
    opened = Database()
    yield opened
    opened.close()


def told(db: Database, by: By = By.DAY, zone: str = "UTC", viewer: Viewer = ADA) -> list[dict[str, Any]]:
    with db.transaction() as cursor:
        return stats(cursor, viewer, LogFilter(), by, first=FIRST, last=TODAY, zone=zone)


def counted(db: Database, by: By, zone: str, viewer: Viewer) -> list[dict[str, Any]]:
    values = {"zone": zone, "by": by.value, "first": FIRST, "last": TODAY}
    who = None if viewer.is_admin else viewer.name
    with db.transaction() as cursor:
        return cursor.execute(COUNTED, {**values, "who": who}).fetchall()


def kept(db: Database) -> int:
    (row,) = rows(db, "SELECT count(*) AS days FROM data_sync.kept_figures")
    return int(row["days"])


def make(db: Database, **words: Any) -> int:
    with db.transaction() as cursor:
        return make_log(cursor, MINE, **words)


def change(db: Database, statement: str, *values: Any) -> None:
    with db.transaction() as cursor:
        cursor.execute(statement, values)


def runs(entries: list[dict[str, Any]]) -> int:
    return sum(entry["runs"] for entry in entries)


def some_moment(draw: random.Random) -> datetime:
    return datetime.now(UTC) - timedelta(hours=8 * 24 * draw.random())


def something_happens(db: Database, draw: random.Random) -> None:
    """A log is made, settled anew, moved or deleted with its run, as settling and an operator's SQL do."""
    one = "(SELECT id FROM data_sync.sync_logs ORDER BY random() LIMIT 1)"
    kind = draw.choice(["make", "make", "settle", "move", "delete", "delete run", "delete old", "clear"])
    if kind == "make":
        words = {"at": some_moment(draw), "status": draw.choice(["failed", "completed", "processing"])}
        make(db, **words, who=draw.choice(["anna", None]), account=draw.choice(["admitad_a", "boostiny_b"]))
    elif kind == "settle":
        change(
            db, f"UPDATE data_sync.sync_logs SET status = 'completed', requests = requests + 3, counts = %s, "
            f"finished_at = started_at + interval '1 second' * %s WHERE id = {one}",
            '{"purchases": {"read": 7}}', draw.randrange(500),
        )  # fmt: skip
    elif kind == "move":
        change(db, f"UPDATE data_sync.sync_logs SET created_at = %s WHERE id = {one}", some_moment(draw))
    elif kind == "delete":
        change(db, f"DELETE FROM data_sync.sync_logs WHERE id = {one}")
    elif kind == "delete run":
        change(db, "DELETE FROM data_sync.sync_runs WHERE id = "
                   "(SELECT id FROM data_sync.sync_runs ORDER BY random() LIMIT 1)")  # fmt: skip
    elif kind == "delete old":
        change(db, "DELETE FROM data_sync.sync_runs WHERE opened_at < now() - interval '6 days'")
    elif draw.random() < 0.2:
        change(db, "TRUNCATE data_sync.sync_logs CASCADE")


@pytest.mark.parametrize("seed", range(6))
def test_what_is_told_is_what_a_count_says_whatever_happens_to_logs(db: Database, seed: int) -> None:
    draw = random.Random(seed)
    most_kept = 0
    for _ in range(40):
        something_happens(db, draw)
        viewer = draw.choice([ADA, Viewer("anna")])
        asked = (draw.choice([By.DAY, By.NETWORK]), draw.choice(ZONES), viewer)
        expected = counted(db, *asked)
        for _ in range(2):
            found = told(db, *asked)
            assert [{name: entry[name] for name in expected[0]} for entry in found] == expected if expected \
                else found == []  # fmt: skip
        most_kept = max(most_kept, kept(db))
    assert most_kept > 20


def test_past_days_are_worked_out_once_and_today_each_time(db: Database) -> None:
    make(db, at=NOON)
    assert kept(db) == 0
    first = told(db)
    days = kept(db)
    assert days in (5, 6)
    make(db, at=datetime.now(UTC))
    assert runs(told(db)) == runs(first) + 1
    assert kept(db) == days
    told(db, By.DAY, "UTC", Viewer("anna"))
    assert kept(db) == 2 * days


def test_only_the_day_of_a_changed_log_is_worked_out_anew(db: Database) -> None:
    log = make(db, at=NOON, status="failed")
    told(db)
    days = kept(db)
    change(db, "UPDATE data_sync.sync_logs SET status = 'completed' WHERE id = %s", log)
    assert kept(db) == days - 1
    (entry,) = told(db)
    assert (entry["failed"], entry["completed"]) == (0, 1)
    assert kept(db) == days


def test_nothing_is_kept_while_a_change_of_a_past_day_is_not_committed(db: Database, other: Database) -> None:
    make(db, at=NOON)
    with other.transaction() as cursor:
        make_log(cursor, MINE, at=NOON)
        assert runs(told(db)) == 1
        assert kept(db) == 0
    assert runs(told(db)) == 2


def test_who_changes_a_past_day_waits_until_it_is_kept_and_then_takes_it_away(
    db: Database, other: Database
) -> None:
    make(db, at=NOON)
    with ThreadPoolExecutor(1) as pool:
        with db.transaction() as cursor:
            stats(cursor, ADA, LogFilter(), By.DAY, first=FIRST, last=TODAY, zone="UTC")
            changed = pool.submit(make, other, at=NOON)
            with pytest.raises(TimeoutError):
                changed.result(timeout=0.3)
        changed.result(timeout=10)
    assert runs(told(db)) == 2


def test_what_was_kept_two_days_ago_goes(db: Database) -> None:
    make(db, at=NOON)
    told(db)
    change(db, "UPDATE data_sync.kept_figures SET kept_at = kept_at - interval '49 hours', scope = 'gone'")
    told(db)
    assert rows(db, "SELECT 1 FROM data_sync.kept_figures WHERE scope = 'gone'") == []
