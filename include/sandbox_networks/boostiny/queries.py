"""The parameters of Boostiny's lists. Those that nobody knows, and ``limit``, are ignored."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from sandbox_networks.boostiny.answers import BadRequestError

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PAGE = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True)
class ReportQuery:
    """One question for report rows: days as ordinals, both inclusive; empty texts ask for every campaign."""

    first: int
    last: int
    campaign_id: str = ""
    campaign_name: str = ""

    def wants(self, number: int, name: str) -> bool:
        """Whether a campaign is asked for, by its id and name."""
        return self.campaign_id in ("", str(number)) and self.campaign_name in ("", name.lower())


def read_page(query: Mapping[str, str]) -> int:
    """Read the 1-based number of a page; what cannot be one is the first page."""
    text = query.get("page", "")
    return int(text) if _PAGE.fullmatch(text) else 1


def read_day(query: Mapping[str, str], name: str) -> int:
    """Read a day as an ordinal.

    :raises BadRequestError: when it is missing or is no day.
    """
    text = query.get(name, "")
    if not text:
        raise BadRequestError(f"The {name} field is required.")
    try:
        return date.fromisoformat(text if _DAY.fullmatch(text) else "").toordinal()
    except ValueError as error:
        raise BadRequestError(f"The {name} does not match the format YYYY-MM-DD.") from error


def read_report_query(query: Mapping[str, str]) -> ReportQuery:
    """Read the parameters of a report.

    :raises BadRequestError: for days that cannot be read or are the wrong way round.
    """
    first, last = read_day(query, "from"), read_day(query, "to")
    if last < first:
        raise BadRequestError("The to must be a date after or equal to from.")
    return ReportQuery(
        first, last, query.get("campaign_id", ""), query.get("campaign_name", "").strip().lower()
    )
