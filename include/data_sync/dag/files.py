"""The file of schedules that belongs to a DAG file: where it is, which version it is, what it says."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from data_sync import __version__
from data_sync.schedules.yaml_text import Content, UnreadableFileError, read_content

if TYPE_CHECKING:
    from data_sync.schedules.yaml_source import ScheduleFile

FILE_NAME = Path("config", "schedules.yaml")


def schedules_file(dag_file: str) -> Path:
    """Return the path of schedules.yaml: the configured one, else the nearest above the DAG file."""
    from airflow.sdk.configuration import conf

    configured = conf.get("data_sync", "schedules_file", fallback="")
    if configured:
        return Path(configured)
    parents = Path(dag_file).resolve().parents
    return next((p / FILE_NAME for p in parents if (p / FILE_NAME).exists()), parents[1] / FILE_NAME)


def content_of(path: Path) -> Content | UnreadableFileError:
    """Return what a file holds now, or why that cannot be known."""
    try:
        return read_content(path)
    except UnreadableFileError as error:
        return error


def digest_of(content: Content | UnreadableFileError) -> str:
    """Return a hash of what a file holds; empty where it cannot be read."""
    return "" if isinstance(content, UnreadableFileError) else hashlib.sha256(content.data).hexdigest()


def version_of(content: Content | UnreadableFileError) -> str:
    """Name a state of the file; saving it again without a change, or newer code, makes another one."""
    saved = "" if isinstance(content, UnreadableFileError) else f"@{content.revision} {__version__}"
    return digest_of(content) + saved


def parsed(content: Content | UnreadableFileError) -> ScheduleFile:
    """Return what a file says; whatever is in it, this does not raise."""
    # Most parses find the file as it was, and never come here.
    from data_sync.schedules.yaml_source import read_bytes, unreadable
    from network_clients import registry

    if isinstance(content, UnreadableFileError):
        return unreadable(str(FILE_NAME), content)
    return read_bytes(content.data, registry.all_networks(), file=str(FILE_NAME))
