"""What can be chosen about the sandbox's Boostiny."""

from __future__ import annotations

from typing import Annotated

import msgspec

Positive = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]


class BoostinyOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options; nothing of this network is documented, so the defaults are what clients of it expect."""

    keys: Annotated[tuple[Annotated[str, msgspec.Meta(min_length=1)], ...], msgspec.Meta(min_length=1)] = (
        "sandbox-boostiny-secret",
    )
    """API keys, one per publisher. Every key has purchases of its own."""
    zone: str = "UTC"
    """Of days and of ``last_updated_at``; not known."""
    per_page: Positive = 50
    """How many rows a page has, whatever ``limit`` asks for."""
    calls: Positive = 12
    per_seconds: Seconds = 60.0
    """At most ``calls`` in so many seconds per key, over all endpoints; no number is published."""
    lockout_minutes: Seconds = 10.0
    """How long a key is locked out after a call too many, in real time."""
    lockout_header: bool = False
    """Whether a refusal also says ``Retry-After`` in seconds; the text always says minutes."""
    with_dates: bool = True
    """Whether report rows are split by day; if not, there is one per campaign and code for a range."""
    with_summary: bool = True
    """Whether reports come with a ``summary``."""
    summary_rows: bool = False
    """Whether the last page of a report ends with a row of sums that belongs to no campaign."""
    split_by_country: bool = False
    """Whether report rows are split by the customer's country as well."""
    with_last_updated: bool = True
    """Whether report rows say when they changed last."""
    campaigns: Positive = 30

    def __repr__(self) -> str:
        """Show the options without the keys."""
        return f"BoostinyOptions({len(self.keys)} keys, {self.campaigns} campaigns)"
