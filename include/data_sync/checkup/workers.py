"""What can be known about workers: that hangs on the executor."""

from __future__ import annotations

from collections.abc import Collection

_NOTES = {
    "LocalExecutor": "Tasks run in processes of the scheduler: while it is healthy, so are they.",
    "CeleryExecutor": "Celery knows its workers, Airflow's database does not: ask Celery (inspect ping) or "
    "Flower about those that run nothing.",
    "KubernetesExecutor": "Each task is a pod of its own: ask Kubernetes about those that wait.",
    "EdgeExecutor": "Airflow's page of edge workers lists them.",
}
_OTHER = "Airflow's database does not know the workers of this executor: ask the executor itself."


def note_on_workers(executors: Collection[str]) -> str:
    """Say where to look for workers that run nothing."""
    return " ".join(dict.fromkeys(_NOTES.get(name, _OTHER) for name in executors)) or _OTHER
