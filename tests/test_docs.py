"""What a newcomer reads is true: its YAML is valid, its SQL runs, its links and commands exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from data_sync.cli import cli
from data_sync.database import Database
from data_sync.schedules.yaml_source import parse
from network_clients import registry

CHECKOUT = Path(__file__).resolve().parents[1]
PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (CHECKOUT / "README.md").read_text(), re.DOTALL)


def test_the_schedules_of_the_readme_are_valid() -> None:
    (text,) = blocks("yaml")
    read = parse(text, registry.all_networks())
    assert read.problems == ()
    assert set(read.schedules) == {"today", "last-week", "catalogue"}


@pytest.mark.parametrize("statement", blocks("sql"))
def test_the_queries_of_the_readme_run(db_of_docs: Database, statement: str) -> None:
    with db_of_docs.transaction() as cursor:
        assert cursor.execute(statement).fetchall() == []


@pytest.fixture
def db_of_docs(database: str) -> Database:
    return Database()


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    links = re.findall(r"\]\((?!https?://)([^)#]+)\)", (CHECKOUT / page).read_text())
    assert [link for link in links if not (CHECKOUT / link).exists()] == []


def test_every_make_target_of_the_pages_exists() -> None:
    makefile = (CHECKOUT / "Makefile").read_text()
    text = "".join((CHECKOUT / page).read_text() for page in PAGES)
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE))
    assert {"demo", "test"} <= named
    assert [name for name in named if not re.search(rf"^{name}:", makefile, re.MULTILINE)] == []


def test_every_command_of_the_readme_exists() -> None:
    text = (CHECKOUT / "README.md").read_text().split("## What is not there yet")[0]
    named = set(re.findall(r"`(?:\.venv/bin/)?data-sync ([a-z]+)", text))
    assert {"validate", "migrate", "logs"} <= named
    assert named <= set(cli.commands)
