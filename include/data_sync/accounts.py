"""Accounts: one Airflow connection of a network's connection type each.

The connection id is the account's key. ``admitad`` in a schedule means ``admitad_default``,
``admitad:shop2`` means ``admitad_shop2``. The table ``accounts`` mirrors which exist and says who may
use them; secrets stay in Airflow.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from data_sync.database import Cursor
from data_sync.errors import AccountRefusedError
from network_clients import registry
from network_clients.interface import Credentials

if TYPE_CHECKING:
    from airflow.sdk import Connection

#: Stands for every user in ``data-sync accounts grant CONN_ID everyone``.
EVERYONE = "everyone"


def network_of(account: str) -> str:
    """Return the network's slug of an account's key: the part before the first underscore."""
    return account.split("_", 1)[0]


def credentials_from(connection: Connection) -> Credentials:
    """Turn an Airflow connection into what a network client is handed."""
    values: dict[str, str] = {
        name: str(value)
        for name, value in connection.extra_dejson.items()
        if value is not None and not isinstance(value, dict | list)
    }
    for name in ("host", "schema", "login", "password", "port"):
        if value := getattr(connection, name, None):
            values[name] = str(value)
    return Credentials(account=connection.conn_id, values=values)


def load_credentials(account: str) -> Credentials:
    """Read an account's connection through Airflow.

    :raises AccountRefusedError: when there is no such network or connection, or it is of another type.
    """
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        facts = registry.facts_of(network_of(account))
    except registry.UnknownNetworkError as error:
        raise AccountRefusedError(
            f"The account {account!r} belongs to no network that this installation knows. {error}"
        ) from error
    try:
        connection = BaseHook.get_connection(account)
    except AirflowNotFoundException as error:
        raise AccountRefusedError(
            f"There is no Airflow connection {account!r}. Add it under Admin, Connections, with the type "
            f"{facts.title} (affiliate network), or take the account out of the schedule."
        ) from error
    if connection.conn_type != facts.connection_type:
        raise AccountRefusedError(
            f"The Airflow connection {account!r} has the type {connection.conn_type!r}. "
            f"Change it to {facts.title} (affiliate network)."
        )
    return credentials_from(connection)


def mirror(cursor: Cursor, account: str, *, exists: bool) -> None:
    """Note that an account was found, or was not."""
    cursor.execute(
        """
        INSERT INTO data_sync.accounts (account, network, state, seen_at)
        VALUES (%(account)s, %(network)s, %(state)s, CASE WHEN %(exists)s THEN clock_timestamp() END)
        ON CONFLICT (account) DO UPDATE SET state = excluded.state,
            seen_at = COALESCE(excluded.seen_at, accounts.seen_at)
        """,
        {
            "account": account,
            "network": network_of(account),
            "state": "present" if exists else "missing",
            "exists": exists,
        },
    )


def require_permission(cursor: Cursor, account: str, *, user: str | None, trusted: bool) -> None:
    """Raise unless a run of this author may use the account.

    :param user: the author of the schedule or of the quick sync.
    :param trusted: true for schedules kept in git and for admins, who may use every account.
    :raises AccountRefusedError: saying which command gives the permission.
    """
    if trusted:
        return
    row = cursor.execute(
        """
        SELECT 1 FROM data_sync.accounts a WHERE a.account = %(account)s AND (a.everyone OR EXISTS (
            SELECT 1 FROM data_sync.account_grants g WHERE g.account = a.account AND g.grantee = %(user)s))
        """,
        {"account": account, "user": user},
    ).fetchone()
    if row is None:
        raise AccountRefusedError(
            f"{user or 'This user'} may not use the account {account}. An admin can allow it: "
            f"data-sync accounts grant {account} {user or 'USER'}"
        )


def grant(cursor: Cursor, account: str, grantee: str, *, by: str | None = None) -> None:
    """Let a user, or everyone, use and see an account."""
    mirror_unknown(cursor, [account])
    if grantee == EVERYONE:
        cursor.execute("UPDATE data_sync.accounts SET everyone = true WHERE account = %s", [account])
        return
    cursor.execute(
        "INSERT INTO data_sync.account_grants (account, grantee, granted_by) VALUES (%s, %s, %s) "
        "ON CONFLICT DO NOTHING",
        [account, grantee, by],
    )


def revoke(cursor: Cursor, account: str, grantee: str) -> None:
    """Take a permission back; ``everyone`` takes back the general one and leaves the users' own."""
    if grantee == EVERYONE:
        cursor.execute("UPDATE data_sync.accounts SET everyone = false WHERE account = %s", [account])
        return
    cursor.execute(
        "DELETE FROM data_sync.account_grants WHERE account = %s AND grantee = %s", [account, grantee]
    )


def mirror_unknown(cursor: Cursor, accounts: Iterable[str]) -> None:
    """Make a row for accounts that have none yet, without saying whether they exist."""
    for account in accounts:
        cursor.execute(
            "INSERT INTO data_sync.accounts (account, network) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            [account, network_of(account)],
        )


def list_accounts(cursor: Cursor) -> list[dict[str, Any]]:
    """Return every known account with its state, permissions and last check."""
    return cursor.execute(
        """
        SELECT a.account, a.network, a.state, a.everyone, a.check_verdict, a.checked_at,
               COALESCE(array_agg(g.grantee ORDER BY g.grantee) FILTER (WHERE g.grantee IS NOT NULL), '{}')
                   AS users
        FROM data_sync.accounts a LEFT JOIN data_sync.account_grants g USING (account)
        GROUP BY a.account ORDER BY a.account
        """
    ).fetchall()
