"""Every change exactly once and in order: the history of a round beside what the world went through."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tests.torture.tables import MONEY, Connection, Stored
from tests.torture.truth import Money, Row


def last_change(connection: Connection) -> int:
    """Return the id of the newest change."""
    row = connection.execute("SELECT COALESCE(max(id), 0) AS id FROM data_sync.purchase_changes").fetchone()
    assert row is not None
    found: int = row["id"]
    return found


def broken_histories(
    connection: Connection,
    account: str,
    *,
    since: int,
    before: Mapping[str, Stored],
    after: Mapping[str, Stored],
    went_through: Callable[[str], Sequence[Row | None]],
) -> Iterator[str]:
    """Say whose history of this round is not what its row went through.

    Each row begins where the round before has left it, goes through states that the network really showed,
    one after the other and never back, and ends as the table has it. The networks of the sandbox never bring
    a row back that has gone, so ``returned`` is always wrong.

    :param since: the last change of the round before.
    :param went_through: the states of a row at the moments of the round, ``None`` while it was not there.
    """
    changes: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in connection.execute(
        "SELECT * FROM data_sync.purchase_changes WHERE account = %s AND id > %s ORDER BY id",
        [account, since],
    ):
        changes[row["key"]].append(row)
    for key in after.keys() | changes.keys():
        if problem := _walk(changes[key], before.get(key), after.get(key), went_through(key)):
            told = [(each["change"], _sides(each)) for each in changes[key]]
            yield f"{account} purchases {key}: {problem}; its history of this round: {told}"


def _walk(
    changes: Sequence[Mapping[str, Any]],
    before: Stored | None,
    after: Stored | None,
    states: Sequence[Row | None],
) -> str | None:
    if after is None:
        return "the history names a row that the table does not have"
    if before is not None:
        money, gone, place = before.row.money, before.has_vanished, 0
    else:
        money, gone = _sides(changes[0])[0] if changes else after.row.money, False
        if (place := _next(states, 0, money)) < 0:
            return f"it was first stored as {money}, which the network never said"
    for change in changes:
        if problem := _step(change, money, states, place, gone=gone):
            return problem
        gone = change["change"] == "vanished"
        money = _sides(change)[1]
        place = _next(states, place, None if gone else money)
    if (money, gone) != (after.row.money, after.has_vanished):
        return f"its history ends at {money}, the table has {after.row.money}, gone: {after.has_vanished}"
    return None


def _step(
    change: Mapping[str, Any], money: Money | None, states: Sequence[Row | None], place: int, *, gone: bool
) -> str | None:
    old, new = _sides(change)
    if old != money:
        return f"a change begins at {old}, while it was {money}"
    if gone or change["change"] == "returned":
        return "it came back, or changed after it was gone"
    if change["change"] == "vanished":
        right = new == old and _next(states, place, None) >= 0
        return None if right else "it was marked as vanished while the network had it"
    right = new != old and _next(states, place, new) >= 0
    return None if right else f"it became {new}, which the network did not say then"


def _next(states: Sequence[Row | None], place: int, money: Money | None) -> int:
    """Find where a state comes next, -1 for nowhere; ``None`` stands for being gone."""
    for at in range(place, len(states)):
        row = states[at]
        if (row.money if row else None) == money:
            return at
    return -1


def _sides(change: Mapping[str, Any]) -> tuple[Money, Money]:
    sides = [tuple(change[f"{side}_{name}"] for name in MONEY) for side in ("from", "to")]
    return sides[0], sides[1]
