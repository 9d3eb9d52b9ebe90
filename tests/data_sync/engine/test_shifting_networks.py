"""Lists of both networks that move between two of their pages, and answers that arrive in the wrong order.

Everything is seen from outside: the sandbox moves its clock when it has answered a page, so rows come, change
and go in the middle of what is being paged, and its own totals say what must be in the tables.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest

from data_sync.database import Database
from data_sync.local import totals
from data_sync.runs.opening import open_run
from data_sync.schedules.planning import WorkUnit
from network_clients.admitad.facts import FACTS
from network_clients.boostiny.client import BoostinyClient
from network_clients.records import Page
from sandbox_networks.server import running
from sandbox_networks.settings import SandboxSettings
from tests.data_sync.engine import boostiny
from tests.data_sync.kit import (
    ACCOUNT,
    Child,
    admitad_account,
    eventually,
    make_request,
    make_schedule,
    rows,
    sync_run,
    sync_unit,
    total,
    units_of,
)
from tests.sandbox_networks.caller import Caller

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
FIRST, LAST = date(2026, 3, 5), date(2026, 3, 9)
#: The unit reads a day more at both ends.
DAYS: dict[str, Any] = {"first": "2026-03-06", "last": "2026-03-08"}
SIX_HOURS = 6 * 3600


@pytest.fixture
def admitad() -> Iterator[Caller]:
    options = {"campaigns": 1100, "coupons": 1200}
    settings = SandboxSettings(
        now=NOON, rows_per_day=250, networks=("admitad",), options={"admitad": options}, enforce_limits=False
    )
    with running(settings) as url:
        yield Caller(url)


def differences(database: str, sandbox: Caller, *, catalogues: bool = False) -> list[str]:
    expected = totals.of_sandbox(sandbox.totals(**{"from": FIRST, "to": LAST}), FACTS)
    with psycopg.connect(database) as connection:
        found = totals.of_tables(connection, ACCOUNT, FIRST, LAST)
    if catalogues:
        found.purchases = expected.purchases
    else:
        found.campaigns, found.coupons = expected.campaigns, expected.coupons
    return totals.differences(expected, found)


@pytest.mark.parametrize("pages", [(0,), (1,), (0, 2)], ids=str)
def test_purchases_of_admitad_that_move_between_pages_are_neither_missed_nor_doubled(
    db: Database, database: str, admitad: Caller, pages: tuple[int, ...]
) -> None:
    load = admitad_account(admitad.base)
    sync_run(db, "r0", load, **DAYS)
    for page in pages:
        admitad.fault("move", path="/statistics/", after=page, seconds=SIX_HOURS)
    (unit,) = sync_run(db, "r1", load, **DAYS)
    assert admitad.admin("/faults", method="GET") == [], "the list has moved under the read"
    assert unit["is_complete"]
    assert total([unit])["read"] > 1000
    assert differences(database, admitad) == []
    seen = total(sync_run(db, "r2", load, **DAYS))
    assert set(seen) == {"read", "unchanged"}, "nothing was left for the next read to mend"


@pytest.mark.parametrize("kind", ["campaigns", "coupons"])
def test_catalogues_of_admitad_that_move_between_pages_are_right_after_the_next_read(
    db: Database, database: str, admitad: Caller, kind: str
) -> None:
    load = admitad_account(admitad.base)

    def there() -> set[str]:
        return {row["key"] for row in rows(db, f"SELECT key FROM data_sync.{kind} WHERE vanished_at IS NULL")}

    sync_run(db, "r0", load, sync_type=kind)
    before = there()
    path = {"campaigns": "/advcampaigns/", "coupons": "/coupons/"}[kind]
    admitad.fault("move", path=path, after=1, seconds=20 * 24 * 3600)
    (unit,) = sync_run(db, "r1", load, sync_type=kind)
    assert admitad.admin("/faults", method="GET") == [], "the list has moved under the read"
    assert unit["rows_vanished"] > 0
    meanwhile = there()
    sync_run(db, "r2", load, sync_type=kind)
    assert before & there() <= meanwhile, "what was there all the time was neither missed nor taken for gone"
    told = [text for text in differences(database, admitad, catalogues=True) if text.startswith(kind)]
    assert told == []


@pytest.mark.parametrize("page", [0, 1, 3])
def test_a_report_of_boostiny_that_moves_between_pages_is_neither_missed_nor_doubled(
    db: Database, database: str, page: int
) -> None:
    with boostiny.site(rows_per_day=60, per_page=40) as site:
        # All days in one list, so that what moves is the list that is being read.
        load = site.account(window_days="10", link_traffic="no")
        boostiny.sync_run(db, "r0", load)
        site.fault("move", path="/publisher/performance", after=page, seconds=30 * 3600)
        (unit,) = boostiny.sync_run(db, "r1", load)
        assert unit["is_complete"]
        boostiny.sync_run(db, "links", site.account(window_days="10"))
        boostiny.assert_true(database, site)
    assert not rows(db, "SELECT 1 FROM data_sync.purchases WHERE key LIKE '%%#%%'"), "no line counts twice"
    again = rows(db, "SELECT rows_updated FROM data_sync.sync_log_steps ORDER BY id DESC LIMIT 1")
    assert again == [{"rows_updated": 0}], "nothing was left for the next read to mend"


#: When the last day of the reports is over, and rows of it are still to come.
MORNING = datetime(2026, 3, 7, 6, tzinfo=UTC)


@pytest.mark.parametrize("page", [0, 2, 5])
def test_rows_that_come_and_go_in_the_middle_of_a_report_are_neither_missed_nor_doubled(
    db: Database, database: str, page: int
) -> None:
    with boostiny.site(now=MORNING, rows_per_day=60, per_page=40) as site:
        load = site.account(window_days="10", link_traffic="no")
        boostiny.sync_run(db, "r0", load)
        site.fault("move", path="/publisher/performance", after=page, seconds=12 * 24 * 3600)
        (unit,) = boostiny.sync_run(db, "r1", load)
        assert unit["is_complete"]
        assert places(db, f"log_id = {unit['log_id']} AND first_seen_at = updated_at"), "some came"
        assert places(db, "vanished_at IS NOT NULL"), "some went"
        boostiny.sync_run(db, "links", site.account(window_days="10"))
        boostiny.assert_true(database, site)
    assert not rows(db, "SELECT 1 FROM data_sync.purchases WHERE key LIKE '%%#%%'"), "no line counts twice"
    again = rows(db, "SELECT rows_updated FROM data_sync.sync_log_steps ORDER BY id DESC LIMIT 1")
    assert again == [{"rows_updated": 0}], "nothing was left for the next read to mend"


def places(db: Database, condition: str) -> list[int]:
    """Where in the report such rows stand that are neither among its first nor among its last ones."""
    found = rows(
        db,
        "WITH listed AS (SELECT *, row_number() OVER w AS place, count(*) OVER () AS most "
        'FROM data_sync.purchases WINDOW w AS (ORDER BY campaign_name COLLATE "C", '
        f'coupon_code COLLATE "C", day)) SELECT place FROM listed WHERE {condition} '
        "AND place BETWEEN 20 AND most - 20",
    )
    return [row["place"] for row in found]


@pytest.mark.parametrize("page", [0, 1, 4])
def test_catalogues_of_boostiny_that_move_between_pages_are_neither_missed_nor_doubled(
    db: Database, database: str, page: int
) -> None:
    with boostiny.site(rows_per_day=60, per_page=40, campaigns=240) as site:
        boostiny.sync_run(db, "r0", site.account(), sync_type="all")
        site.fault("move", path="/publisher/campaigns", after=page, seconds=20 * 24 * 3600)
        (unit,) = boostiny.sync_run(db, "r1", site.account(), sync_type="campaigns")
        assert unit["is_complete"]
        assert unit["rows_inserted"] > 0, "some came"
        assert unit["rows_vanished"] > 0, "some went"
        boostiny.sync_run(db, "r2", site.account(), sync_type="coupons")
        boostiny.sync_run(db, "r3", site.account())
        boostiny.assert_true(database, site, catalogues=True)
        (again,) = boostiny.sync_run(db, "r4", site.account(), sync_type="campaigns")
    assert again["rows_unchanged"] == again["rows_read"], "nothing was left for the next read to mend"


def test_a_report_that_is_stored_after_a_newer_one_leaves_the_newer_truth(
    db: Database, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its machine hangs between the answer and the table, while days pass and another sync reads anew."""
    with boostiny.site(per_page=1000) as site:
        load = site.account(window_days="10")
        boostiny.sync_run(db, "r0", load)
        opened = boostiny.open_boostiny(db, "older")
        db.close()
        with monkeypatch.context() as patch:
            patch.setattr(BoostinyClient, "pages", hanging(BoostinyClient.pages))
            older = Child(lambda: boostiny.sync_unit(Database(), "older", opened.units[0], load))
        try:
            eventually(older.is_stopped)
            site.advance(days=12)
            (newer,) = boostiny.sync_run(db, "newer", load)
            history = rows(db, "SELECT * FROM data_sync.purchase_changes ORDER BY id")
        finally:
            older.go_on()
        assert older.wait() == 0
        assert newer["rows_updated"] > 50
        assert newer["rows_vanished"] > 0
        (row,) = units_of(db, opened.id)
        assert (row["status"], row["superseded_by"]) == ("superseded", newer["log_id"])
        assert row["rows_outdated"] > 50
        assert (row["rows_updated"], row["rows_inserted"], row["rows_vanished"]) == (0, 0, 0)
        boostiny.assert_true(database, site)
    assert rows(db, "SELECT * FROM data_sync.purchase_changes ORDER BY id") == history


def hanging(pages: Callable[..., Iterator[Page]]) -> Callable[..., Iterator[Page]]:
    """Let a process stop itself as soon as the first answer has arrived."""
    left = [1]

    def hang(*given: Any) -> Iterator[Page]:
        for page in pages(*given):
            if left and left.pop():
                os.kill(os.getpid(), signal.SIGSTOP)
            yield page

    return hang


def test_an_answer_that_arrives_after_a_newer_one_leaves_the_newer_truth(
    db: Database, database: str, admitad: Caller
) -> None:
    load = admitad_account(admitad.base)
    sync_run(db, "r0", load, **DAYS)
    opened = open_run(db, make_request("older", make_schedule(**DAYS)))
    work = WorkUnit.from_dict(opened.units[0])
    admitad.fault("late", path="/statistics/", seconds=100)
    before = requests_of(admitad)
    db.close()
    older = Child(lambda: sync_unit(Database(), "older", work, load))
    eventually(lambda: requests_of(admitad) > before)
    admitad.advance(days=4)
    (newer,) = sync_run(db, "newer", load, **DAYS)
    assert older.is_running(), "the older answer is still under way"
    assert newer["rows_updated"] > 50
    admitad.admin("/faults", method="DELETE")
    assert older.wait() == 0
    (row,) = units_of(db, opened.id)
    assert row["status"] == "superseded" or row["rows_outdated"] == 0
    assert differences(database, admitad) == []
    told = rows(
        db,
        "SELECT key FROM data_sync.purchase_changes GROUP BY key, from_status, to_status, from_commission, "
        "to_commission, from_sale_amount, to_sale_amount, change HAVING count(*) > 1",
    )
    assert told == [], "no change is in the history twice"


def requests_of(sandbox: Caller) -> int:
    return int(sandbox.admin("/state", method="GET")["networks"]["admitad"]["requests_total"])
