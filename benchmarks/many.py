"""Schedules by the thousand: as ``schedules.yaml``, and as what dag-factory takes."""

from __future__ import annotations

from collections.abc import Sequence

#: The accounts of a schedule of the real shape: three task groups.
ACCOUNTS = ("admitad", "boostiny", "admitad:shop2")

_TIMINGS = ("interval: 1h", "times: ['06:00', '18:30']", 'cron: "15 7 2 * *"', "interval: 1d")


def key_of(number: int) -> str:
    """Return the key of a schedule by its number."""
    return f"s{number:05}"


def entry(number: int, timing: str = "") -> str:
    """Return the line of a schedule; ``timing`` replaces its own."""
    return f"  {key_of(number)}: {{{timing or _TIMINGS[number % len(_TIMINGS)]}}}\n"


def head(accounts: Sequence[str] = ACCOUNTS) -> str:
    """Return what stands above the schedules."""
    listed = ", ".join(f"'{account}'" for account in accounts)
    shared = f"timezone: Europe/Berlin, networks: [{listed}], date_range: yesterday"
    return f"defaults: {{{shared}}}\nschedules:\n"


def schedules(count: int, accounts: Sequence[str] = ACCOUNTS) -> str:
    """Return a ``schedules.yaml``: a quarter each hourly, at two clock times, monthly and daily."""
    return head(accounts) + "".join(entry(number) for number in range(count))


_DAG = """\
{key}:
  default_args: {{owner: data sync}}
  schedule: "30 6 * * *"
  catchup: false
  max_active_runs: 3
  task_groups: [{groups}]
  tasks:
{tasks}
"""
_TASK = "    - {{task_id: {}, decorator: airflow.sdk.task, python_callable: peer_tasks.{}, retries: 4{}}}"


def dag_factory(count: int, accounts: Sequence[str] = ()) -> str:
    """Return the like for dag-factory: a DAG of one task, or of our shape with a group per account.

    A task in one of its groups cannot name the task before it: order follows from what is mapped over
    what, and from ``close_run``, which names the groups.
    """
    groups = [account.replace(":", "__") for account in accounts]
    tasks = [_TASK.format("sync", "one", "")]
    if groups:
        mapped = ", pool: net, task_group_name: {0}, partial: {{account: {0}}}, expand: {{unit: +open_run}}"
        ends = f", trigger_rule: all_done, dependencies: [{', '.join(groups)}]"
        tasks = [
            _TASK.format("open_run", "open_run", ""),
            *(_TASK.format(f"sync_{group}", "sync", mapped.format(group)) for group in groups),
            _TASK.format("close_run", "close_run", ends),
        ]
    listed = ", ".join(f"{{group_name: {group}}}" for group in groups)
    return "".join(
        _DAG.format(key=key_of(number), groups=listed, tasks="\n".join(tasks)) for number in range(count)
    )


#: The module that dag-factory finds the functions in.
PEER_TASKS = '''\
"""What the tasks of the peer do: nothing."""


def one() -> None:
    """Do nothing."""


def open_run() -> list[dict[str, str]]:
    """Return no work."""
    return []


def sync(account: str, unit: dict[str, str]) -> None:
    """Do nothing."""


def close_run() -> None:
    """Do nothing."""
'''

#: Its DAG file.
PEER_FILE = '''\
"""All DAGs of one YAML file, as dag-factory makes them."""

from pathlib import Path

from airflow.sdk import DAG  # noqa: F401
from dagfactory import load_yaml_dags

load_yaml_dags(globals(), config_filepath=str(Path(__file__).with_name("schedules.yaml")))
'''
