"""The examples that the pages show for the views: each answers what its first line says of real purchases."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from data_sync.database import Database
from tests.data_sync.engine.scripted import ScriptedClient, action
from tests.data_sync.kit import read, rows

CHECKOUT = Path(__file__).resolve().parents[3]
README, DATA = ((CHECKOUT / name).read_text() for name in ("README.md", "docs/data.md"))
TODAY = datetime.now(UTC).date()
USUAL = Decimal("7.25")


def examples(page: str) -> dict[str, str]:
    """The queries of a page by their first line, a comment that says what they tell."""
    found = re.findall(r"^```sql\n-- (.+?)\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    return dict(found)


def at(day: date) -> str:
    return f"{day} 10:00:00"


@pytest.fixture
def year(db: Database) -> Database:
    """Purchases of some months: what was read on 20 April, and what has changed since."""
    yesterday, two_months_ago = TODAY - timedelta(days=1), TODAY - timedelta(days=70)
    then = [
        action(1, action_date="2026-04-10 10:00:00", promocode="A"),
        action(2, action_date="2026-04-11 10:00:00", status="approved", payment="10.00"),
        action(3, action_date="2026-04-12 10:00:00", status="approved", payment="5", currency="EUR"),
        action(4, action_date=at(yesterday), promocode="SAVE"),
        action(5, action_date=at(two_months_ago)),
        action(6, action_date="2026-03-02 10:00:00"),
    ]
    now = {1: {"status": "approved"}, 2: {"status": "declined", "payment": "0"}, 6: {"status": "approved"}}
    everything = {"start": date(2026, 1, 1), "end": TODAY}
    read(db, "r1", ScriptedClient(then, size=10), **everything)
    read(
        db, "r2", ScriptedClient([row | now.get(row["action_id"], {}) for row in then], size=10), **everything
    )
    with db.transaction() as cursor:
        cursor.execute("UPDATE data_sync.purchases SET first_seen_at = '2026-04-20 09:00+00'")
        cursor.execute(
            "UPDATE data_sync.purchase_changes SET recorded_at = '2026-05-10 09:00+00' WHERE key = '1'"
        )
    return db


def answer(db: Database, text: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in rows(db, text.replace("%", "%%"))]


#: What each example of the README answers about these purchases.
ANSWERS: dict[str, list[tuple[Any, ...]]] = {
    "Orders and commission per day, status and currency.": [
        (TODAY - timedelta(days=1), "pending", "USD", 1, USUAL)
    ],
    "What April was worth when the books were closed, and what it is worth now.": [
        ("EUR", Decimal(5), Decimal(5)),
        ("USD", Decimal(10), USUAL),
    ],
    "Which money is still open, and how old it is.": [
        ("admitad_default", "over 90 days", "approved", 1, Decimal(5), "EUR"),
        ("admitad_default", "over 90 days", "approved", 2, 2 * USUAL, "USD"),
        ("admitad_default", "31 to 90 days", "pending", 1, USUAL, "USD"),
        ("admitad_default", "up to 7 days", "pending", 1, USUAL, "USD"),
    ],
    "What has been open for more than 60 days: worth a question to the network.": [
        ("admitad_default", "6", date(2026, 3, 2), None, "approved", USUAL, "USD"),
        ("admitad_default", "1", date(2026, 4, 10), None, "approved", USUAL, "USD"),
        ("admitad_default", "3", date(2026, 4, 12), None, "approved", Decimal(5), "EUR"),
        ("admitad_default", "5", TODAY - timedelta(days=70), None, "pending", USUAL, "USD"),
    ],
    "What was declined in the last 30 days, and what it had been before.": [
        ("admitad_default", "2", "approved", Decimal(10), "USD")
    ],
    "Which coupon codes earn.": [("admitad", None, "A", "USD", 1, USUAL)],
}


@pytest.mark.parametrize("title", examples(README))
def test_an_example_of_the_readme_answers_what_it_says(year: Database, title: str) -> None:
    found = answer(year, examples(README)[title])
    if "age_days" in examples(README)[title]:
        # The age goes on with the days.
        today = datetime.now(UTC).date()
        assert [row[3] for row in found] == [(today - row[2]).days for row in found]
        found = [(*row[:3], *row[4:]) for row in found]
    if "recorded_at" in examples(README)[title]:
        found = [row[1:] for row in found]
    assert sorted(found, key=str) == sorted(ANSWERS[title], key=str)


def test_a_day_as_it_stood_a_week_ago_is_compared_with_now(year: Database) -> None:
    (query,) = (
        text for title, text in examples(DATA).items() if title.startswith("One day of an account as it")
    )
    assert answer(year, query) == [("6", "pending", "approved", USUAL, USUAL, "USD")]


def test_every_view_of_the_readme_has_an_example() -> None:
    table = README.split("| ask | for |")[1].split("\n\n")[0]
    views = re.findall(r"^\| `(\w+)", table, re.MULTILINE)
    assert len(views) == 5
    shown = "\n".join(examples(README).values())
    assert [view for view in views if f"data_sync.{view}" not in shown] == []
