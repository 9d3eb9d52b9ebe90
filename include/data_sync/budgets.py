"""What each account has used of its network's limits, what is left, and until when a gate is closed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from data_sync.database import Cursor


@dataclass(frozen=True)
class Budget:
    """One limit as it counts for one account; accounts that share a counter at the network share this too.

    :param allowed: calls per window, the declared margin left out.
    :param per_seconds: the window's length.
    :param used: calls of the window that runs now; zero when none does.
    :param left: how many more this window bears.
    :param closed_until: until when the network wants no calls (aware), where it said so.
    :param reason: the network's own reason for that.
    :param refusals: how often the network has said "too many", ever.
    """

    account: str
    limit_name: str
    allowed: int | None
    per_seconds: float | None
    used: int
    left: int | None
    closed_until: datetime | None
    reason: str | None
    refusals: int


def list_budgets(cursor: Cursor, accounts: Sequence[str] | None = None) -> list[Budget]:
    """Return the budgets of accounts that have made a call, by account and limit.

    :param accounts: only of these.
    """
    cursor.execute(
        """
        SELECT a.account, a.limit_name, r.allowed, r.per_seconds, u.used,
               GREATEST(r.allowed - u.used, 0) AS left,
               CASE WHEN r.gate_until > clock_timestamp() THEN r.gate_until END AS closed_until,
               CASE WHEN r.gate_until > clock_timestamp() THEN r.gate_reason END AS reason, r.refusals
        FROM data_sync.account_limits a JOIN data_sync.rate_limits r USING (identity, limit_name),
        LATERAL (SELECT CASE WHEN r.window_started_at + r.per_seconds * interval '1 second'
                                  > clock_timestamp() THEN r.window_calls ELSE 0 END AS used) u
        WHERE %(accounts)s::text[] IS NULL OR a.account = ANY(%(accounts)s)
        ORDER BY a.account, a.limit_name
        """,
        {"accounts": None if accounts is None else list(accounts)},
    )
    return [Budget(**row) for row in cursor]
