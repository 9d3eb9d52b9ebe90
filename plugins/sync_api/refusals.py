"""Each refused request is one line in the api-server's log: who asked for what, and why it was refused.

Nothing of a body or a query stands in it, and what a caller wrote cannot begin a line of its own.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow.api_fastapi.core_api.security import bearer_scheme, get_user
from fastapi import Request

if TYPE_CHECKING:
    from sync_api.problems import Problem

log = logging.getLogger(__name__)

#: Characters of an address or a name that are written down, at most.
_LONGEST = 200


async def note(request: Request, problem: Problem) -> None:
    """Write down a request that is refused; what failed on our side is logged where it failed."""
    if 400 <= problem.status < 500:
        method, path, who = _plain(request.method), _plain(request.scope["path"]), _plain(await _who(request))
        log.info("Refused: %s %s with %d %s, user %s", method, path, problem.status, problem.code, who)


async def _who(request: Request) -> str:
    caller = getattr(request.state, "caller", None)
    if caller is not None:
        return str(caller.name)
    try:
        return str((await get_user(request, None, await bearer_scheme(request))).get_name())
    except Exception:
        # Whoever it is, they are refused.
        return "-"


def _plain(text: str) -> str:
    """Return text in visible ASCII, without blanks."""
    return quote(text[:_LONGEST], safe="/:@!$&'()*+,;=", errors="replace")
