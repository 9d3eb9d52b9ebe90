"""Lists that move while they are paged, and reads that were broken off: nothing missed, nothing doubled."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from data_sync.database import Database
from network_clients.facts import Order
from tests.data_sync.engine.scripted import Action, ScriptedClient, action, actions
from tests.data_sync.engine.tries import Broken, at_page, break_off, go_on
from tests.data_sync.kit import changes, claim, counts, purchases, read, reader_of, rows


def keys(db: Database) -> list[str]:
    return [row["key"] for row in purchases(db)]


def test_a_quiet_list_is_read_once_and_its_overlap_is_not_counted(db: Database) -> None:
    client = ScriptedClient(actions(*range(10, 20)), size=4)
    row = read(db, "r1", client)
    assert counts(row) == {"read": 10, "inserted": 10}
    assert client.asked == [0, 4, 7]
    assert (row["status"], row["is_complete"], row["pages"], row["items_expected"]) == (
        "completed",
        True,
        3,
        10,
    )
    assert keys(db) == [str(n) for n in range(10, 20)]
    assert not rows(db, "SELECT 1 FROM data_sync.sync_step_pages"), "nothing is left behind"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda rows: rows.insert(1, action(1)), id="one appears before the cursor"),
        pytest.param(lambda rows: rows.pop(0), id="one vanishes before the cursor"),
        pytest.param(lambda rows: rows.insert(len(rows), action(99)), id="one appears at the end"),
        pytest.param(lambda rows: (rows.pop(0), rows.append(action(99))), id="one goes, another comes"),
        pytest.param(lambda rows: (rows.pop(), rows.insert(0, action(5))), id="one comes, another goes"),
        pytest.param(lambda rows: rows.reverse(), id="the order turns round"),
    ],
)
def test_a_list_that_moves_once_is_begun_again_and_read_whole(db: Database, change: Callable) -> None:
    listed: list[Action] = actions(*range(10, 20))
    client = ScriptedClient(listed, size=4, before=at_page(2, lambda: change(listed)))
    row = read(db, "r1", client)
    present = {str(item["action_id"]) for item in listed}
    assert present <= set(keys(db))
    assert row["is_complete"]
    # A row that was seen before it went is there too, and marked.
    found, gone = len(keys(db)), sum(row["gone"] for row in purchases(db))
    assert counts(row) == {"read": found, "inserted": found} | ({"vanished": gone} if gone else {})
    assert len(client.asked) == 2 + 1 + 3 or len(client.asked) == 2 + 1 + 4
    assert {change for _, change, _, _ in changes(db)} <= {"vanished"}
    assert counts(read(db, "r2", ScriptedClient(listed)))["unchanged"] == len(listed)


def test_a_list_that_never_stops_moving_ends_with_a_warning_and_proves_nothing(db: Database) -> None:
    listed = actions(*range(100, 110))
    read(db, "r0", ScriptedClient([*listed, action(500)]))
    numbers = iter(range(99, 0, -1))
    client = ScriptedClient(listed, size=4, before=lambda n: listed.insert(0, action(next(numbers))))
    row = read(db, "r1", client)
    assert row["status"] == "completed"
    assert not row["is_complete"]
    assert "kept changing" in row["warnings"][0]
    assert not any(row["gone"] for row in purchases(db))
    assert len(client.asked) < 20
    counts(row)


def test_what_a_silent_move_hides_is_not_marked_as_vanished(db: Database) -> None:
    listed: list[Action] = actions(10, 11, 12, 13, 14)
    read(db, "r0", ScriptedClient(listed))

    def one_goes_another_comes() -> None:
        listed.pop(0)
        listed.append(action(15))

    client = ScriptedClient(listed, size=3, before=at_page(1, one_goes_another_comes))
    client.overlaps = False
    row = read(db, "r1", client)
    assert row["is_complete"]
    assert [row["key"] for row in purchases(db) if row["gone"]] == ["10"]
    assert len(client.asked) == 3 * 2, "looked at until two passes agree"
    assert keys(db) == [str(n) for n in range(10, 16)]


def test_a_list_that_says_nothing_of_its_moves_is_read_once_while_nothing_is_missing(db: Database) -> None:
    for run in ("r0", "r1"):
        client = ScriptedClient(actions(10, 11, 12, 13, 14), size=3)
        client.overlaps = False
        assert read(db, run, client)["is_complete"]
        assert client.asked == [0, 3]


def test_a_list_that_only_grows_at_its_end_is_not_begun_again(db: Database) -> None:
    listed = actions(*range(10, 20))
    read(db, "r0", ScriptedClient([action(1), *listed]))
    client = ScriptedClient(
        listed, order=Order.APPEND_STABLE, size=4, before=at_page(1, lambda: listed.extend(actions(20, 21)))
    )
    row = read(db, "r1", client)
    assert client.asked == [0, 4, 7, 10]
    assert row["is_complete"]
    assert counts(row) == {"read": 12, "inserted": 2, "unchanged": 10, "vanished": 1}


def test_a_count_that_does_not_match_is_chased_and_then_said(db: Database) -> None:
    class Liar(ScriptedClient):
        def _page(self, *place):  # type: ignore[no-untyped-def]
            page, position = super()._page(*place)
            return type(page)(
                **{**{f: getattr(page, f) for f in page.__struct_fields__}, "total": 12}
            ), position

    row = read(db, "r1", Liar(actions(1, 2, 3)))
    assert not row["is_complete"]
    assert counts(row) == {"read": 3, "inserted": 3}
    assert row["requests"] == 3


def test_a_capped_list_is_incomplete_and_not_asked_for_again(db: Database) -> None:
    read(db, "r0", ScriptedClient(actions(1, 2, 3, 4)))
    client = ScriptedClient(actions(1, 2, 3), capped=True)
    row = read(db, "r1", client)
    assert not row["is_complete"]
    assert client.asked == [0]
    assert not any(row["gone"] for row in purchases(db))


def test_an_append_stable_list_goes_on_at_its_cursor(db: Database) -> None:
    listed = actions(*range(10, 20))
    client = ScriptedClient(listed, order=Order.APPEND_STABLE, size=4)
    break_off(db, client, at=2)
    listed += actions(20, 21)
    row = go_on(db, client)
    assert client.asked == [7, 10]
    assert counts(row) == {"read": 12, "inserted": 12}
    assert (row["resumed"], row["tries"], row["is_complete"]) == (True, 2, True)


def test_a_shifting_list_is_asked_for_its_last_page_again_and_goes_on(db: Database) -> None:
    client = ScriptedClient(actions(*range(10, 20)), size=4)
    break_off(db, client, at=2)
    row = go_on(db, client)
    assert client.asked == [4, 7]
    assert counts(row) == {"read": 10, "inserted": 10}
    assert row["is_complete"]


def test_a_page_with_bad_rows_is_known_again(db: Database) -> None:
    listed = [
        *actions(10, 11),
        action(12, currency=None),
        action(None),
        *actions(14, 15),
        action(16, cart="x"),
    ]
    client = ScriptedClient(listed, size=4)
    break_off(db, client, at=1)
    row = go_on(db, client)
    assert client.asked == [0, 4], "the read goes on"
    assert counts(row) == {"read": 7, "inserted": 4, "rejected": 3}


@pytest.mark.parametrize("size", [2, 3, 4])
def test_a_bad_row_that_a_page_repeats_counts_once(db: Database, size: int) -> None:
    listed = [action(None, cart=n) if n % 2 else action(n, currency=None) for n in range(7)]
    row = read(db, "r1", ScriptedClient(listed, size=size))
    assert counts(row) == {"read": 7, "rejected": 7}
    assert len(rows(db, "SELECT 1 FROM data_sync.rejected_records WHERE times = 1")) == 7
    assert "Rows set aside: 7" in row["warnings"][-1]


@pytest.mark.parametrize("place", [0, 5, 10])
def test_a_list_that_moved_between_two_tries_is_begun_again(db: Database, place: int) -> None:
    listed = actions(*range(10, 20))
    listed[9]["status"] = "approved"
    client = ScriptedClient(listed, size=4)
    break_off(db, client, at=2)
    listed.insert(place, action(1))
    row = go_on(db, client)
    assert client.asked[:2] == [4, 0]
    assert row["is_complete"]
    assert counts(row) == {"read": 11, "inserted": 11}, "as if it had been read once"


def test_tries_that_were_broken_off_do_not_use_up_the_patience_with_a_moving_list(db: Database) -> None:
    listed = actions(*range(10, 20))
    client = ScriptedClient(listed, size=4)
    break_off(db, client, at=2)
    for number in range(4):
        listed.insert(0, action(number))
        step = claim(db, "r1")
        client.asked.clear()
        client.before = at_page(3, lambda: (_ for _ in ()).throw(Broken()))
        with pytest.raises(Broken):
            reader_of(db, step, client).run()
    client.asked.clear()
    client.before = at_page(2, lambda: listed.insert(0, action(5)))
    assert go_on(db, client)["is_complete"]


def test_a_resumed_read_marks_nothing_as_vanished_but_the_next_whole_one_does(db: Database) -> None:
    read(db, "r0", ScriptedClient(actions(*range(10, 20), 99)))
    client = ScriptedClient(actions(*range(10, 20)), size=4)
    break_off(db, client, at=1)
    assert "vanished" not in counts(go_on(db, client))
    assert counts(read(db, "r2", ScriptedClient(actions(*range(10, 20)))))["vanished"] == 1


def test_counts_stay_true_when_changed_rows_are_read_twice(db: Database) -> None:
    listed = actions(*range(10, 20))
    read(db, "r0", ScriptedClient(listed))
    changed = [{**item, "status": "approved"} if item["action_id"] < 15 else item for item in listed]
    client = ScriptedClient(changed, size=4, before=at_page(2, lambda: changed.append(action(20))))
    assert counts(read(db, "r1", client)) == {"read": 11, "inserted": 1, "updated": 5, "unchanged": 5}
    assert changes(db) == [(str(n), "changed", "pending", "approved") for n in range(10, 15)]


def test_a_row_that_a_list_shows_twice_counts_once(db: Database) -> None:
    listed = actions(1, 2, 3, 4, 1, 5)
    assert counts(read(db, "r1", ScriptedClient(listed, size=3))) == {"read": 5, "inserted": 5}


#: A list whose ties change places before one of its pages: before which, and what it is then. The count, and
#: the row that the page repeats, stay what they were.
TIES: dict[str, tuple[int, list[int]]] = {
    "with a row of the page before": (1, [1, 5, 3, 2, 4, 6, 7]),
    "with a row of an earlier page": (2, [7, 2, 3, 4, 5, 6, 1]),
    "with the row that is repeated": (1, [1, 2, 4, 3, 5, 6, 7]),
}


@pytest.mark.parametrize(("page", "then"), TIES.values(), ids=TIES.keys())
def test_ties_that_change_places_lose_no_row_and_mark_none(db: Database, page: int, then: list[int]) -> None:
    listed = actions(*range(1, 8))
    read(db, "r0", ScriptedClient(listed))
    client = ScriptedClient(
        listed, before=at_page(page, lambda: listed.__setitem__(slice(None), actions(*then)))
    )
    row = read(db, "r1", client)
    assert client.asked[page + 1] == 0, "it is begun again"
    assert row["is_complete"]
    assert counts(row) == {"read": 7, "unchanged": 7}
    assert not any(row["gone"] for row in purchases(db))


def test_ties_that_changed_places_between_two_tries_show_as_well(db: Database) -> None:
    listed = actions(*range(1, 8))
    client = ScriptedClient(listed)
    break_off(db, client, at=2)
    listed[:] = actions(7, 2, 3, 4, 5, 6, 1)
    row = go_on(db, client)
    assert client.asked == [3, 5, 0, 3, 5]
    assert row["is_complete"]
    assert keys(db) == [str(n) for n in range(1, 8)]
    assert counts(row) == {"read": 7, "inserted": 7}


def test_ties_that_never_rest_are_taken_as_they_come_and_prove_nothing(db: Database) -> None:
    read(db, "r0", ScriptedClient(actions(*range(1, 6))))
    listed = actions(*range(1, 6))

    def tie(number: int) -> None:
        listed[:] = actions(*((1, 5, 3, 2, 4) if number % 2 else (1, 2, 3, 4, 5)))

    client = ScriptedClient(listed, before=tie)
    row = read(db, "r1", client)
    assert client.asked == [0, 3] * 3
    assert (row["status"], row["is_complete"]) == ("completed", False)
    assert counts(row) == {"read": 4, "unchanged": 4}, "each row counts once, also one that came twice"
    assert "kept showing a row twice" in row["warnings"][0]
    assert not any(row["gone"] for row in purchases(db))


def test_a_row_that_comes_again_with_other_values_is_stored_and_counts_once(db: Database) -> None:
    read(db, "r0", ScriptedClient(actions(*range(1, 6))))
    listed = actions(*range(1, 6))

    def tie(number: int) -> None:
        changed = action(2, status="approved")
        listed[:] = [*actions(1, 5, 3), changed, *actions(4)] if number % 2 else actions(*range(1, 6))

    row = read(db, "r1", ScriptedClient(listed, before=tie))
    assert [found["status"] for found in purchases(db)][1] == "approved"
    assert counts(row) == {"read": 4, "unchanged": 4}
    assert not row["is_complete"]


@pytest.mark.parametrize("size", [3, 10])
@pytest.mark.parametrize("for_ever", [False, True])
def test_one_page_that_shows_a_row_twice_is_a_count_that_does_not_match(
    db: Database, size: int, for_ever: bool
) -> None:
    read(db, "r0", ScriptedClient(actions(*range(1, 6))))
    listed = actions(1, 2, 3, 4, 4)
    pages = 1 if size == 10 else 2
    mend = at_page(pages, lambda: None if for_ever else listed.__setitem__(4, action(5)))
    client = ScriptedClient(listed, size=size, before=mend)
    row = read(db, "r1", client)
    assert len(client.asked) == pages * (3 if for_ever else 2)
    assert row["is_complete"] is not for_ever
    found = 4 if for_ever else 5
    assert counts(row) == {"read": found, "unchanged": found}
    assert not any(row["gone"] for row in purchases(db))


def test_rows_set_aside_are_told_apart_as_well(db: Database) -> None:
    listed = [*actions(1, 2), action(3, currency=None), *actions(4, 5)]
    bad = listed[2]
    client = ScriptedClient(listed, size=2, before=at_page(2, lambda: listed.__setitem__(4, bad)))
    row = read(db, "r1", client)
    assert not row["is_complete"], "the last place of the list shows the third row for ever"
    assert counts(row) == {"read": 4, "inserted": 3, "rejected": 1}
