"""What Airflow learns about this package: connection types with labelled fields, and our settings."""

from __future__ import annotations

from typing import Any

from network_clients import registry
from network_clients.facts import Field, NetworkFacts

#: Columns that every Airflow connection has; a network's other fields live in its extra.
STANDARD_FIELDS = ("host", "port", "schema", "login", "password")


def get_provider_info() -> dict[str, Any]:
    """Return the provider's description in the form of Airflow's ``provider_info.schema.json``."""
    return {
        "package-name": "affiliate-data-sync",
        "name": "Affiliate Data Sync",
        "description": "Campaigns, coupons and purchases of affiliate networks, in your own Postgres.",
        "connection-types": [_connection_type(registry.facts_of(slug)) for slug in registry.all_networks()],
        "config": {"data_sync": {"description": "Settings of Affiliate Data Sync.", "options": _OPTIONS}},
    }


def _connection_type(facts: NetworkFacts) -> dict[str, Any]:
    used = {field.name for field in facts.fields}
    return {
        "connection-type": facts.connection_type,
        "hook-name": f"{facts.title} (affiliate network)",
        "hook-class-name": f"data_sync.hooks.{hook_class_name(facts.slug)}",
        "conn-fields": {f.name: _extra_field(f) for f in facts.fields if f.name not in STANDARD_FIELDS},
        "ui-field-behaviour": {
            "hidden-fields": [name for name in (*STANDARD_FIELDS, "extra") if name not in used],
            "relabeling": {f.name: f.label for f in facts.fields if f.name in STANDARD_FIELDS},
            "placeholders": {f.name: f.default or f.help for f in facts.fields if f.name in STANDARD_FIELDS},
        },
    }


def _extra_field(field: Field) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string" if field.required else ["string", "null"]}
    if field.choices:
        schema["enum"] = [*field.choices] if field.required else [None, *field.choices]
    if field.secret:
        schema["format"] = "password"
    # A default inside the schema would be filled in and saved, as if the account had chosen it.
    default = f" Left empty: {field.default}." if field.default is not None else ""
    return {"label": field.label, "description": f"{field.help}{default}", "schema": schema}


def hook_class_name(slug: str) -> str:
    """Return the name under which :mod:`data_sync.hooks` offers a network's hook."""
    return f"{slug.capitalize()}AccountHook"


def _option(description: str, *, default: str | None = None, example: str | None = None) -> dict[str, Any]:
    return {
        "description": description,
        "version_added": "0.1.0",
        "type": "string",
        "example": example,
        "default": default,
    }


_OPTIONS: dict[str, Any] = {
    "admins": _option(
        "Users, by name and separated by commas, who may use every account in quick syncs and schedules of "
        "their own without a grant. Admins of Airflow's simple auth manager and the user that Airflow runs "
        "as are always among them.",
        default="",
        example="anna,omar",
    ),
    "conn_id": _option("Airflow connection of the Postgres that holds our tables.", default="data_sync"),
    "listen_conn_id": _option(
        "Airflow connection that leads straight to that Postgres, where conn_id goes through a pooler: live "
        "events listen on it. Empty means conn_id; none means never to listen, but to ask twice a second.",
        default="",
        example="data_sync_direct",
    ),
    "max_rejected_share": _option(
        "The share of a unit's rows, from 0 to 1, that may be set aside because they cannot be stored "
        "truthfully; beyond it the unit fails. Units of fewer than 20 rows never do.",
        default="0.2",
    ),
    "schedules_file": _option(
        "Path of schedules.yaml; empty means config/schedules.yaml beside the dags folder.", default=""
    ),
    "state_folder": _option(
        "Where the dag-processor keeps its snapshot of the schedules on this machine; empty means the folder "
        "data_sync below AIRFLOW_HOME.",
        default="",
    ),
    "api_calls_per_minute": _option(
        "Requests to the REST API under /sync that one user may make per minute, over all api-servers.",
        default="600",
    ),
    "api_calls_at_once": _option(
        "How many of them may come at once, before the even pace holds.", default="120"
    ),
    "api_url": _option(
        "Address of Airflow's api-server, for the data-sync command.", example="http://localhost:8080"
    ),
    "api_token": {
        **_option("Access token for Airflow's REST API, for the data-sync command."),
        "sensitive": True,
    },
}
