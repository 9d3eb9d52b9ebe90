"""What can be chosen about the sandbox's Admitad."""

from __future__ import annotations

from typing import Annotated

import msgspec

Positive = Annotated[int, msgspec.Meta(ge=1)]
PAGE_LIMIT = 500
"""The most rows of a page."""


class App(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One application of a publisher, with its ad spaces. Every application has purchases of its own."""

    client_id: str = "sandbox-admitad-id"
    secret: str = "sandbox-admitad-secret"
    websites: Annotated[tuple[int, ...], msgspec.Meta(min_length=1)] = (2200101, 2200102)

    def __repr__(self) -> str:
        """Show the application without its secret."""
        return f"App({self.client_id!r})"


class AdmitadOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options; what the network's documentation leaves open is here, with our best guess as default."""

    apps: Annotated[tuple[App, ...], msgspec.Meta(min_length=1)] = (App(),)
    zone: str = "Europe/Moscow"
    """Of naive times and of days; not documented, Moscow time is plausible."""
    calls: Positive = 600
    per_seconds: Annotated[float, msgspec.Meta(gt=0)] = 60.0
    """At most ``calls`` in so many seconds per application (documented: 600 per minute)."""
    live_tokens: Positive = 10
    """How many tokens of one application live at once; that there is a cap is documented, its size is not."""
    token_seconds: Positive = 604_800
    expires_in_as_text: bool = False
    websites_as_list: bool = False
    """Whether ``/websites/v2/`` answers with a bare array; clients disagree."""
    paid_moves_status_updated: bool = False
    """Whether the payout counts as a change of status; not known."""
    campaigns: Positive = 40
    coupons: Positive = 120
