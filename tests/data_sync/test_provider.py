"""What Airflow learns about us: connection types whose secrets it hides."""

from __future__ import annotations

import json
from importlib.metadata import distribution, entry_points
from importlib.resources import files

import jsonschema
import pytest
from airflow.sdk._shared.secrets_masker import should_hide_value_for_key

from data_sync import hooks, provider
from network_clients import registry


def test_the_description_has_the_form_that_airflow_wants() -> None:
    schema = json.loads(files("airflow").joinpath("provider_info.schema.json").read_text())
    jsonschema.validate(provider.get_provider_info(), schema)


def test_the_provider_is_found_under_its_own_distribution() -> None:
    (found,) = [e for e in entry_points(group="apache_airflow_provider") if e.module == "data_sync.provider"]
    assert found.dist is not None
    assert found.load()()["package-name"] == found.dist.name == distribution("affiliate-data-sync").name


@pytest.mark.parametrize("slug", registry.all_networks())
def test_every_secret_field_is_one_that_airflow_hides(slug: str) -> None:
    for field in registry.facts_of(slug).fields:
        if field.secret and field.name != "password":
            assert should_hide_value_for_key(field.name), f"{slug}: {field.name} would be shown"


@pytest.mark.parametrize("slug", registry.all_networks())
def test_every_connection_type_has_its_hook_and_labelled_fields(slug: str) -> None:
    facts = registry.facts_of(slug)
    (described,) = [
        entry
        for entry in provider.get_provider_info()["connection-types"]
        if entry["connection-type"] == facts.connection_type
    ]
    hook = getattr(hooks, described["hook-class-name"].rpartition(".")[2])
    assert hook.conn_type == facts.connection_type
    labels = described["ui-field-behaviour"]["relabeling"] | {
        name: field["label"] for name, field in described["conn-fields"].items()
    }
    assert labels == {field.name: field.label for field in facts.fields}
