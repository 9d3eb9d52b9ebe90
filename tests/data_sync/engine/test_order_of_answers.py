"""Which of two answers about a row is kept, what counts as gone, and what the history says."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from data_sync.database import Database
from data_sync.errors import StepTakenError
from data_sync.ledger import steps
from data_sync.runs.opening import open_run
from network_clients.facts import Filter
from network_clients.records import Kind, Traffic
from tests.data_sync.engine.scripted import ScriptedClient, action, actions
from tests.data_sync.engine.tries import page_by_page
from tests.data_sync.kit import (
    Airflow,
    changes,
    claim,
    counts,
    make_request,
    purchases,
    read,
    reader_of,
    rows,
    settle_run,
    step_row,
)


def test_the_same_range_twice_writes_nothing(db: Database) -> None:
    listed = actions(1, 2, 3, 4)
    assert counts(read(db, "r1", ScriptedClient(listed))) == {"read": 4, "inserted": 4}
    before = rows(db, "SELECT xmin::text, * FROM data_sync.purchases ORDER BY key")
    assert counts(read(db, "r2", ScriptedClient(listed))) == {"read": 4, "unchanged": 4}
    assert rows(db, "SELECT xmin::text, * FROM data_sync.purchases ORDER BY key") == before


def test_each_change_is_in_the_history_once(db: Database) -> None:
    for number, (status, paid, cart) in enumerate(
        [
            ("pending", 0, 100),
            ("pending", 0, 80),
            ("approved", 0, 80),
            ("approved", 1, 80),
            ("approved", 1, 80),
        ]
    ):
        read(db, f"r{number}", ScriptedClient([action(1, status=status, paid=paid, cart=cart)]))
    found = rows(
        db,
        "SELECT from_status, to_status, from_sale_amount, to_sale_amount, to_sale_currency, "
        "from_status_word, to_status_word FROM data_sync.purchase_changes ORDER BY id",
    )
    assert [tuple(row.values()) for row in found] == [
        ("pending", "pending", Decimal(100), Decimal(80), "USD", "pending", "pending"),
        ("pending", "approved", Decimal(80), Decimal(80), "USD", "pending", "approved"),
        ("approved", "paid", Decimal(80), Decimal(80), "USD", "approved", "approved"),
    ]


def test_a_change_that_is_not_about_money_updates_without_history(db: Database) -> None:
    read(db, "r1", ScriptedClient([action(1)]))
    assert counts(read(db, "r2", ScriptedClient([action(1, promocode="SAVE")])))["updated"] == 1
    assert changes(db) == []


def test_what_vanished_is_marked_once_and_comes_back(db: Database) -> None:
    read(db, "r1", ScriptedClient(actions(1, 2, 3)))
    assert counts(read(db, "r2", ScriptedClient(actions(1, 3)))) == {"read": 2, "unchanged": 2, "vanished": 1}
    assert counts(read(db, "r3", ScriptedClient(actions(1, 3)))) == {"read": 2, "unchanged": 2}
    assert [row["gone"] for row in purchases(db)] == [False, True, False]
    assert counts(read(db, "r4", ScriptedClient(actions(1, 2, 3)))) == {
        "read": 3,
        "updated": 1,
        "unchanged": 2,
    }
    assert [row["gone"] for row in purchases(db)] == [False, False, False]
    assert changes(db) == [("2", "vanished", "pending", "pending"), ("2", "returned", "pending", "pending")]


def test_an_empty_answer_marks_everything_and_deletes_nothing(db: Database) -> None:
    read(db, "r1", ScriptedClient(actions(1, 2, 3)))
    assert counts(read(db, "r2", ScriptedClient([]))) == {"vanished": 3}
    assert len(purchases(db)) == 3


@pytest.mark.parametrize(
    "words",
    [
        pytest.param({"scope": "another website"}, id="other settings of the account"),
        pytest.param({"start": date(2026, 3, 1), "end": date(2026, 3, 1)}, id="other days"),
        pytest.param({"by": Filter.CHANGED}, id="by time of change"),
    ],
)
def test_a_read_that_looks_elsewhere_says_nothing_about_a_missing_row(db: Database, words: dict) -> None:
    read(db, "r1", ScriptedClient(actions(1, 2)))
    assert counts(read(db, "r2", ScriptedClient([]), **words)) == {}
    assert not any(row["gone"] for row in purchases(db))


def test_settings_that_change_between_two_tries_prove_nothing_either(db: Database) -> None:
    read(db, "r1", ScriptedClient(actions(1, 2)))
    with db.transaction() as cursor:
        cursor.execute("UPDATE data_sync.sync_logs SET scope = 'mixed'")
    assert counts(read(db, "r2", ScriptedClient([]))) == {}


def test_a_slice_of_one_traffic_judges_only_that(db: Database) -> None:
    both = [action(1), action(2, click_date=None, promocode="A")]
    split = {"traffic": (Traffic.COUPON, Traffic.LINK)}
    read(db, "r1", ScriptedClient(both, **split))
    only_coupons = ScriptedClient([], traffic=(Traffic.COUPON,))
    assert counts(read(db, "r2", only_coupons)) == {"vanished": 1}
    assert [row["gone"] for row in purchases(db)] == [False, True]


def test_a_newer_read_of_coupons_leaves_the_links_of_an_older_one_alone(db: Database) -> None:
    read(db, "r1", ScriptedClient([action(1)]))

    def newer(number: int) -> None:
        read(db, "r3", ScriptedClient([], traffic=(Traffic.COUPON,)))

    row = read(db, "r2", ScriptedClient([action(1, status="approved")], before=newer))
    assert counts(row) == {"read": 1, "updated": 1}


def test_a_row_without_a_key_keeps_others_from_being_marked(db: Database) -> None:
    read(db, "r1", ScriptedClient(actions(1, 2)))
    assert "vanished" not in counts(read(db, "r2", ScriptedClient([action(1), action(None)])))


def test_a_row_that_was_set_aside_has_not_vanished(db: Database) -> None:
    read(db, "r1", ScriptedClient(actions(1, 2)))
    row = read(db, "r2", ScriptedClient([action(1), action(2, currency=None)]))
    assert counts(row) == {"read": 2, "unchanged": 1, "rejected": 1}


def overtaken(db: Database, old: list, new: list) -> tuple[dict, dict]:
    """Ask for a page, let a whole newer read go by, and store the page then; return both units' rows."""
    found: list[dict] = []
    client = ScriptedClient(old, before=lambda number: found.append(read(db, "newer", ScriptedClient(new))))
    return read(db, "older", client), found[0]


def test_an_older_answer_does_not_overwrite_a_newer_one_but_may_insert(db: Database) -> None:
    read(db, "r0", ScriptedClient(actions(1, 2)))
    older, newer = overtaken(
        db,
        [action(1, status="approved"), action(2, status="declined"), action(3)],
        [action(1, status="declined"), action(2)],
    )
    assert [(row["key"], row["status"]) for row in purchases(db)] == [
        ("1", "declined"),
        ("2", "pending"),
        ("3", "pending"),
    ]
    assert counts(older) == {"read": 3, "inserted": 1, "outdated": 2}
    assert older["status"] == "superseded"
    assert older["superseded_by"] == newer["log_id"]
    assert f"superseded by log {newer['log_id']}" in older["reason"]
    assert changes(db) == [("1", "changed", "pending", "declined")]


def test_a_superseded_unit_is_as_complete_as_the_newer_one(db: Database) -> None:
    read(db, "r0", ScriptedClient(actions(1)))
    overtaken(db, [action(1, status="approved")], [action(1)])
    pair = (("admitad_default", "purchases"),)
    assert settle_run(db, "older", Airflow()).complete == pair
    assert settle_run(db, "older", Airflow()).statuses == {"admitad_default": "superseded"}
    with db.transaction() as cursor:
        cursor.execute(
            "UPDATE data_sync.sync_log_steps SET is_complete = false WHERE id = (SELECT max(id) FROM "
            "data_sync.sync_log_steps)"
        )
    assert settle_run(db, "older", Airflow()).complete == ()


def test_an_older_read_brings_nothing_back_and_takes_nothing_away(db: Database) -> None:
    read(db, "r0", ScriptedClient(actions(1)))
    overtaken(db, actions(1), [])
    assert [row["gone"] for row in purchases(db)] == [True], "the newer read did not find it"
    read(db, "r1", ScriptedClient(actions(1, 2)))
    found: list[dict] = []
    client = ScriptedClient([action(1)])
    # The newer read runs between the only page of the older one and its end.
    open_run(db, make_request("older"))
    reader = reader_of(db, claim(db, "older"), client)
    close, reader._close_slice = (
        reader._close_slice,
        lambda part: (  # type: ignore[method-assign]
            found.append(read(db, "newer", ScriptedClient(actions(1, 2)))),
            close(part),
        ),
    )
    reader.run()
    assert [row["gone"] for row in purchases(db)] == [False, False]
    assert changes(db)[-1][1] == "returned"


def test_a_resumed_newer_read_orders_answers_too(db: Database) -> None:
    read(db, "r0", ScriptedClient(actions(1, 2, 3, 4)))

    def newer(number: int) -> None:
        open_run(db, make_request("newer"))
        client = ScriptedClient(actions(1, 2, 3, 4))
        client.before = lambda number: (_ for _ in ()).throw(RuntimeError()) if number == 1 else None
        with pytest.raises(RuntimeError):
            reader_of(db, claim(db, "newer"), client).run()
        client.before = lambda number: None
        reader_of(db, claim(db, "newer"), client).run()

    row = read(db, "older", ScriptedClient([action(1, status="approved")], before=newer))
    assert row["status"] == "superseded"
    assert purchases(db)[0]["status"] == "pending"


def test_where_the_network_names_change_times_they_decide(db: Database) -> None:
    early, late = "2026-03-05 10:00:00", "2026-03-06 10:00:00"
    older, _ = overtaken(
        db,
        [
            action(1, status="approved", status_updated=late),
            action(2, status="approved", status_updated=early),
        ],
        [action(1, status_updated=early), action(2, status="declined", status_updated=late)],
    )
    assert [row["status"] for row in purchases(db)] == ["approved", "declined"]
    assert counts(older) == {"read": 2, "updated": 1, "outdated": 1}
    assert rows(db, "SELECT network_time::text FROM data_sync.purchase_changes") == [
        {"network_time": "2026-03-06 07:00:00+00"}
    ]


def test_a_later_read_never_goes_back_in_the_networks_time(db: Database) -> None:
    late, early = "2026-03-06 10:00:00", "2026-03-05 10:00:00"
    first = read(db, "r1", ScriptedClient([action(1, status="approved", status_updated=late)]))
    row = read(db, "r2", ScriptedClient([action(1, status_updated=early)]))
    assert counts(row) == {"read": 1, "outdated": 1}
    assert row["superseded_by"] == first["log_id"]
    assert purchases(db)[0]["status"] == "approved"


def test_with_equal_change_times_the_later_read_wins(db: Database) -> None:
    same = "2026-03-05 10:00:00"
    older, _ = overtaken(
        db, [action(1, cart=50, status_updated=same)], [action(1, cart=70, status_updated=same)]
    )
    assert older["status"] == "superseded"
    assert purchases(db)[0]["sale_amount"] == 70
    read(db, "r3", ScriptedClient([action(1, cart=90, status_updated=same)]))
    assert purchases(db)[0]["sale_amount"] == 90


def test_a_row_with_an_older_time_further_down_its_own_list_supersedes_nothing(db: Database) -> None:
    listed = [
        action(1, status="approved", status_updated="2026-03-06 10:00:00"),
        *actions(2, 3, 4),
        action(1, status_updated="2026-03-05 10:00:00"),
    ]
    row = read(db, "r1", ScriptedClient(listed, size=2))
    assert (row["status"], row["superseded_by"]) == ("completed", None)
    assert purchases(db)[0]["status"] == "approved"
    assert counts(row) == {"read": 4, "inserted": 4}


def test_a_second_claim_stops_the_first_holder_before_it_writes(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    page_by_page(monkeypatch)
    listed = actions(1, 2, 3, 4)
    open_run(db, make_request("r1"))
    first = claim(db, "r1")
    client = ScriptedClient(listed, before=lambda number: claim(db, "r1") if number == 1 else None)
    with pytest.raises(StepTakenError):
        reader_of(db, first, client).run()
    assert [row["key"] for row in purchases(db)] == ["1", "2", "3"]
    with pytest.raises(StepTakenError), db.transaction() as cursor:
        steps.finish(cursor, first, "failed")
    with db.transaction() as cursor:
        steps.add_costs(cursor, first, requests=5, waited=1)
    taken = claim(db, "r1")
    reader_of(db, taken, ScriptedClient(listed)).run()
    row = step_row(db, taken.id)
    assert counts(row) == {"read": 4, "inserted": 4}
    assert row["requests"] < 5


def test_catalogues_are_snapshots_with_their_own_order(db: Database) -> None:
    def campaign(number: int, **fields: object) -> dict:
        return {"id": number, "name": f"C{number}", "status": "active", **fields}

    whole = {"kind": Kind.CAMPAIGNS, "start": None, "end": None}

    def sync(run: str, listed: list, **hooks: object) -> dict:
        return read(db, run, ScriptedClient(listed, **hooks), **whole)

    assert counts(sync("r1", [campaign(n) for n in range(5)])) == {"read": 5, "inserted": 5}
    assert counts(sync("r2", [campaign(n) for n in range(4)])) == {"read": 4, "unchanged": 4, "vanished": 1}
    assert counts(sync("r3", [campaign(n) for n in range(5)])) == {"read": 5, "updated": 1, "unchanged": 4}

    def newer(number: int) -> None:
        if number == 0:
            sync("newer", [campaign(n) for n in range(5)])

    row = sync("older", [campaign(0, name="Old"), *(campaign(n) for n in range(1, 4))], before=newer)
    assert row["status"] == "superseded"
    assert counts(row) == {"read": 4, "unchanged": 3, "outdated": 1}
    assert not rows(db, "SELECT 1 FROM data_sync.campaigns WHERE vanished_at IS NOT NULL OR name = 'Old'")
