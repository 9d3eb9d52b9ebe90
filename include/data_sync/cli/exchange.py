"""``data-sync diff``, ``export``, ``import`` and ``reparse``: schedules on their way to and from git."""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from data_sync import catalogue
from data_sync.catalogue import exchange
from data_sync.catalogue.exchange import Difference
from data_sync.catalogue.stored import POSTGRES, YAML
from data_sync.cli.output import as_json, open_database, show
from data_sync.dag.names import dag_id_of
from data_sync.errors import ConfigError, DatabaseError
from data_sync.schedules.fields import check_key
from data_sync.schedules.model import Schedule
from data_sync.schedules.yaml_source import ScheduleFile, read_bytes, read_file
from network_clients import registry

_STANDARD_STREAM = "-"
_DEFAULT_FILE = "config/schedules.yaml"
#: How long a command waits for the dag-processor, in seconds.
_LONGEST_WAIT = 30.0


@dataclass(frozen=True)
class _Known:
    """What a file is compared with.

    :param others: keys of the schedules of the screens.
    :param note: what must be known about it, for people.
    """

    schedules: Mapping[str, Schedule]
    others: frozenset[str] = frozenset()
    note: str = ""


@click.command()
@click.argument("path", default=_DEFAULT_FILE, type=click.Path(path_type=Path))
@click.option("--against", metavar="FILE", help="Compare with this file, - for standard input; no database.")
@as_json
@click.pass_context
def diff(context: click.Context, path: Path, against: str | None, json_wanted: bool) -> None:
    """Show what an edited file of schedules would change: what comes, what goes, which fields change.

    Compared with the schedules of git that are in force, or with another file. Exits 1 when the file has
    problems; entries that have some keep their last good form.
    """
    file = read_file(path, registry.all_networks())
    known = _of_catalogue() if against is None else _of_file(against)
    # A file that cannot be read changes nothing.
    new = _schedules_of(file) if file.is_readable else known.schedules
    found = exchange.compare(known.schedules, new, refused=file.refused_keys)
    if json_wanted:
        click.echo(json.dumps(_as_json(file, found, known), indent=2))
    else:
        for line in (*map(str, file.problems), *_lines(found, known)):
            click.echo(line)
    if file.problems:
        context.exit(1)


def _of_catalogue() -> _Known:
    with open_database().transaction() as cursor:
        ours = catalogue.list_schedules(cursor, source=YAML)
        others = catalogue.list_schedules(cursor, source=POSTGRES)
    return _Known({entry.key: entry.schedule for entry in ours}, frozenset(entry.key for entry in others))


def _of_file(name: str) -> _Known:
    if name == _STANDARD_STREAM:
        data = sys.stdin.buffer.read()
        file = read_bytes(data, registry.all_networks(), file="standard input")
    else:
        file = read_file(name, registry.all_networks())
    if not file.is_readable:
        raise ConfigError(f"Nothing can be compared with {file.file}. {file.problems[0]}")
    refused = ", ".join(sorted(file.refused_keys))
    note = f"In {file.file} these have problems and count as missing: {refused}." if refused else ""
    return _Known(_schedules_of(file), note=note)


def _schedules_of(file: ScheduleFile) -> dict[str, Schedule]:
    return {key: item.schedule for key, item in file.schedules.items()}


def _lines(found: Difference, known: _Known) -> list[str]:
    lines = [known.note] if known.note else []
    for key, schedule in found.added.items():
        clash = " It overrules the schedule of the screens with this key." if key in known.others else ""
        lines.append(f"+ {key}: new.{clash}")
        lines += [f"    {word}: {_shown(value)}" for word, value in exchange.entry_of(schedule).items()]
    for key in found.removed:
        twin = " The schedule of the screens with this key comes back." if key in known.others else ""
        gone = "" if twin else f" Its DAG {dag_id_of(key)} goes; its rows and logs stay."
        lines.append(f"- {key}: removed.{gone}{twin}")
    for key, changes in found.changed.items():
        lines.append(f"~ {key}:")
        lines += [f"    {c.field}: {_shown(c.old)} -> {_shown(c.new)}" for c in changes]
    counts = (len(found.added), len(found.removed), len(found.changed))
    lines.append("{} added, {} removed, {} changed.".format(*counts) if any(counts) else "Nothing changes.")
    return lines


def _shown(value: Any) -> str:
    if value is None:
        return "not set"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _as_json(file: ScheduleFile, found: Difference, known: _Known) -> dict[str, Any]:
    return {
        "problems": [str(problem) for problem in file.problems],
        "kept": sorted(file.refused_keys) if file.is_readable else sorted(known.schedules),
        "added": {key: schedule.to_dict() for key, schedule in found.added.items()},
        "removed": {key: schedule.to_dict() for key, schedule in found.removed.items()},
        "changed": {
            key: {change.field: {"old": change.old, "new": change.new} for change in changes}
            for key, changes in found.changed.items()
        },
        "overruled": sorted(set(found.added) & known.others),
        "coming_back": sorted(set(found.removed) & known.others),
    }


@click.command()
@click.argument("path", default=_STANDARD_STREAM)
@click.option("--force", is_flag=True, help="Overwrite the file if it exists.")
def export(path: str, force: bool) -> None:
    """Write the schedules of the screens in the form of schedules.yaml, to the file PATH or to the shell.

    Their owners are not part of that form.
    """
    with open_database().transaction() as cursor:
        stored = catalogue.list_schedules(cursor, source=POSTGRES)
    text = exchange.render(entry.schedule for entry in stored)
    if path == _STANDARD_STREAM:
        sys.stdout.write(text)
        return
    _write(Path(path), text, force=force)
    click.echo(f"{len(stored)} schedules are in {path}.")


def _write(path: Path, text: str, *, force: bool) -> None:
    """Write a file in one step, so that nobody reads half of it."""
    if not force and path.exists():
        raise ConfigError(f"{path} exists already: name another file, or say --force to overwrite it.")
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error.strerror}).") from None
    finally:
        draft.unlink(missing_ok=True)


@click.command("import")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--owner", required=True, help="The user who owns the schedules that are new.")
@as_json
@click.pass_context
def import_(context: click.Context, path: Path, owner: str, json_wanted: bool) -> None:
    """Make schedules of the screens of the file PATH: all of them, or none when something is wrong.

    Those that are missing are made, those that differ are changed, none is deleted. Doing it again changes
    nothing. Schedules that config/schedules.yaml has too are refused: take them out there first.
    """
    from data_sync.dag import live
    from data_sync.dag import reparse as reparse_room

    file = read_file(path, registry.all_networks())
    if file.problems:
        for problem in file.problems:
            click.echo(str(problem))
        click.echo("Nothing was taken over.", err=True)
        context.exit(1)
    taken = live.take_over(open_database(), _schedules_of(file).values(), owner=owner)
    rows = [{"key": key, "what": what} for key, what in sorted(taken.done.items())]
    show(rows, json_wanted=json_wanted, empty="The file holds no schedule.")
    if taken.note:
        click.echo(taken.note, err=True)
    # A process that has ended asks no more.
    reparse_room.wait_until_read(_LONGEST_WAIT)


@click.command()
@click.argument("keys", nargs=-1, metavar="[KEY...]")
@click.option("--all", "everything", is_flag=True, help="Read all files, also what has not changed.")
@click.option(
    "--wait", default=_LONGEST_WAIT, show_default=True, metavar="SECONDS", help="For so long at most."
)
def reparse(keys: tuple[str, ...], everything: bool, wait: float) -> None:
    """Have the dag-processor read now what has changed, or the files of the schedules KEY...

    A git bundle is fetched before: made for the hook that runs after a push. It waits until the files that
    hold the changes are being read, and shows what is wrong with the schedules. Works where Airflow's
    metadata database can be reached. Schedules that git has made again are unpaused, if a deleted one of
    that key was paused.
    """
    from data_sync.dag import live
    from data_sync.dag import reparse as reparse_room

    if keys and everything:
        raise click.UsageError("Name schedules, or say --all.")
    named = [check_key(key) for key in keys] or None
    deadline = time.monotonic() + wait
    try:
        db = open_database()
        # Where that takes too long, whatever may have changed is asked for.
        is_found = reparse_room.find_anew(db, wait)
        if is_found and not (named or everything):
            files = reparse_room.request_behind_until_read(db)
        else:
            files = reparse_room.request_until_read(db, named)
        unpaused = live.settle_switches(db)
    except DatabaseError as error:
        reparse_room.request(named)
        click.echo(
            "The dag-processor is asked to read the schedules. Whether it does, and whether a schedule is "
            f"paused as a deleted one was, cannot be seen now: {error}",
            err=True,
        )
        return
    for key in unpaused:
        click.echo(f"{key} is not paused any more: a deleted schedule of this key was.")
    _tell_of_reading(files, max(0.0, deadline - time.monotonic()))
    if is_found and (problems := reparse_room.banner()):
        click.echo(problems, err=True)


def _tell_of_reading(files: list[str], seconds: float) -> None:
    from data_sync.dag import reparse as reparse_room

    if not files:
        click.echo("No file is behind: the dag-processor has begun to read each since it changed.")
        return
    left = reparse_room.wait_until_read(seconds)
    if read := sorted(set(files) - set(left)):
        click.echo(f"The dag-processor reads {', '.join(read)}.")
    if left:
        click.echo(f"It has not come to {', '.join(left)} yet. It is asked to: does it run?", err=True)
