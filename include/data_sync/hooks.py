"""Airflow hooks of the networks' connection types: they let a person's own DAG reach an account.

Airflow wants one class per connection type; each is made from the network's declared facts.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseHook

from data_sync.accounts import credentials_from
from data_sync.provider import hook_class_name
from network_clients import registry
from network_clients.interface import Credentials


class NetworkAccountHook(BaseHook):
    """Reads the credentials of one account from its Airflow connection."""

    conn_name_attr = "account"
    conn_type = ""
    hook_name = ""

    def __init__(self, account: str) -> None:
        super().__init__()
        self.account = account

    def get_conn(self) -> Credentials:
        """Return the account's credentials, as a network client takes them."""
        return credentials_from(self.get_connection(self.account))


def _hook(slug: str) -> type[NetworkAccountHook]:
    facts = registry.facts_of(slug)
    attributes: dict[str, Any] = {
        "__doc__": f"Credentials of one {facts.title} account.",
        "conn_type": facts.connection_type,
        "hook_name": f"{facts.title} (affiliate network)",
        "default_conn_name": f"{slug}_default",
    }
    return type(hook_class_name(slug), (NetworkAccountHook,), attributes)


for _slug in registry.all_networks():
    globals()[hook_class_name(_slug)] = _hook(_slug)
