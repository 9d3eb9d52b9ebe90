"""A schedule's definition: what it accepts, its canonical form, and how ``defaults`` reach it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_sync.schedules import json_schema
from data_sync.schedules.accounts import AccountRef
from data_sync.schedules.fields import RESERVED_KEYS
from data_sync.schedules.model import FIELD_WORDS, Schedule
from data_sync.schedules.problems import ScheduleRefusedError
from data_sync.schedules.timing import When, next_runs
from data_sync.schedules.words import DateRange, Interval, RefusedValueError
from data_sync.schedules.yaml_source import parse, read_file

EXAMPLES = json_schema.FILE.with_name("schedules.yaml")
NETWORKS = {"admitad", "boostiny"}
MINIMAL = {"key": "hourly", "networks": ["admitad"], "interval": "1h", "date_range": "today"}

clock_times = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
timings = st.one_of(
    st.fixed_dictionaries({"interval": st.sampled_from([*map(str, Interval)])}),
    st.fixed_dictionaries({"cron": st.sampled_from(["0 6 * * *", "@daily", "*/5 * * * 1-5"])}),
    st.fixed_dictionaries(
        {"times": st.lists(clock_times, min_size=1, max_size=5)},
        optional={"weekdays": st.lists(st.sampled_from(["mon", "Tuesday", "SUN"]), max_size=3)},
    ),
)
ranges = st.one_of(
    st.sampled_from([name for name in map(str, DateRange) if name != "custom"]).map(
        lambda name: {"date_range": name}
    ),
    st.just({"date_range": "custom", "from": "2026-01-01", "to": "2026-01-31"}),
)
others = st.fixed_dictionaries(
    {"networks": st.sampled_from([["admitad"], ["admitad", "admitad:shop2"]])},
    optional={
        "name": st.text("abc é", min_size=1),
        "sync_type": st.sampled_from(["all", "campaigns", "coupons", "purchases"]),
        "timezone": st.sampled_from(["UTC", "Asia/Dubai"]),
        "max_runs_per_day": st.integers(1, 1440),
        "active": st.booleans(),
        "visible_to": st.sampled_from(["everyone", [], ["anna", "omar"]]),
        "start_date": st.just("2026-01-01"),
        "notifications": st.just([{"on": ["failure"], "to": ["ops@example.com", "slack_ops"]}]),
    },
)
definitions = st.builds(
    lambda *parts: {"key": "k", **parts[0], **parts[1], **parts[2]}, timings, ranges, others
)


@settings(deadline=None)
@given(definitions)
def test_a_definition_comes_back_from_its_json_unchanged(data: dict[str, Any]) -> None:
    schedule = Schedule.from_dict(data, networks=NETWORKS)
    again = Schedule.from_dict(json.loads(json.dumps(schedule.to_dict())))
    assert again == schedule
    assert again.to_dict() == schedule.to_dict()
    assert again.definition_hash == schedule.definition_hash


@settings(deadline=None)
@given(definitions)
def test_yaml_and_json_mean_the_same(data: dict[str, Any]) -> None:
    entry = {word: value for word, value in data.items() if word != "key"}
    file = parse(yaml.safe_dump({"schedules": {"k": entry}}), NETWORKS)
    assert [str(problem) for problem in file.problems] == []
    assert file.schedules["k"].schedule == Schedule.from_dict(data)


def test_the_hash_is_the_same_in_any_process_and_order() -> None:
    code = (
        "import json, sys; from data_sync.schedules.model import Schedule;"
        "print(Schedule.from_dict(json.loads(sys.argv[1])).definition_hash)"
    )
    backwards = dict(reversed(MINIMAL.items()))
    for seed in ("1", "2"):
        command = [sys.executable, "-c", code, json.dumps(backwards)]
        result = subprocess.run(
            command, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONHASHSEED": seed}
        )
        assert result.stdout.strip() == Schedule.from_dict(MINIMAL).definition_hash


def test_spelling_does_not_change_a_definition() -> None:
    one = {**MINIMAL, "interval": None, "times": ["18:30", "6:00"], "weekdays": ["Friday", "mon"]}
    other = {**MINIMAL, "interval": None, "times": ["06:00", "18:30", "18:30"], "weekdays": ["MON", "fri"]}
    assert Schedule.from_dict(one).definition_hash == Schedule.from_dict(other).definition_hash
    assert Schedule.from_dict(one).times == ("06:00", "18:30")
    changed = {**MINIMAL, "max_runs_per_day": 3}
    assert Schedule.from_dict(changed).definition_hash != Schedule.from_dict(MINIMAL).definition_hash


def test_every_wrong_field_is_named_at_once() -> None:
    with pytest.raises(ScheduleRefusedError) as caught:
        Schedule.from_dict({**MINIMAL, "interval": "3h", "active": "perhaps", "owner": "x"})
    assert {finding.field for finding in caught.value.findings} == {"interval", "active", "owner"}


@pytest.mark.parametrize("value", [86400, "86400", 1.5, True, [], "2026-3-1", "2026-03-01T00:00"])
def test_only_a_written_date_is_a_date(value: object) -> None:
    with pytest.raises(ScheduleRefusedError, match="is not a date"):
        Schedule.from_dict({**MINIMAL, "start_date": value})


@pytest.mark.parametrize("value", [630, 6.5, None, "", "6", "six"])
def test_only_a_written_clock_time_is_a_clock_time(value: object) -> None:
    with pytest.raises(ScheduleRefusedError, match="is not a clock time"):
        Schedule.from_dict({**MINIMAL, "interval": None, "times": [value]})


def test_a_schedule_knows_when_it_runs_and_which_days_it_reads() -> None:
    schedule = Schedule.from_dict(
        {**MINIMAL, "interval": None, "times": ["06:00"], "timezone": "Asia/Dubai", "date_range": "yesterday"}
    )
    assert schedule.when == When(("0 6 * * *",), "Asia/Dubai")
    (tick,) = next_runs(schedule.when, datetime(2026, 3, 1, tzinfo=UTC), 1)
    assert tick.isoformat() == "2026-03-01T02:00:00+00:00"
    assert str(schedule.days(tick)) == "2026-02-28..2026-02-28"


def test_what_somebody_asks_for_once_needs_no_timing() -> None:
    once = {"key": "once", "networks": ["admitad"], "date_range": "today"}
    schedule = Schedule.from_dict(once, timed=False)
    assert next_runs(schedule.when, datetime(2026, 3, 1, tzinfo=UTC), 3) == []
    with pytest.raises(ScheduleRefusedError, match="nothing says when it runs"):
        Schedule.from_dict(once)


def test_catalogues_need_no_date_range() -> None:
    campaigns = {"key": "k", "networks": ["admitad"], "interval": "1d", "sync_type": "campaigns"}
    assert Schedule.from_dict(campaigns).date_range is DateRange.TODAY
    with pytest.raises(ScheduleRefusedError, match="date_range is missing"):
        Schedule.from_dict({**campaigns, "sync_type": "purchases"})


def test_accounts_lead_to_connections_and_groups_and_back() -> None:
    shop, default = AccountRef.parse("admitad:shop2"), AccountRef.parse("admitad:default")
    assert (shop.conn_id, shop.group_id, str(shop)) == ("admitad_shop2", "admitad__shop2", "admitad:shop2")
    assert (default.conn_id, default.group_id, str(default)) == ("admitad_default", "admitad", "admitad")
    for ref in (shop, default, AccountRef("admitad", "a__b")):
        assert AccountRef.parse(str(ref)) == ref
        assert AccountRef.from_conn_id(ref.conn_id) == ref
        assert AccountRef.from_group_id(ref.group_id) == ref
    for word in ("", "Admitad", "admitad:", "admitad:_x", "ad_mitad", None, 7):
        with pytest.raises(RefusedValueError):
            AccountRef.parse(word)


def merged(defaults: str, entry: str) -> Schedule:
    file = parse(f"defaults: {{{defaults}}}\nschedules: {{k: {{{entry}}}}}\n", NETWORKS)
    assert [str(problem) for problem in file.problems] == []
    return file.schedules["k"].schedule


def test_an_entry_takes_over_defaults_and_may_replace_them() -> None:
    base = "networks: [admitad], date_range: custom, from: 2026-01-01, to: 2026-01-02, timezone: Asia/Dubai"
    assert merged(base, "interval: 1h").timezone == "Asia/Dubai"
    assert merged(base, "interval: 1h, timezone: UTC").timezone == "UTC"
    assert merged(base, "interval: 1h, date_range: today").range_from is None
    assert merged(f"{base}, interval: 1h", "cron: '0 6 * * *'").interval is None
    assert merged(f"{base}, times: [06:00], weekdays: [mon]", "interval: 2h").weekdays == ()
    assert merged(f"{base}, times: [06:00]", "weekdays: [mon]").times == ("06:00",)
    assert (
        merged(f"{base}, interval: 1h, max_runs_per_day: 5", "max_runs_per_day: null").max_runs_per_day
        is None
    )
    assert merged(f"{base}, interval: 1h", "cron: ~").interval is Interval.HOURLY


def test_values_that_yaml_would_turn_into_something_else_survive() -> None:
    text = "name: 1_000, times: [10:30, 1:05], visible_to: [no, 007], networks: [admitad], date_range: today"
    schedule = parse(f"schedules: {{on: {{{text}}}}}", NETWORKS).schedules["on"].schedule
    assert schedule.times == ("01:05", "10:30")
    assert schedule.visible_to == ("no", "007")
    assert schedule.name == "1_000"


def test_a_small_number_of_anchors_is_fine() -> None:
    text = "schedules:\n  a: &a {networks: [admitad], interval: 1h, date_range: today}\n  b: *a\n"
    assert set(parse(text, NETWORKS).schedules) == {"a", "b"}


def test_no_schedules_at_all_must_be_said() -> None:
    file = parse("schedules: {}\n", NETWORKS)
    assert file.is_readable
    assert not file.schedules
    assert not file.problems


def test_the_shipped_examples_are_right() -> None:
    file = read_file(EXAMPLES, NETWORKS)
    assert [str(problem) for problem in file.problems] == []
    assert len(file.schedules) >= 5
    assert EXAMPLES.read_text().startswith(f"# yaml-language-server: $schema={json_schema.FILE.name}\n")
    jsonschema.validate(as_an_editor_sees(EXAMPLES.read_text()), json.loads(json_schema.render()))


def as_an_editor_sees(text: str) -> Any:
    return json.loads(json.dumps(yaml.safe_load(text), default=str))


def test_the_committed_schema_is_current() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(json_schema.render()))
    assert json_schema.FILE.read_text() == json_schema.render(), (
        "run: .venv/bin/python -m data_sync.schedules.json_schema"
    )


@settings(deadline=None)
@given(definitions)
def test_the_schema_accepts_what_the_model_accepts(data: dict[str, Any]) -> None:
    schema = jsonschema.Draft202012Validator(json.loads(json_schema.render()))
    canonical = {word: value for word, value in Schedule.from_dict(data).to_dict().items() if word != "key"}
    given_entry = {word: value for word, value in data.items() if word != "key"}
    for entry in (given_entry, {word: value for word, value in canonical.items() if value != []}):
        lower = (
            {**entry, "weekdays": [day.lower() for day in entry["weekdays"]]}
            if "weekdays" in entry
            else entry
        )
        schema.validate({"schedules": {"k": lower}})


def test_the_schema_describes_every_field() -> None:
    schema = json.loads(json_schema.render())
    fields = schema["$defs"]["Schedule"]["properties"]
    assert set(fields) == set(FIELD_WORDS[""])
    assert all(field.get("description") for field in fields.values())


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_damaged_files_never_raise(data: st.DataObject) -> None:
    text = EXAMPLES.read_text()
    place = data.draw(st.integers(0, len(text)))
    length = data.draw(st.integers(0, 30))
    noise = data.draw(st.one_of(st.text(max_size=6), st.text("\t\n:-[]{}&*!|>'\"%@`#,? ", max_size=6)))
    file = parse(text[:place] + noise + text[place + length :], NETWORKS)
    assert file.is_readable or file.problems
    assert all(problem.line >= 1 for problem in file.problems)


def test_the_room_knows_neither_airflow_nor_postgres() -> None:
    code = (
        "import sys, data_sync.schedules.validate, data_sync.schedules.planning;"
        "import data_sync.schedules.json_schema;"
        "print([name for name in ('airflow', 'psycopg', 'sqlalchemy') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_a_thousand_schedules_are_read_at_once() -> None:
    entries = "".join(
        f"  s{n}:\n    networks: [admitad]\n    cron: '{n % 60} * * * *'\n    date_range: today\n"
        for n in range(1000)
    )
    assert len(parse("schedules:\n" + entries, NETWORKS).schedules) == 1000


@pytest.mark.parametrize("key", RESERVED_KEYS)
def test_a_key_that_the_api_uses_as_a_word_is_refused_when_it_is_written_and_kept_when_it_is_read(
    key: str,
) -> None:
    with pytest.raises(ScheduleRefusedError, match=f"write another one such as {key}-sync"):
        Schedule.from_dict({**MINIMAL, "key": key}, networks=NETWORKS)
    # As a run in flight or a table has it that was filled before.
    assert Schedule.from_dict({**MINIMAL, "key": key}).key == key
    entry = {word: value for word, value in MINIMAL.items() if word != "key"}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"schedules": {key: entry}}, json.loads(json_schema.render()))
