"""Both sides of the proof count the same way, and a difference is said in words."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import psycopg

from data_sync.local.totals import Totals, differences, of_sandbox, of_tables
from network_clients import registry

ANSWER = {
    "campaigns": 2,
    "coupons": 1,
    "statuses": {
        "approved": {"EUR": {"rows": 2, "payment": "1.10", "cart": "20.00"}},
        "approved_but_stalled": {"EUR": {"rows": 1, "payment": "0.05", "cart": "1.00"}},
        "paid": {"EUR": {"rows": 1, "payment": "3.0001", "cart": "30"}},
        "on_the_moon": {"USD": {"rows": 1, "payment": "1", "cart": "1"}},
    },
}


def test_the_words_of_the_network_become_ours() -> None:
    totals = of_sandbox(ANSWER, registry.facts_of("admitad"))
    assert totals.purchases["approved", "EUR"].rows == 3
    assert totals.purchases["approved", "EUR"].commission == Decimal("1.15")
    assert totals.purchases["paid", "EUR"].commission == Decimal("3.0001")
    assert totals.purchases["unknown", "USD"].rows == 1


def test_equal_totals_have_no_differences() -> None:
    facts = registry.facts_of("admitad")
    assert differences(of_sandbox(ANSWER, facts), of_sandbox(ANSWER, facts)) == []


def test_a_missing_ten_thousandth_is_a_difference() -> None:
    facts = registry.facts_of("admitad")
    found = of_sandbox(ANSWER, facts)
    found.purchases["paid", "EUR"].commission -= Decimal("0.0001")
    assert differences(of_sandbox(ANSWER, facts), found) == [
        "purchases paid EUR: the sandbox has 1 rows, sales 30, commission 3.0001, "
        "the table 1 rows, sales 30, commission 3.0000"
    ]


def test_rows_that_only_one_side_has_are_differences() -> None:
    expected = of_sandbox(ANSWER, registry.facts_of("admitad"))
    said = differences(expected, Totals(campaigns=2, coupons=0))
    assert "coupons: the sandbox has 1, the table has 0" in said
    assert len(said) == 4
    assert len(differences(Totals(campaigns=0, coupons=0), expected)) == 5


def test_vanished_rows_and_other_accounts_and_days_do_not_count(database: str) -> None:
    insert = """
        INSERT INTO data_sync.purchases (account, key, network, grain, day, status, sale_amount,
            sale_currency, commission, commission_currency, raw, digest, first_seen_at, updated_at,
            read_at, vanished_at, log_id)
        VALUES (%s, %s, 'admitad', 'order', %s, 'paid', 10, 'EUR', 1.5, 'EUR', '{}', '', now(), now(),
            now(), %s, 1)
    """
    rows = [
        ("admitad_default", "1", date(2026, 3, 1), None),
        ("admitad_default", "2", date(2026, 3, 2), None),
        ("admitad_default", "3", date(2026, 3, 3), None),
        ("admitad_default", "4", date(2026, 3, 1), date(2026, 3, 4)),
        ("admitad_shop2", "1", date(2026, 3, 1), None),
    ]
    with psycopg.connect(database) as connection:
        for row in rows:
            connection.execute(insert, row)
        totals = of_tables(connection, "admitad_default", date(2026, 3, 1), date(2026, 3, 2))
    assert totals.purchases["paid", "EUR"].rows == 2
    assert totals.purchases["paid", "EUR"].commission == Decimal(3)
    assert (totals.campaigns, totals.coupons) == (0, 0)
