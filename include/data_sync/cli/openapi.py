"""``data-sync openapi``: the document of the REST API, without any service."""

from __future__ import annotations

import contextlib
import json
import sys
import warnings
from pathlib import Path

import click

from data_sync.errors import ConfigError

_BESIDE = Path(__file__).parents[3] / "plugins"


@click.command()
def openapi() -> None:
    """Print the OpenAPI document of the REST API under /sync, for generators of clients.

    It is read from the code in Airflow's folder of plugins; nothing needs to run.
    """
    folder = _plugins_folder()
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    # Airflow writes the warnings of its libraries where the document goes.
    with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
        warnings.simplefilter("ignore")
        from sync_api.app import document

        found = document()
    click.echo(json.dumps(found, indent=2, ensure_ascii=False))


def _plugins_folder() -> Path:
    from airflow.sdk.configuration import conf

    places = [Path(conf.get("core", "plugins_folder", fallback="") or _BESIDE), _BESIDE]
    for folder in places:
        if (folder / "sync_api").is_dir():
            return folder
    raise ConfigError(
        f"The folder of plugins {places[0]} does not hold the package sync_api: set [core] plugins_folder to "
        "the folder plugins of this project."
    )
