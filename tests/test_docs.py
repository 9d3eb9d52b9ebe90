"""What a newcomer reads is true: YAML is valid, SQL and Python run; commands, messages and links exist."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from data_sync.cli import cli
from data_sync.dag.requests import one_off
from data_sync.database import Database
from data_sync.provider import get_provider_info
from data_sync.schedules.model import FIELD_WORDS
from data_sync.schedules.yaml_source import parse, read_file
from network_clients import registry

CHECKOUT = Path(__file__).resolve().parents[1]
PAGES = sorted([*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/**/*.md")])
NAMES = [str(page.relative_to(CHECKOUT)) for page in PAGES]
README = (CHECKOUT / "README.md").read_text()
ALL_TEXT = "\n".join(page.read_text() for page in PAGES)


def blocks(language: str, text: str = ALL_TEXT) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def commands() -> Iterator[list[str]]:
    """Every command line of the pages: those of shell blocks, and those in the running text."""
    built = README.split("## What is not there yet")[0] + ALL_TEXT.replace(README, "")
    lines = [line for block in blocks("sh", built) for line in block.splitlines()]
    for line in [*lines, *re.findall(r"`([^`\n]+)`", built)]:
        words = shlex.split(line.split("  #")[0]) if line.count("'") % 2 == 0 else []
        if words[:2] == ["docker", "compose"] and "exec" in words:
            words = [word for word in words[words.index("exec") + 1 :] if word != "-T"][1:]
        yield words


def named(program: str) -> list[list[str]]:
    return [words[1:] for words in commands() if words and words[0].split("/")[-1] == program and words[1:]]


def headings(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_schedules_of_the_pages_are_valid() -> None:
    texts = blocks("yaml")
    assert texts
    for text in texts:
        read = parse(text, registry.all_networks())
        assert read.problems == ()
        assert read.schedules


def test_every_field_of_a_schedule_is_told() -> None:
    assert [
        word for word in FIELD_WORDS[""] if f"`{word}`" not in README and f"`{word}: " not in README
    ] == []


@pytest.mark.parametrize("statement", blocks("sql"))
def test_the_queries_of_the_pages_run(database: str, statement: str) -> None:
    with Database().transaction() as cursor:
        cursor.execute(statement)
        assert cursor.description is None or cursor.fetchall() == []


def test_the_query_for_declined_purchases_counts_each_turn_once(database: str) -> None:
    (statement,) = [text for text in blocks("sql", README) if "to_status = 'declined'" in text]
    changes = [
        ("turned", "changed", "pending", "declined"),
        ("amount", "changed", "declined", "declined"),
        ("gone", "vanished", "declined", "declined"),
        ("good", "changed", "pending", "approved"),
    ]
    with Database().transaction() as cursor:
        cursor.executemany(
            "INSERT INTO data_sync.purchase_changes (account, key, change, from_status, to_status, log_id) "
            "VALUES ('admitad_default', %s, %s, %s, %s, 1)",
            changes,
        )
        found = cursor.execute(statement).fetchall()
    assert [(row["key"], row["from_status"]) for row in found] == [("turned", "pending")]


def test_the_queries_in_the_running_text_run(database: str) -> None:
    found = re.findall(r"`((?:SELECT|DELETE) [^`]+)`", ALL_TEXT)
    assert found
    for statement in found:
        with Database().transaction() as cursor:
            cursor.execute(statement)


def test_the_pages_on_the_tables_name_them_all_and_no_column_that_is_not_there(database: str) -> None:
    page = (CHECKOUT / "docs" / "data.md").read_text()
    with Database().transaction() as cursor:
        rows = cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'data_sync'"
        ).fetchall()
    tables = {row["table_name"] for row in rows}
    assert [table for table in sorted(tables) if table not in page] == []
    sections = re.split(r"^## ", page, flags=re.MULTILINE)
    for table in ("purchases", "purchase_changes"):
        section = next(text for text in sections if text.startswith(f"{table}\n"))
        there = {row["column_name"] for row in rows if row["table_name"] == table}
        first_cells = " ".join(re.findall(r"^\| (`.+?) \|", section, re.MULTILINE))
        assert set(re.findall(r"`(\w+)`", first_cells)) <= there


def test_the_dag_of_the_readme_waits_for_our_asset(tmp_path: Path) -> None:
    (source,) = blocks("python")
    (tmp_path / "own.py").write_text(source.replace('"purchases")]):', '"purchases")]) as dag:'))
    done = subprocess.run(
        [sys.executable, "-c", "from own import dag; print(dag.task_ids, dag.schedule)"],
        env={**os.environ, "AIRFLOW_HOME": str(tmp_path), "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "['approved_today']" in done.stdout
    assert "data-sync://admitad_default/purchases" in done.stdout


def test_the_query_of_that_dag_runs(database: str) -> None:
    (source,) = blocks("python")
    texts = [node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)]
    (query,) = [text for text in texts if str(text).startswith("SELECT")]
    with Database().transaction() as cursor:
        assert cursor.execute(str(query)).fetchall() == []


@pytest.mark.parametrize("page", NAMES)
def test_every_link_leads_somewhere(page: str) -> None:
    here = CHECKOUT / page
    for text, link in re.findall(r"\[([^\]]+)\]\((?!https?://)([^)]+)\)", here.read_text()):
        path, _, anchor = link.partition("#")
        target = (here.parent / path).resolve() if path else here
        assert target.exists(), link
        assert not anchor or anchor in headings(target), link
        assert not re.fullmatch(r"test_\w+", text) or f"def {text}(" in target.read_text(), text


def test_every_law_names_the_tests_that_show_it_and_each_of_them_exists() -> None:
    page = CHECKOUT / "docs" / "architecture.md"
    rows = re.findall(r"^\| (\d+)\. .+ \| (.+) \|$", page.read_text(), re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 22))
    for number, shown_by in rows:
        named = re.findall(r"\[(test_\w+)\]\(([^)]+)\)", shown_by)
        assert named or "not built" in shown_by, number
        # A name without its link would not be looked for.
        assert len(named) == len(re.findall(r"(?<![/\w])test_\w+(?!\.py)\b", shown_by)), number
        for name, path in named:
            source = ast.parse((page.parent / path).read_text())
            defined = {node.name for node in ast.walk(source) if isinstance(node, ast.FunctionDef)}
            assert name in defined, (number, name)


def test_every_make_target_of_the_pages_exists() -> None:
    makefile = (CHECKOUT / "Makefile").read_text()
    found = {words[0] for words in named("make")}
    assert {"demo", "test", "check", "clean"} <= found
    assert [name for name in found if not re.search(rf"^{name}:", makefile, re.MULTILINE)] == []


def test_every_data_sync_command_of_the_pages_exists_with_its_options() -> None:
    found = named("data-sync")
    assert {words[0] for words in found} == set(cli.commands)
    for first, *rest in found:
        command: click.Command = cli.commands[first]
        while isinstance(command, click.Group) and rest and rest[0] in command.commands:
            command = command.commands[rest.pop(0)]
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in rest if word.startswith("--")} <= known, (first, rest)


def test_every_trigger_of_the_pages_is_one_that_is_understood() -> None:
    keys = read_file(CHECKOUT / "config" / "schedules.yaml", registry.all_networks()).schedules
    triggers = [words[2:] for words in named("airflow") if words[:2] == ["dags", "trigger"]]
    assert len(triggers) > 4
    for dag_id, *rest in triggers:
        conf = json.loads(rest[rest.index("--conf") + 1]) if rest else {}
        schedule = conf.pop("schedule", None)
        assert dag_id == "quick_sync" or dag_id.removeprefix("sync__") in keys
        assert schedule is None or schedule in keys
        if dag_id == "quick_sync" and conf:
            one_off({"networks": ["admitad"], **conf})


def test_every_message_under_troubleshooting_is_one_that_the_code_says() -> None:
    said = "".join(path.read_text() for path in sorted((CHECKOUT / "include").rglob("*.py")))
    joined = re.sub(r'"\s*\n\s*f?"', "", said)
    section = README.split("## When something is wrong")[1].split("\n## ")[0]
    symptoms = re.findall(r"^\| ((?!\*\*|-|you see).+?) \|", section, re.MULTILINE)
    messages = [text for cell in symptoms for text in re.findall(r"`([^`]+)`", cell) if " " in text]
    assert len(messages) > 15
    missing = [
        part for text in messages for part in text.split("...") if part.strip() and part.strip() not in joined
    ]
    assert missing == []


def test_the_fields_of_an_account_and_our_settings_are_told() -> None:
    for slug in registry.all_networks():
        facts = registry.facts_of(slug)
        assert f'"{facts.title} (affiliate network)"' in README
        assert [field.label for field in facts.fields if field.label not in README] == []
    options = get_provider_info()["config"]["data_sync"]["options"]
    assert [name for name in options if f"`{name}`" not in README] == []


def test_an_account_written_as_in_the_readme_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    from data_sync.accounts import load_credentials

    found = re.search(r"^export (AIRFLOW_CONN_ADMITAD_DEFAULT)='(.+)'$", README, re.MULTILINE)
    assert found
    monkeypatch.setenv(found[1], found[2])
    values = load_credentials("admitad_default").values
    assert values == {"login": "CLIENT_ID", "password": "CLIENT_SECRET", "website_id": "12345"}
