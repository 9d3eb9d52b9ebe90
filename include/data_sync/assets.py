"""The Airflow assets that a run announces: one per account and kind, when it was read completely.

A DAG of your own starts when fresh rows are there: ``schedule=[asset_of("admitad_default", "purchases")]``.
"""

from __future__ import annotations

from airflow.sdk import Asset

#: Name of the alias through which ``close_run`` announces its assets.
ALIAS = "data_sync"


def asset_of(account: str, kind: str) -> Asset:
    """Return the asset of an account's rows of one kind (campaigns, coupons or purchases)."""
    return Asset(name=f"{account} {kind}", uri=f"data-sync://{account}/{kind}")
