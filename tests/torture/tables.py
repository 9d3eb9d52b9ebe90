"""What the tables hold, and what must hold of them whatever happened: nothing left over, true counts."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import psycopg

from tests.torture.site import Site
from tests.torture.truth import ADMITAD, BOOSTINY, Money, Row, Rows, decoded

ACCOUNTS = (ADMITAD, BOOSTINY)
KINDS = ("purchases", "campaigns", "coupons")
PLACES = tuple((account, kind) for account in ACCOUNTS for kind in KINDS)
Place = tuple[str, str]
Connection = psycopg.Connection[dict[str, Any]]

#: What the history tells of a row, in the order of :data:`tests.torture.truth.Money`.
MONEY = (
    "status", "status_word", "orders", "gross_orders", "sale_amount", "sale_currency", "commission",
    "commission_currency", "gross_sale_amount", "gross_commission",
)  # fmt: skip
_COLUMNS = {
    "purchases": f"{', '.join(MONEY)}, day, campaign_key",
    "campaigns": "name",
    "coupons": "name, code",
}
#: How long a dead client's connection may take to be noticed by the server, in seconds.
_PATIENCE = 20.0


@dataclass(frozen=True)
class Stored:
    """A row as the tables hold it."""

    row: Row
    has_vanished: bool


#: Counts by DAG, account and kind.
Figures = Mapping[tuple[str, str, str], Counter[str]]
Snapshot = Mapping[Place, Mapping[str, Stored]]


def snapshot(connection: Connection) -> Snapshot:
    """Read all rows of all kinds."""
    return {place: _rows(connection, *place) for place in PLACES}


def _rows(connection: Connection, account: str, kind: str) -> Mapping[str, Stored]:
    found = connection.execute(
        f"SELECT key, vanished_at IS NOT NULL AS gone, raw::text AS raw, {_COLUMNS[kind]} "
        f"FROM data_sync.{kind} WHERE account = %s",
        [account],
    )
    rows = {}
    for row in found:
        key, gone, raw, *values = row.values()
        money: Money | None = None
        if kind == "purchases":
            money, values = cast(Money, tuple(values[: len(MONEY)])), values[len(MONEY) :]
        rows[key] = Stored(Row(money, tuple(values), decoded(raw)), gone)
    return rows


def leftovers(site: Site) -> list[str]:
    """Say what a round has left behind: locks, transactions, steps, leases."""
    with site.connect() as connection:
        deadline = time.monotonic() + _PATIENCE
        while (busy := [*_busy(connection)]) and time.monotonic() < deadline:
            time.sleep(0.05)
        return [*busy, *_unfinished(connection)]


def _busy(connection: Connection) -> Iterator[str]:
    found = connection.execute(
        "SELECT pid, state, left(query, 200) AS query FROM pg_stat_activity WHERE datname = "
        "current_database() AND pid <> pg_backend_pid() AND state <> 'idle'"
    )
    for row in found:
        yield f"a connection is still {row['state']}: {row['query']}"
    locks = connection.execute("SELECT pid, objid FROM pg_locks WHERE locktype = 'advisory'")
    yield from (f"an advisory lock is left: {dict(row)}" for row in locks)


def _unfinished(connection: Connection) -> Iterator[str]:
    for said, query in (
        ("a step has not ended",
         "SELECT label, status FROM data_sync.sync_log_steps "
         "WHERE status NOT IN ('completed', 'superseded', 'skipped')"),
        ("a log has not ended",
         "SELECT id, status, error FROM data_sync.sync_logs "
         "WHERE status NOT IN ('completed', 'superseded', 'skipped')"),
        ("a run is open", "SELECT run_id FROM data_sync.sync_runs WHERE state <> 'closed'"),
        ("a schedule's lease is held", "SELECT schedule_key FROM data_sync.schedule_leases"),
        ("pages of a read are still remembered", "SELECT step_id, slice FROM data_sync.sync_step_pages"),
        ("a call's slot is taken",
         "SELECT limit_name FROM data_sync.call_slots WHERE until > clock_timestamp()"),
        ("a temporary table is left",
         "SELECT relname FROM pg_class WHERE relpersistence = 't' AND relkind = 'r'"),
    ):  # fmt: skip
        rows = connection.execute(query).fetchmany(3)
        yield from (f"{said}: {dict(row)}" for row in rows)


def pooled_state(site: Site) -> list[str]:
    """Say what the pooler's shared connections carry along that a next client would meet."""
    if site.pooler is None:
        return []
    said = []
    clients = [psycopg.connect(site.pooler.url(site.database), prepare_threshold=None) for _ in range(6)]
    try:
        # Each is in a transaction at the same time, so each has a server connection of its own.
        for client in clients:
            prepared = client.execute("SELECT name, statement FROM pg_prepared_statements").fetchall()
            changed = client.execute(
                "SELECT name, setting FROM pg_settings WHERE source = 'session' AND name NOT IN "
                "('application_name', 'client_encoding', 'DateStyle', 'TimeZone', 'transaction_isolation', "
                "'transaction_read_only', 'transaction_deferrable')"
            ).fetchall()
            listening = client.execute("SELECT pg_listening_channels()").fetchall()
            for what, found in (("statement", prepared), ("setting", changed), ("channel", listening)):
                said += [f"a pooled connection carries a {what} along: {each}" for each in found]
    finally:
        for client in clients:
            client.close()
    return said


def miscounts(connection: Connection) -> Iterator[str]:
    """Say which counts of steps and logs contradict themselves, the tables or the history."""
    parts = "rows_inserted + rows_updated + rows_unchanged + rows_outdated + rows_rejected"
    found = connection.execute(
        f"SELECT id, label, rows_read, {parts} AS parts FROM data_sync.sync_log_steps "
        f"WHERE rows_read <> {parts} OR rows_unchanged < 0 OR rows_outdated < 0 OR rows_rejected < 0"
    )
    for row in found:
        yield f"a step's counts do not add up: {dict(row)}"
    for account, kind in PLACES:
        total = connection.execute(
            f"SELECT (SELECT count(*) FROM data_sync.{kind} WHERE account = %(account)s) AS rows, "
            "COALESCE(sum(s.rows_inserted), 0) AS inserted FROM data_sync.sync_log_steps s "
            "JOIN data_sync.sync_logs l ON l.id = s.log_id "
            "WHERE l.account = %(account)s AND s.kind = %(kind)s",
            {"account": account, "kind": kind},
        ).fetchone()
        if total and total["rows"] != total["inserted"]:
            inserted = total["inserted"]
            yield f"{account} {kind}: {total['rows']} rows, while all logs together inserted {inserted}"
    yield from _logs_against_history(connection)


def _logs_against_history(connection: Connection) -> Iterator[str]:
    found = connection.execute(
        """
        SELECT l.id, l.account, l.counts, s.written, s.vanished, s.totals, h.changed, h.gone
        FROM data_sync.sync_logs l
        LEFT JOIN LATERAL (
            SELECT sum(rows_inserted + rows_updated) AS written, sum(rows_vanished) AS vanished,
                jsonb_build_object(
                'read', sum(rows_read), 'inserted', sum(rows_inserted), 'updated', sum(rows_updated),
                'unchanged', sum(rows_unchanged), 'outdated', sum(rows_outdated),
                'rejected', sum(rows_rejected), 'vanished', sum(rows_vanished)) AS totals
            FROM data_sync.sync_log_steps WHERE log_id = l.id AND kind = 'purchases'
        ) s ON true
        LEFT JOIN LATERAL (
            SELECT count(DISTINCT key) FILTER (WHERE change <> 'vanished') AS changed,
                   count(*) FILTER (WHERE change = 'vanished') AS gone
            FROM data_sync.purchase_changes WHERE log_id = l.id
        ) h ON true
        """
    )
    for row in found:
        said = f"log {row['id']} of {row['account']}"
        # A row that a log has inserted and then changed counts as inserted.
        if row["changed"] > (row["written"] or 0):
            yield f"{said}: {row['changed']} rows changed by its history, {row['written']} by its counts"
        if row["gone"] != (row["vanished"] or 0):
            yield f"{said}: {row['gone']} rows vanished by its history, {row['vanished']} by its counts"
        told = row["counts"].get("purchases")
        if told is not None and told != row["totals"]:
            yield f"{said}: it says {told}, its steps {row['totals']}"


def figures_of(connection: Connection, first_log: int) -> Figures:
    """Add up the counts of logs from ``first_log`` on, by DAG, account and kind."""
    found = connection.execute(
        """
        SELECT r.dag_id, l.account, s.kind, sum(s.rows_read) AS read, sum(s.rows_inserted) AS inserted,
            sum(s.rows_updated) AS updated, sum(s.rows_unchanged) AS unchanged,
            sum(s.rows_outdated) AS outdated, sum(s.rows_rejected) AS rejected,
            sum(s.rows_vanished) AS vanished, count(*) FILTER (WHERE NOT s.is_complete) AS incomplete
        FROM data_sync.sync_log_steps s JOIN data_sync.sync_logs l ON l.id = s.log_id
        JOIN data_sync.sync_runs r ON r.id = l.sync_run
        WHERE l.id >= %s GROUP BY r.dag_id, l.account, s.kind
        """,
        [first_log],
    )
    sums = {}
    for row in found:
        dag_id, account, kind, *_ = row.values()
        named = ("dag_id", "account", "kind")
        sums[dag_id, account, kind] = Counter(
            {name: int(value) for name, value in row.items() if name not in named}
        )
    return sums


def differences(place: Place, expected: Rows, found: Mapping[str, Stored], *, all_gone: bool) -> list[str]:
    """Say where the rows of a kind are not those that the network has.

    :param all_gone: whether rows that the network no longer has must be marked as vanished.
    """
    name, said = " ".join(place), []
    for key in expected.keys() - found.keys():
        said.append(f"{name} {key}: the network has it, the table does not")
    for key, stored in found.items():
        wanted = expected.get(key)
        if wanted is None:
            if all_gone and not stored.has_vanished:
                said.append(f"{name} {key}: the network no longer has it, and it is not marked")
        elif stored.has_vanished:
            said.append(f"{name} {key}: marked as vanished, and the network has it")
        elif stored.row != wanted:
            said.append(f"{name} {key}: {_difference(wanted, stored.row)}")
    return said


def _difference(wanted: Row, found: Row) -> str:
    for name in ("money", "values"):
        if getattr(wanted, name) != getattr(found, name):
            return f"the network says {getattr(wanted, name)}, the table {getattr(found, name)}"
    return f"the network sends {wanted.raw}, the table keeps {found.raw}"
