"""Schedules: looking at them, and the form for them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import Query, Response

from data_sync.accounts import refused_accounts
from data_sync.dag import live
from data_sync.dag.names import dag_id_of
from data_sync.dag.people import is_trusted
from data_sync.dag.switches import read_switches
from data_sync.database import now
from data_sync.errors import ScheduleMissingError
from data_sync.looking import form
from data_sync.looking import schedules as looking
from data_sync.looking.accounts import visible_accounts
from data_sync.looking.preview import preview
from data_sync.schedules.accounts import AccountRef
from data_sync.schedules.date_ranges import DayRange
from data_sync.schedules.fields import KEY_PATTERN, RESERVED_KEYS
from data_sync.schedules.model import Schedule
from data_sync.schedules.problems import ScheduleRefusedError
from network_clients import registry
from sync_api.access import Caller, Reader
from sync_api.definitions import BODY, Definition, accept
from sync_api.problems import problem_of
from sync_api.room import Tables, problems, room, viewer_of
from sync_api.shapes.problem import FieldError
from sync_api.shapes.schedules import (
    AccountChoice,
    Choice,
    Days,
    DryRun,
    FormField,
    Id,
    ScheduleCards,
    ScheduleCollection,
    ScheduleDetail,
    ScheduleEdit,
    ScheduleForm,
    ScheduleItem,
    ScheduleQuery,
)
from sync_api.versions import tag_of

router = room("/schedules", "Schedules")

_IN_GIT = "It is kept in config/schedules.yaml: change it there. Here it can be run and paused only."
_NOT_YOURS = "It belongs to somebody else."


@router.get("")
def list_schedules(
    caller: Reader, db: Tables, query: Annotated[ScheduleQuery, Query()]
) -> ScheduleCollection:
    """List the schedules that you see."""
    switches = _switches(db)
    asked = query.model_dump(exclude={"search", "order"})
    wanted = looking.Wanted(**asked, text=query.search, descending=query.order == "desc")
    with db.transaction() as cursor:
        page = looking.list_page(cursor, viewer_of(caller), wanted, switches)
        cards = looking.cards(cursor, viewer_of(caller), switches)
    return ScheduleCollection(
        items=[ScheduleItem(**item_values(row, caller)) for row in page.rows],
        total_entries=page.total,
        cards=ScheduleCards(**cards),
    )


@router.get("/create")
def get_create_options(caller: Reader, db: Tables) -> ScheduleForm:
    """Say what a form for a new schedule offers: fields, choices, limits, defaults and help."""
    return form_of(caller, db)


@router.post("/dry-run", openapi_extra=BODY, responses=problems(422))
def dry_run_schedule(caller: Reader, db: Tables, definition: Definition) -> DryRun:
    """Check a definition, and say when it would run next and which days it would read. Nothing is stored."""
    try:
        schedule = accept(definition)
    except ScheduleRefusedError as error:
        errors = list(problem_of(error).errors)
        return DryRun(is_valid=False, errors=errors, definition=None, next_runs=[], next_days=None)
    accounts = [ref.conn_id for ref in schedule.networks]
    with db.transaction() as cursor:
        moment = now(cursor)
        trusted = is_trusted(caller.name)
        refused = refused_accounts(cursor, accounts, user=caller.name, trusted=trusted)
    ahead = preview(schedule, moment)
    return DryRun(
        is_valid=not refused,
        errors=[FieldError(field="networks", message=sentence) for sentence in refused.values()],
        definition=schedule.to_dict(),
        next_runs=list(ahead.runs),
        next_days=days_of(ahead.days),
    )


@router.get("/{id}", responses=problems(404))
def get_schedule(caller: Reader, db: Tables, id: Id, response: Response) -> ScheduleDetail:
    """Show one schedule."""
    row, moment = find(caller, db, id)
    response.headers["ETag"] = tag_of(row)
    return detail_of(row, caller, moment)


@router.get("/{id}/edit", responses=problems(404))
def get_edit_options(caller: Reader, db: Tables, id: Id, response: Response) -> ScheduleEdit:
    """Show a schedule in its form; the ETag is what saving it sends back."""
    row, _ = find(caller, db, id)
    response.headers["ETag"] = tag_of(row)
    is_editable = _is_editable(row, caller)
    reason = None if is_editable else _IN_GIT if row["source"] == "yaml" else _NOT_YOURS
    return ScheduleEdit(
        definition=row["definition"], is_editable=is_editable, reason=reason, form=form_of(caller, db)
    )


def find(caller: Caller, db: Tables, key: str) -> tuple[Mapping[str, Any], datetime]:
    """Return what is known about a schedule that the caller sees, and the database's time.

    :raises ScheduleMissingError: also for one that they do not see.
    """
    switch = _switches(db, key).get(key)
    with db.transaction() as cursor:
        found = looking.find(cursor, viewer_of(caller), key, switch)
        moment = now(cursor)
    if found is None:
        raise ScheduleMissingError(f"There is no schedule {key!r}. GET /sync/schedules lists yours.")
    return found, moment


def _switches(db: Tables, key: str | None = None) -> dict[str, looking.Switch]:
    """Return what Airflow knows of the schedules, once those that git has made again are unpaused (law 2)."""
    live.settle_switches(db)
    return read_switches(key)


def item_values(row: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
    """Return the values of an entry of the list."""
    definition = Schedule.from_dict(row["definition"], timed=False)
    same = ("key", "name", "source", "owner", "state", "runs_today", "last_run", "problems", "revision")
    return {
        **{name: row[name] for name in (*same, "updated_at")},
        "is_editable": _is_editable(row, caller),
        "networks": [str(ref) for ref in definition.networks],
        "sync_type": definition.sync_type,
        "timing": timing_of(definition),
        "timezone": definition.timezone,
        "date_range": definition.date_range,
        "max_runs_per_day": definition.max_runs_per_day,
        "next_run": row["next_run"] if row["state"] == "active" else None,
        "is_built": row["has_dag"],
    }


def detail_of(row: Mapping[str, Any], caller: Caller, moment: datetime) -> ScheduleDetail:
    """Return a schedule with all that it says."""
    ahead = preview(Schedule.from_dict(row["definition"]), moment)
    return ScheduleDetail(
        **item_values(row, caller),
        definition=row["definition"],
        dag_id=dag_id_of(row["key"]),
        yaml_line=row["yaml_line"],
        next_runs=list(ahead.runs),
        next_days=days_of(ahead.days),
        created_at=row["created_at"],
    )


def timing_of(schedule: Schedule) -> str:
    """Say when a schedule runs, in the words of its definition."""
    if schedule.interval:
        return f"every {schedule.interval.value}"
    if schedule.times:
        days = ", ".join(day.value for day in schedule.weekdays) or "every day"
        return (
            f"{', '.join(schedule.times)} on {days}"
            if schedule.weekdays
            else f"{', '.join(schedule.times)} {days}"
        )
    return f"cron {schedule.cron}"


def form_of(caller: Caller, db: Tables) -> ScheduleForm:
    """Return the form, with the accounts that the caller may use."""
    with db.transaction() as cursor:
        accounts = visible_accounts(cursor, viewer_of(caller))
    return ScheduleForm(
        fields=[FormField(**field) for field in form.form_fields()],
        networks=[_account(row) for row in accounts if row["state"] != "missing"],
        notify_on=[Choice(**choice) for choice in form.notification_choices()],
        timezones=list(form.timezones()),
        key_pattern=f"^{KEY_PATTERN}$",
        reserved_keys=list(RESERVED_KEYS),
        defaults={"sync_type": "all", "interval": "1d", "timezone": "UTC", "date_range": "last_7_days"},
    )


def _account(row: Mapping[str, Any]) -> AccountChoice:
    return AccountChoice(
        value=str(AccountRef.from_conn_id(row["account"])),
        account=row["account"],
        network=row["network"],
        title=registry.facts_of(row["network"]).title,
        state=row["state"],
        verdict=row["check_verdict"],
    )


def _is_editable(row: Mapping[str, Any], caller: Caller) -> bool:
    return row["source"] == "postgres" and caller.owns(row["owner"])


def days_of(days: DayRange) -> Days:
    """Return a range as it is shown."""
    return Days(first=days.first, last=days.last, count=days.days)
