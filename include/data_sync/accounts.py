"""Accounts: one Airflow connection of a network's connection type each.

The connection id is the account's key. ``admitad`` in a schedule means ``admitad_default``,
``admitad:shop2`` means ``admitad_shop2``. The table ``accounts`` mirrors which exist and says who may
use them; secrets stay in Airflow.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from data_sync.database import Cursor
from data_sync.errors import AccountMissingError, AccountRefusedError, SecretsUnavailableError
from data_sync.schedules.accounts import AccountRef
from data_sync.schedules.words import RefusedValueError
from network_clients import registry
from network_clients.interface import Credentials

if TYPE_CHECKING:
    from airflow.sdk import Connection

#: Stands for every user in ``data-sync accounts grant CONN_ID everyone``.
EVERYONE = "everyone"


def network_of(account: str) -> str:
    """Return the network's slug of an account's key: the part before the first underscore."""
    return account.split("_", 1)[0]


def is_account(conn_id: str) -> bool:
    """Tell whether a connection id is one that an account of a known network can have."""
    try:
        return AccountRef.from_conn_id(conn_id).network in registry.all_networks() and "_" in conn_id
    except RefusedValueError:
        return False


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

    :raises AccountMissingError: when there is no such network or connection.
    :raises AccountRefusedError: when the connection is of another type.
    :raises SecretsUnavailableError: when it was not found, and a secrets backend did not answer.
    """
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        facts = registry.facts_of(network_of(account))
    except registry.UnknownNetworkError as error:
        raise AccountMissingError(
            f"The account {account!r} belongs to no network that this installation knows. {error}"
        ) from error
    try:
        connection = BaseHook.get_connection(account)
    except AirflowNotFoundException as error:
        _require_answers(account)
        raise AccountMissingError(missing_connection(account)) from error
    if connection.conn_type != facts.connection_type:
        raise AccountRefusedError(
            f"The Airflow connection {account!r} has the type {connection.conn_type!r}. "
            f"Change it to {facts.title} (affiliate network)."
        )
    return credentials_from(connection)


def _require_answers(account: str) -> None:
    """Raise when a secrets backend fails, which Airflow itself takes for "not found".

    :raises SecretsUnavailableError: naming the backend.
    """
    from airflow.sdk.execution_time.supervisor import ensure_secrets_backend_loaded

    for backend in ensure_secrets_backend_loaded():
        try:
            backend.get_connection(conn_id=account)
        except Exception as error:
            raise SecretsUnavailableError(
                f"Whether the Airflow connection {account!r} exists cannot be told now: "
                f"{type(backend).__name__} does not answer ({type(error).__name__})."
            ) from None


def mirror(cursor: Cursor, account: str, *, exists: bool) -> None:
    """Note that an account was found; or was not, where somebody had named it before."""
    if not exists:
        cursor.execute("UPDATE data_sync.accounts SET state = 'missing' WHERE account = %s", [account])
        return
    cursor.execute(
        """
        INSERT INTO data_sync.accounts (account, network, state, seen_at)
        VALUES (%s, %s, 'present', clock_timestamp())
        ON CONFLICT (account) DO UPDATE SET state = excluded.state, seen_at = excluded.seen_at
        """,
        [account, network_of(account)],
    )


def refused_accounts(
    cursor: Cursor, wanted: Iterable[str], *, user: str | None, trusted: bool
) -> dict[str, str]:
    """Return which of these accounts cannot be used, each with what to do about it.

    Asked when a schedule is saved and when its run opens. An account that nobody has looked for yet, or
    whose secrets backend does not answer, is not missing.

    :param user: the author of the schedule or of the quick sync.
    :param trusted: true for schedules kept in git and for admins, who may use every account.
    """
    cursor.execute(
        """
        SELECT w.account, COALESCE(a.state, 'unknown') AS state, a.everyone OR EXISTS (
            SELECT 1 FROM data_sync.account_grants g WHERE g.account = w.account AND g.grantee = %(user)s)
            AS granted
        FROM unnest(%(wanted)s::text[]) AS w(account) LEFT JOIN data_sync.accounts a USING (account)
        """,
        {"wanted": list(wanted), "user": user},
    )
    refused = {}
    for row in cursor:
        account = row["account"]
        if not (trusted or row["granted"]):
            refused[account] = (
                f"{user or 'This user'} may not use the account {account}. An admin can allow it: "
                f"data-sync accounts grant {account} {user or 'USER'}"
            )
        elif row["state"] == "missing":
            refused[account] = missing_connection(account)
    return refused


def missing_connection(account: str) -> str:
    """Return the sentence about an account that has no Airflow connection."""
    title = registry.facts_of(network_of(account)).title
    return (
        f"There is no Airflow connection {account!r}. Add it under Admin, Connections, with the type "
        f"{title} (affiliate network), or take the account out of the schedule."
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
    cursor.execute(
        """
        INSERT INTO data_sync.accounts (account, network)
        SELECT w.account, split_part(w.account, '_', 1) FROM unnest(%s::text[]) AS w(account)
        WHERE NOT EXISTS (SELECT 1 FROM data_sync.accounts a WHERE a.account = w.account)
        ORDER BY w.account ON CONFLICT DO NOTHING
        """,
        [list(accounts)],
    )


def forget_unused(cursor: Cursor) -> list[str]:
    """Forget accounts that never existed and that nothing names any more, such as a name typed wrong once."""
    cursor.execute(
        """
        SELECT a.account FROM data_sync.accounts a
        WHERE a.state = 'missing' AND a.seen_at IS NULL AND NOT a.everyone
          AND NOT EXISTS (SELECT 1 FROM data_sync.account_grants g WHERE g.account = a.account)
        """
    )
    if not (unseen := [row["account"] for row in cursor]):
        return []
    cursor.execute(
        "SELECT DISTINCT jsonb_array_elements_text(definition -> 'networks') AS word "
        "FROM data_sync.sync_schedules WHERE deleted_at IS NULL"
    )
    named = {AccountRef.parse(row["word"]).conn_id for row in cursor}
    unused = [account for account in unseen if account not in named]
    cursor.execute("DELETE FROM data_sync.accounts WHERE account = ANY(%s)", [unused])
    return unused


def list_accounts(cursor: Cursor) -> list[dict[str, Any]]:
    """Return every known account with its state, permissions and last check.

    A row that no account can have, put there by hand or left by a network that is gone, is left out.
    """
    cursor.execute(
        """
        SELECT a.account, a.network, a.state, a.everyone, a.check_verdict, a.checked_at,
               COALESCE(array_agg(g.grantee ORDER BY g.grantee) FILTER (WHERE g.grantee IS NOT NULL), '{}')
                   AS users
        FROM data_sync.accounts a LEFT JOIN data_sync.account_grants g USING (account)
        GROUP BY a.account ORDER BY a.account
        """
    )
    return [row for row in cursor if is_account(row["account"])]
