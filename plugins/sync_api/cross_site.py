"""State-changing calls come from our own screens or from programs, never from another site's page.

Who logs in by a header cannot be used by another site. Airflow's cookie goes along by itself, so with it a
browser must say that the call comes from this site: by ``Sec-Fetch-Site`` or ``Origin``. What is no browser,
and says neither, shows by a header of its own that no form sent it.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from airflow.configuration import conf
from fastapi import Request

from sync_api.problems import Problem

_SAFE = ("GET", "HEAD", "OPTIONS")
#: Any value will do: no page of another site can send it without asking first.
PROOF = "X-Requested-With"


def require_same_site(request: Request) -> None:
    """Refuse a change that another site's page may have sent in somebody's name.

    :raises Problem: 403.
    """
    if request.method in _SAFE or _by_header(request) or _is_ours(request):
        return
    raise Problem(
        403,
        "cross-site",
        "This call comes from the page of another site, or its sender does not say from where. Programs send "
        f"a token in the header Authorization, or, with Airflow's cookie, the header {PROOF}.",
    )


def _by_header(request: Request) -> bool:
    return request.headers.get("authorization", "").lower().startswith("bearer ")


def _is_ours(request: Request) -> bool:
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        return site == "same-origin"
    if origin is not None:
        ours = (request.headers.get("host", ""), urlsplit(conf.get("api", "base_url", fallback="")).netloc)
        return urlsplit(origin).netloc in ours and bool(urlsplit(origin).netloc)
    return PROOF in request.headers
