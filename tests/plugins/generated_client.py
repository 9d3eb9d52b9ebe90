"""Uses a generated client as somebody's script would; run by the generator's own Python, not by pytest.

Arguments: the folder that holds the package ``sync_client``, the address of the API, a token.
"""

from __future__ import annotations

import sys
import uuid

sys.path.insert(0, sys.argv[1])

from sync_client import AuthenticatedClient
from sync_client.api.logs import export_logs, get_log, list_logs, retry_log
from sync_client.api.quick_syncs import plan_sync, start_manual_sync
from sync_client.api.schedules import (
    create_schedule,
    delete_schedule,
    get_create_options,
    get_schedule,
    list_schedules,
    run_schedule,
    toggle_schedule,
    update_schedule,
)
from sync_client.api.settings import get_settings
from sync_client.models import (
    DateRange,
    Interval,
    LogStatus,
    ManualBody,
    ProblemDocument,
    Schedule,
    ScheduleState,
    StartedRun,
    SyncType,
    ToggleBody,
    Weekday,
)

client = AuthenticatedClient(base_url=sys.argv[2], token=sys.argv[3], raise_on_unexpected_status=True)


def schedules() -> None:
    """List, make, change, turn off and delete."""
    form = get_create_options.sync(client=client)
    assert "admitad" in [account.value for account in form.networks]
    hourly = Schedule(
        key="hourly", networks=["admitad"], date_range=DateRange.TODAY, interval=Interval.EVERY_2_HOURS
    )
    once = str(uuid.uuid4())
    made = create_schedule.sync(client=client, body=hourly, idempotency_key=once)
    assert made.definition.interval == Interval.EVERY_2_HOURS
    assert create_schedule.sync(client=client, body=hourly, idempotency_key=once) == made
    found = list_schedules.sync(client=client, state=ScheduleState.ACTIVE, network="admitad")
    assert {item.key for item in found.items} == {"hourly", "nightly", "weekly", "fresh"}
    assert found.total_entries == found.cards.total == 4

    answer = get_schedule.sync_detailed("hourly", client=client)
    # What is shown can be changed and sent back as it is.
    changed = answer.parsed.definition
    changed.interval, changed.times, changed.weekdays = None, ["06:00"], [Weekday.MON]
    tag = answer.headers["ETag"]
    updated = update_schedule.sync_detailed("hourly", client=client, body=changed, if_match=tag)
    assert updated.parsed.timing == "06:00 on mon"
    refused = update_schedule.sync("hourly", client=client, body=changed, if_match=tag)
    assert isinstance(refused, ProblemDocument)
    assert (refused.status, refused.code) == (412, "schedule-changed")

    nightly = get_schedule.sync_detailed("nightly", client=client)
    paused = toggle_schedule.sync(
        "nightly", client=client, body=ToggleBody(active=False), if_match=nightly.headers["ETag"]
    )
    assert paused.state == ScheduleState.PAUSED
    gone = delete_schedule.sync_detailed("hourly", client=client, if_match=updated.headers["ETag"])
    assert gone.status_code == 204
    missing = get_schedule.sync("hourly", client=client)
    assert (missing.status, missing.code) == (404, "schedule-missing")


def runs() -> None:
    """Run now, a quick sync and its plan."""
    once = str(uuid.uuid4())
    run = run_schedule.sync("nightly", client=client, idempotency_key=once)
    assert isinstance(run, StartedRun)
    assert "quick_sync" in run.note, "the schedule has been paused above"
    assert run_schedule.sync("nightly", client=client, idempotency_key=once) == run
    body = ManualBody(networks=["admitad"], sync_type=SyncType.PURCHASES, date_range=DateRange.YESTERDAY)
    plan = plan_sync.sync(client=client, body=body)
    assert plan.accounts[0].account == "admitad_default"
    assert start_manual_sync.sync(client=client, body=body).dag_id == "quick_sync"
    wrong = start_manual_sync.sync(client=client, body=ManualBody(networks=["nonet"]))
    assert [error.field for error in wrong.errors] == ["networks.0"]


def logs() -> None:
    """List, look at one, read it again, export."""
    page = list_logs.sync(client=client, status=LogStatus.FAILED)
    (failed,) = page.items
    detail = get_log.sync(failed.id, client=client)
    assert detail.error.verdict == "wrong credentials"
    assert detail.can_be_retried
    assert isinstance(retry_log.sync(failed.id, client=client), StartedRun)
    text = export_logs.sync_detailed(client=client).content.decode("utf-8-sig")
    assert text.startswith("id,")


schedules()
runs()
logs()
assert get_settings.sync(client=client).versions.data_sync
print("USED")
