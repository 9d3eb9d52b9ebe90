"""Which schedules of the screens name accounts that are gone, or that their owners may not use any more.

It is refused when such a schedule is saved and when it runs; in between it is shown as the schedule's
problem, from the first minute on, and goes when the account or the permission is back.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from data_sync.accounts import refused_accounts
from data_sync.catalogue import editing
from data_sync.catalogue.stored import POSTGRES
from data_sync.database import Cursor
from data_sync.schedules.accounts import AccountRef

_LISTED = """
SELECT key, owner, problems, revision, COALESCE(definition -> 'networks', '[]') AS networks
FROM data_sync.sync_schedules WHERE source = %s AND deleted_at IS NULL ORDER BY key
"""

# Not what somebody has edited meanwhile: that was judged when it was saved.
_NOTE = """
UPDATE data_sync.sync_schedules s SET problems = t.problems
FROM jsonb_to_recordset(%s::jsonb) AS t(key text, revision bigint, problems jsonb)
WHERE s.key = t.key AND s.revision = t.revision AND s.source = 'postgres' AND s.deleted_at IS NULL
"""


def note_refused_accounts(cursor: Cursor, *, is_trusted: Callable[[str | None], bool]) -> None:
    """Write the problems of all schedules of the screens anew, those alone that are not so yet.

    :param is_trusted: tells whether an owner may use every account without a grant.
    """
    listed = cursor.execute(_LISTED, [POSTGRES]).fetchall()
    refused = _refused_by_owner(cursor, listed, is_trusted)
    changed = []
    for row in listed:
        sentences = refused[row["owner"]]
        problems = [sentences[account] for account in _accounts_of(row) if account in sentences]
        if problems != row["problems"]:
            changed.append({"key": row["key"], "revision": row["revision"], "problems": problems})
    if changed:
        editing.take_turn(cursor, ())
        cursor.execute(_NOTE, [json.dumps(changed)])


def _refused_by_owner(
    cursor: Cursor, listed: list[dict[str, Any]], is_trusted: Callable[[str | None], bool]
) -> Mapping[str | None, Mapping[str, str]]:
    wanted: defaultdict[str | None, set[str]] = defaultdict(set)
    for row in listed:
        wanted[row["owner"]].update(_accounts_of(row))
    return {
        owner: refused_accounts(cursor, sorted(accounts), user=owner, trusted=is_trusted(owner))
        for owner, accounts in wanted.items()
    }


def _accounts_of(row: Mapping[str, Any]) -> list[str]:
    return [AccountRef.parse(word).conn_id for word in row["networks"]]
