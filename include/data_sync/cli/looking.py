"""``data-sync logs`` and ``data-sync totals``: what ran, and what is in the tables."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from data_sync.cli.output import as_json, open_database, show

_STATUSES = (
    *("pending", "processing", "held"),
    *("completed", "failed", "skipped", "superseded", "cancelled"),
)
_DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.option("--status", type=click.Choice(_STATUSES), help="Only logs in this state.")
@click.option("--account", help="Only logs of this account, such as admitad_default.")
@click.option("--schedule", help="Only logs of this schedule's key.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@as_json
def logs(
    status: str | None, account: str | None, schedule: str | None, limit: int, json_wanted: bool
) -> None:
    """List the newest logs: one per run and account, with rows, requests and the reason of a failure.

    ``swept`` says how many of the requests a maturity sweep has cost: 0 when nothing unsettled was due, empty
    where the schedule asks for none.
    """
    with open_database().transaction() as cursor:
        rows = cursor.execute(
            """
            SELECT l.id, l.created_at AS started, COALESCE(l.schedule_key, l.kind) AS schedule, l.kind,
                l.account, l.status, sum(s.rows_read)::bigint AS read, sum(s.rows_inserted)::bigint AS new,
                sum(s.rows_updated)::bigint AS changed, sum(s.rows_vanished)::bigint AS gone,
                sum(s.rows_rejected)::bigint AS rejected, sum(s.requests)::bigint AS requests,
                CASE WHEN l.metadata ? 'sweep' THEN
                    COALESCE(sum(s.requests) FILTER (WHERE s.sweep IS NOT NULL), 0)::bigint END AS swept,
                concat_ws(' ', COALESCE(l.error ->> 'message', l.reason),
                    (SELECT 'Read again by log ' || min(n.id) || '.' FROM data_sync.sync_runs r
                     JOIN data_sync.sync_logs n ON n.sync_run = r.id WHERE r.retry_of = l.id
                     AND n.status IN ('pending', 'processing', 'held', 'completed', 'superseded'))) AS reason
            FROM (
                SELECT * FROM data_sync.sync_logs
                WHERE (%(status)s::text IS NULL OR status = %(status)s)
                  AND (%(account)s::text IS NULL OR account = %(account)s)
                  AND (%(schedule)s::text IS NULL OR schedule_key = %(schedule)s)
                ORDER BY id DESC LIMIT %(limit)s
            ) l LEFT JOIN data_sync.sync_log_steps s ON s.log_id = l.id
            GROUP BY l.id, l.created_at, l.schedule_key, l.kind, l.account, l.status, l.error, l.reason,
                l.metadata
            ORDER BY l.id DESC
            """,
            {"status": status, "account": account, "schedule": schedule, "limit": limit},
        ).fetchall()
    show(rows, json_wanted=json_wanted, empty="No log matches. Nothing has run yet, or the filter is narrow.")


@click.command()
@click.option("--account", help="Only this account.")
@click.option("--from", "first", type=_DAY, help="First day (the network's), inclusive.")
@click.option("--to", "last", type=_DAY, help="Last day (the network's), inclusive.")
@as_json
def totals(account: str | None, first: datetime | None, last: datetime | None, json_wanted: bool) -> None:
    """Sum the purchases per account, status and currency; rows that vanished are left out.

    ``rows`` counts the network's rows, ``orders`` the orders that they stand for. Where a network reports
    gross and net, orders, commission and sales are net, and what was cancelled stands beside them. Sales in
    another currency than the row's commission are left out.
    """
    with open_database().transaction() as cursor:
        found = cursor.execute(
            """
            SELECT account, COALESCE(status, 'not reported') AS status,
                COALESCE(commission_currency, sale_currency) AS currency, count(*) AS rows,
                sum(orders)::bigint AS orders,
                sum(gross_orders - orders)::bigint AS cancelled_orders, sum(commission) AS commission,
                sum(gross_commission - commission) AS cancelled_commission, sum(sale_amount) FILTER
                    (WHERE sale_currency = COALESCE(commission_currency, sale_currency)) AS sales
            FROM data_sync.purchases
            WHERE vanished_at IS NULL AND (%(account)s::text IS NULL OR account = %(account)s)
              AND (%(first)s::date IS NULL OR day >= %(first)s)
              AND (%(last)s::date IS NULL OR day <= %(last)s)
            GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
            """,
            {"account": account, "first": first, "last": last},
        ).fetchall()
    rows: list[dict[str, Any]] = found
    show(rows, json_wanted=json_wanted, empty="There are no purchases in these days yet.")
