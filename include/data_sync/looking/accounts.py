"""The accounts that a person may use and see: those granted to them or to everyone, and all for admins."""

from __future__ import annotations

from typing import Any

from data_sync.accounts import is_account
from data_sync.database import Cursor
from data_sync.looking.viewer import SEES_ACCOUNT, Viewer


def visible_accounts(cursor: Cursor, viewer: Viewer) -> list[dict[str, Any]]:
    """Return the accounts with their state, their last check and their last log, by account."""
    cursor.execute(
        f"""
        SELECT a.account, a.network, a.state, a.everyone, a.check_verdict, a.check_detail, a.checked_at,
            l.last_log
        FROM data_sync.accounts a
        LEFT JOIN LATERAL (
            SELECT jsonb_build_object('id', l.id, 'status', l.status, 'kind', l.kind,
                'created_at', l.created_at, 'finished_at', l.finished_at) AS last_log
            FROM data_sync.sync_logs l WHERE l.account = a.account AND l.kind <> 'check'
            ORDER BY l.id DESC LIMIT 1) l ON true
        WHERE {SEES_ACCOUNT}
        ORDER BY a.account
        """,  # noqa: S608
        viewer.values,
    )
    return [row for row in cursor if is_account(row["account"])]


def sees_account(cursor: Cursor, viewer: Viewer, account: str) -> bool:
    """Tell whether an account is known, and this person may use it."""
    cursor.execute(
        f"SELECT 1 FROM data_sync.accounts a WHERE a.account = %(account)s AND {SEES_ACCOUNT}",  # noqa: S608
        {**viewer.values, "account": account},
    )
    return cursor.fetchone() is not None and is_account(account)
