"""Reports paged without overlap: lines that move, come twice or go; none is missed and each counts once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from data_sync.database import Database
from network_clients.facts import Order
from network_clients.records import Grain, Traffic
from tests.data_sync.engine.scripted import Action, ScriptedReport, line, lines
from tests.data_sync.engine.tries import at_page, break_off, go_on
from tests.data_sync.kit import changes, counts, purchases, read, rows

TEN = [f"row-{n}" for n in range(10)]


def orders(db: Database) -> dict[str, int]:
    """How many orders each line stands for, those left out that have vanished."""
    found = rows(db, "SELECT key, orders FROM data_sync.purchases WHERE vanished_at IS NULL ORDER BY key")
    return {row["key"]: row["orders"] for row in found}


@pytest.mark.parametrize("versioned", [True, False])
def test_a_quiet_report_is_read_page_by_page_and_once(db: Database, versioned: bool) -> None:
    client = ScriptedReport(lines(*TEN), versioned=versioned, size=4)
    row = read(db, "r1", client)
    assert counts(row) == {"read": 10, "inserted": 10}
    assert client.asked == [0, 4, 8]
    assert (row["is_complete"], row["pages"], row["items_expected"], row["warnings"]) == (True, 3, 10, [])
    assert list(orders(db)) == TEN
    assert not rows(db, "SELECT 1 FROM data_sync.sync_step_pages"), "nothing is left behind"
    assert counts(read(db, "r2", ScriptedReport(lines(*TEN), size=3))) == {"read": 10, "unchanged": 10}


#: Changes of a list between two of its pages, and whether they show without a fingerprint.
MOVES: dict[str, Callable[[list[Action]], object]] = {
    "one appears before the page": lambda rows: rows.insert(1, line("a")),
    "one vanishes before the page": lambda rows: rows.pop(0),
    "one appears at the end": lambda rows: rows.append(line("z")),
    "one comes and the last one goes": lambda rows: (rows.insert(0, line("a")), rows.pop()),
    "three come and the last three go": lambda rows: (
        rows.__setitem__(slice(0, 0), lines("a", "b", "c")),
        rows.__delitem__(slice(-3, None)),
    ),
    "the order turns round": lambda rows: rows.reverse(),
}


@pytest.mark.parametrize("versioned", [True, False], ids=["versioned", "bare"])
@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES.keys())
def test_a_report_that_moves_once_is_begun_again_and_read_whole(
    db: Database, move: Callable[[list[Action]], object], versioned: bool
) -> None:
    listed = lines(*TEN)
    client = ScriptedReport(listed, versioned=versioned, size=4, before=at_page(2, lambda: move(listed)))
    row = read(db, "r1", client)
    assert row["is_complete"]
    assert client.asked[3] == 0
    assert list(orders(db)) == sorted(item["key"] for item in listed), "what went meanwhile is marked"
    counts(row)
    assert counts(read(db, "r2", ScriptedReport(listed)))["unchanged"] == len(listed)


def test_one_goes_and_another_comes_shows_by_the_fingerprint_alone(db: Database) -> None:
    listed = lines(*TEN)

    def change() -> None:
        del listed[0]
        listed.append(line("z"))

    row = read(db, "r1", ScriptedReport(listed, size=4, before=at_page(2, change)))
    assert list(orders(db)) == sorted(item["key"] for item in listed)
    assert row["is_complete"]


def test_amounts_that_change_between_two_pages_make_it_another_report(db: Database) -> None:
    listed = lines(*TEN)
    client = ScriptedReport(listed, size=4, before=at_page(2, lambda: listed[0].update(orders=0)))
    assert read(db, "r1", client)["is_complete"]
    assert client.asked == [0, 4, 8, 0, 4, 8]
    assert orders(db)["row-0"] == 0


@pytest.mark.parametrize("versioned", [True, False])
def test_a_report_that_never_stops_moving_ends_with_a_warning_and_proves_nothing(
    db: Database, versioned: bool
) -> None:
    read(db, "r0", ScriptedReport(lines("gone", *TEN)))
    listed = lines(*TEN)

    def turn(number: int) -> None:
        # The last line becomes the first: as many as before, and one of them comes twice.
        listed.insert(0, listed.pop())

    client = ScriptedReport(listed, versioned=versioned, size=4, before=turn)
    row = read(db, "r1", client)
    assert (row["status"], row["is_complete"]) == ("completed", False)
    assert [warning for warning in row["warnings"] if "kept changing" in warning]
    assert sorted(orders(db)) == sorted(["gone", *TEN]), "no line is doubled, and none is taken for gone"
    assert len(client.asked) < 15
    counts(row)


DOUBLED = [line("a", 1), line("b", 2), line("a", 3), line("c", 4), line("b", 5), line("a", 6)]
NUMBERED = {"a": 1, "a#2": 3, "a#3": 6, "b": 2, "b#2": 5, "c": 4}


@pytest.mark.parametrize("size", [2, 3, 4, 10])
def test_lines_with_the_same_identity_are_numbered_and_all_count(db: Database, size: int) -> None:
    row = read(db, "r1", ScriptedReport(DOUBLED, size=size))
    assert counts(row) == {"read": 6, "inserted": 6}
    assert orders(db) == NUMBERED
    assert row["is_complete"]
    (warning,) = row["warnings"]
    assert "Each is kept and counts" in warning
    again = read(db, "r2", ScriptedReport(DOUBLED, size=5))
    assert counts(again) == {"read": 6, "unchanged": 6}
    assert changes(db) == []


class ReportWithSums(ScriptedReport):
    """Its fingerprint is made of the sums of all lines: their order does not show in it."""

    def version(self, listed: Sequence[Action]) -> str:
        return str(sum(item["orders"] for item in listed))


def test_a_line_that_changed_places_is_no_second_line_though_the_sums_are_the_same(db: Database) -> None:
    read(db, "r0", ReportWithSums(lines("a", "b", "c", "d", "e")))
    listed = lines("a", "b", "c", "d", "e")
    turned = lines("a", "e", "c", "b", "d")
    client = ReportWithSums(listed, before=at_page(1, lambda: listed.__setitem__(slice(None), turned)))
    row = read(db, "r1", client)
    assert client.asked == [0, 3, 0, 3]
    assert row["is_complete"]
    assert orders(db) == dict.fromkeys("abcde", 1), "no line is lost, and none counts twice"


def test_a_report_that_is_in_another_order_each_time_proves_nothing(db: Database) -> None:
    read(db, "r0", ReportWithSums(lines("a", "b", "c", "d", "e")))
    listed = lines("a", "b", "c", "d", "e")

    def turn(number: int) -> None:
        # The first page is always the same; which line comes again on the second one is not.
        last = ("de", "bd", "de", "ae", "de", "cd")[number]
        listed[:] = lines(*sorted(set("abcde") - set(last)), *last)

    row = read(db, "r1", ReportWithSums(listed, before=turn))
    assert row["requests"] == 6
    assert not row["is_complete"]
    assert {"a", "b", "c", "d", "e"} <= orders(db).keys()


@pytest.mark.parametrize("size", [2, 3])
def test_equal_lines_on_two_pages_are_believed_when_a_second_pass_shows_them_again(
    db: Database, size: int
) -> None:
    listed = lines("a", "b", "c", "a", "d", "a")
    client = ReportWithSums(listed, size=size)
    row = read(db, "r1", client)
    assert len(client.asked) == 2 * (6 // size)
    assert row["is_complete"]
    assert orders(db) == dict.fromkeys(("a", "a#2", "a#3", "b", "c", "d"), 1)
    assert counts(row) == {"read": 6, "inserted": 6}
    assert counts(read(db, "r2", ReportWithSums(listed, size=size))) == {"read": 6, "unchanged": 6}


def test_on_one_page_they_are_numbered_whether_or_not_the_list_has_a_fingerprint(db: Database) -> None:
    read(db, "r1", ScriptedReport(DOUBLED, versioned=False, size=10))
    assert orders(db) == NUMBERED


def test_a_numbered_line_that_goes_is_marked(db: Database) -> None:
    read(db, "r1", ScriptedReport(DOUBLED))
    assert counts(read(db, "r2", ScriptedReport(DOUBLED[:5])))["vanished"] == 1
    assert orders(db) == {key: count for key, count in NUMBERED.items() if key != "a#3"}
    assert changes(db) == [("a#3", "vanished", None, None)]


def test_without_a_fingerprint_a_line_of_an_earlier_page_is_one_that_moved(db: Database) -> None:
    client = ScriptedReport(DOUBLED, versioned=False, size=4)
    row = read(db, "r1", client)
    assert client.asked == [0, 4] * 3
    assert not row["is_complete"]
    assert "a#3" not in orders(db), "nobody can tell it from the line that was there before"


def test_of_orders_with_the_same_id_the_last_form_counts(db: Database) -> None:
    single = [line("a", 1, grain="order"), line("b", 2, grain="order"), line("a", 3, grain="order")]
    row = read(db, "r1", ScriptedReport(single, size=2, grain=Grain.ORDER))
    assert orders(db) == {"a": 3, "b": 2}
    assert (counts(row), row["warnings"]) == ({"read": 2, "inserted": 2}, [])


def test_in_a_list_that_only_grows_a_line_that_comes_twice_is_two_lines(db: Database) -> None:
    client = ScriptedReport(DOUBLED, versioned=False, size=2, order=Order.APPEND_STABLE)
    read(db, "r1", client)
    assert client.asked == [0, 2, 4]
    assert orders(db) == NUMBERED


@pytest.mark.parametrize("versioned", [True, False])
@pytest.mark.parametrize(("at", "asked"), [(1, [0, 4, 8]), (2, [4, 8])])
def test_a_report_that_was_broken_off_goes_on_after_a_look_at_its_last_page(
    db: Database, at: int, asked: list[int], versioned: bool
) -> None:
    client = ScriptedReport(lines(*TEN), versioned=versioned, size=4)
    break_off(db, client, at=at)
    row = go_on(db, client)
    assert client.asked == asked
    assert counts(row) == {"read": 10, "inserted": 10}
    assert (row["resumed"], row["is_complete"]) == (True, True)


@pytest.mark.parametrize("at", [1, 2, 3, 4, 5])
def test_numbers_are_the_same_wherever_a_read_was_broken_off(db: Database, at: int) -> None:
    client = ScriptedReport(DOUBLED, size=1)
    break_off(db, client, at=at)
    row = go_on(db, client)
    assert client.asked == list(range(at - 1, 6))
    assert counts(row) == {"read": 6, "inserted": 6}
    assert orders(db) == NUMBERED


CHANGED_MEANWHILE: dict[str, Callable[[list[Action]], object]] = {
    "a line more": lambda rows: rows.insert(0, line("a")),
    "a line for another": lambda rows: rows.__setitem__(9, line("z")),
    "other amounts": lambda rows: rows[0].update(orders=7),
}


@pytest.mark.parametrize("change", CHANGED_MEANWHILE.values(), ids=CHANGED_MEANWHILE.keys())
def test_a_report_that_changed_between_two_tries_is_begun_again(
    db: Database, change: Callable[[list[Action]], object]
) -> None:
    listed = lines(*TEN)
    client = ScriptedReport(listed, size=4)
    break_off(db, client, at=2)
    change(listed)
    row = go_on(db, client)
    assert client.asked == [4, 0, 4, 8]
    assert row["is_complete"]
    assert orders(db) == {item["key"]: item["orders"] for item in sorted(listed, key=lambda i: i["key"])}


def test_a_broken_off_report_that_moves_after_it_went_on_is_begun_again(db: Database) -> None:
    listed = lines(*TEN)
    client = ScriptedReport(listed, versioned=False, size=4)
    break_off(db, client, at=2)
    # The keys of the pages before are known to the database alone.
    client.before = at_page(1, lambda: (listed.insert(0, line("a")), listed.pop()))
    row = go_on(db, client)
    assert client.asked == [4, 8, 0, 4, 8]
    assert list(orders(db)) == sorted(item["key"] for item in listed)
    assert row["is_complete"]


def test_rows_vanish_in_their_own_kind_of_traffic_alone(db: Database) -> None:
    both = (Traffic.COUPON, Traffic.LINK)
    coupons, links = lines("a", "b", traffic="coupon"), lines("link:a", "link:b", traffic="link")

    def report(*items: Action) -> ScriptedReport:
        return ScriptedReport(items, traffic=both)

    read(db, "r1", report(*coupons, *links))
    assert counts(read(db, "r2", report(*coupons, links[0]))) == {"read": 3, "unchanged": 3, "vanished": 1}
    assert [row["key"] for row in purchases(db) if row["gone"]] == ["link:b"]
    only_coupons = ScriptedReport(coupons[:1], traffic=[Traffic.COUPON])
    assert counts(read(db, "r3", only_coupons)) == {"read": 1, "unchanged": 1, "vanished": 1}
    assert [row["key"] for row in purchases(db) if row["gone"]] == ["b", "link:b"]
    assert counts(read(db, "r4", report(*coupons, *links)))["updated"] == 2
    assert not any(row["gone"] for row in purchases(db))


@pytest.mark.parametrize("counted", [True, False])
def test_a_line_of_sums_is_no_row_whether_or_not_the_total_holds_it(db: Database, counted: bool) -> None:
    listed: list[Any] = [*lines(*TEN), {"sums": "all", "orders": 10}]
    row = read(db, "r1", ScriptedReport(listed, counts_sums=counted, size=4))
    assert (row["is_complete"], row["warnings"]) == (True, [])
    assert counts(row) == {"read": 10, "inserted": 10}


def test_equal_rows_without_a_key_do_not_make_a_list_look_as_if_it_moved(db: Database) -> None:
    bad = {"orders": 1}
    client = ScriptedReport([bad, *lines("a", "b"), bad, line("c")], versioned=False, size=2)
    row = read(db, "r1", client)
    assert client.asked == [0, 2, 4]
    assert row["is_complete"]
    assert counts(row) == {"read": 5, "inserted": 3, "rejected": 2}


def test_the_checkpoint_of_a_read_in_progress_does_not_grow_with_its_doubles(db: Database) -> None:
    same = [line("a", n) for n in range(400)]
    client = ScriptedReport(same, size=100)
    break_off(db, client, at=3)
    (step,) = rows(db, "SELECT length(checkpoint::text) AS size FROM data_sync.sync_log_steps")
    assert step["size"] < 2000
    go_on(db, client)
    assert sum(orders(db).values()) == sum(range(400))
    assert len(orders(db)) == 400
