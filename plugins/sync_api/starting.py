"""Starting runs, and ending tasks that wait for nothing, through Airflow's public API on the caller's behalf.

No network hop: Airflow's application is called as the server calls it, with the caller's token or cookie, so
that its permissions and its audit log apply.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import httpx
from fastapi import Request

from data_sync.dag.names import QUICK_SYNC, dag_id_of
from sync_api.access import Caller
from sync_api.idempotency import Once
from sync_api.problems import Problem
from sync_api.shapes.schedules import StartedRun

log = logging.getLogger(__name__)

#: Generous: Airflow reads the DAG from its database.
_SECONDS = 30.0


async def start(
    request: Request,
    caller: Caller,
    dag_id: str,
    conf: Mapping[str, Any],
    *,
    word: str | None,
    note: str | None = None,
) -> StartedRun:
    """Start a run of a DAG.

    :param word: names the run; where there is a run of that name already, that is the one, also of the other
        DAG that runs the same schedule while its switch is turned.
    :param note: what is special about it, for who asked.
    :raises Problem: when Airflow refuses, in words about our own objects.
    """
    body: dict[str, Any] = {"logical_date": None, "conf": dict(conf)}
    if word is not None:
        body["dag_run_id"] = _run_id(word)
    found = await started_before(request, caller, (dag_id, *_other_way(dag_id, conf)))
    if found is not None:
        return found.model_copy(update={"note": note}) if found.dag_id == dag_id else found
    async with _airflow(request, caller) as airflow:
        if dag_id == QUICK_SYNC:
            await _require_unpaused(airflow)
        answer = await airflow.post(f"/api/v2/dags/{dag_id}/dagRuns", json=body)
        if answer.status_code == 409 and word is not None:
            answer = await airflow.get(f"/api/v2/dags/{dag_id}/dagRuns/{body['dag_run_id']}")
    if not answer.is_success:
        raise _refusal(dag_id, answer)
    return StartedRun(dag_id=dag_id, run_id=str(answer.json()["dag_run_id"]), note=note)


async def started_before(request: Request, caller: Caller, dag_ids: Sequence[str]) -> StartedRun | None:
    """Return the run that an earlier try of this request has started, if it came so far.

    :raises Problem: when Airflow does not say.
    """
    once: Once | None = getattr(request.state, "once", None)
    if once is None or once.word is None or not once.is_again:
        return None
    run_id = _run_id(once.word)
    async with _airflow(request, caller) as airflow:
        for dag_id in dag_ids:
            answer = await airflow.get(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")
            if answer.is_success:
                return StartedRun(dag_id=dag_id, run_id=run_id, note=None)
            if answer.is_server_error:
                raise _refusal(dag_id, answer)
    return None


def _run_id(word: str) -> str:
    return f"manual__api_{word}"


def _other_way(dag_id: str, conf: Mapping[str, Any]) -> Sequence[str]:
    """Return the DAG by which the same would have been started with the schedule's switch turned."""
    if dag_id != QUICK_SYNC:
        return (QUICK_SYNC,)
    return (dag_id_of(str(conf["schedule"])),) if "schedule" in conf else ()


async def skip_tasks(
    request: Request, caller: Caller, dag_id: str, run_id: str, tasks: Sequence[tuple[str, int]]
) -> None:
    """Have Airflow skip mapped tasks that sleep until a later moment.

    One that Airflow does not skip, because the caller may run DAGs but not change tasks, wakes when it was
    to, and ends then by itself.

    :param tasks: pairs of a task's id and its map index.
    """
    if not tasks:
        return
    run = f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}"
    async with _airflow(request, caller) as airflow:
        for task, index in tasks:
            path = f"{run}/taskInstances/{task}/{index}"
            try:
                answer = await airflow.patch(path, json={"new_state": "skipped"})
            except httpx.HTTPError as error:
                log.warning("Airflow did not skip %s: %s", path, type(error).__name__)
                return
            if not answer.is_success:
                log.warning("Airflow did not skip %s: HTTP %d", path, answer.status_code)


def _airflow(request: Request, caller: Caller) -> httpx.AsyncClient:
    client = request.client
    transport = httpx.ASGITransport(
        request.scope["airflow_app"],
        raise_app_exceptions=False,
        client=(client.host, client.port) if client else ("127.0.0.1", 0),
    )
    base = f"{request.url.scheme}://{request.url.netloc}"
    return httpx.AsyncClient(
        transport=transport, base_url=base, headers=caller.credentials, timeout=_SECONDS, trust_env=False
    )


async def _require_unpaused(airflow: httpx.AsyncClient) -> None:
    """Refuse a run that would wait for ever."""
    answer = await airflow.get(f"/api/v2/dags/{QUICK_SYNC}")
    if answer.is_success and answer.json()["is_paused"]:
        raise Problem(
            409, "paused", f"The DAG {QUICK_SYNC}, which runs this, is paused: unpause it in Airflow first."
        )


def _refusal(dag_id: str, answer: httpx.Response) -> Problem:
    """Turn Airflow's refusal into ours."""
    status, code, detail, headers = _REFUSALS.get(answer.status_code, _SILENT)
    return Problem(status, code, detail.format(dag=dag_id), headers=headers)


_Refusal = tuple[int, str, str, dict[str, str]]

#: By Airflow's status: ours, a word, a sentence, headers.
_REFUSALS: dict[int, _Refusal] = {
    400: (409, "not-startable", "Airflow cannot start the DAG {dag} now: its page there says why.", {}),
    401: (
        401,
        "not-logged-in",
        "Airflow does not accept the token any more: log in again.",
        {"WWW-Authenticate": "Bearer"},
    ),
    403: (
        403,
        "not-allowed",
        "Airflow does not let you start runs of the DAG {dag}. An admin can give you a role that may.",
        {},
    ),
    404: (
        409,
        "not-built",
        "Airflow has not built the DAG {dag} yet: try again in a few seconds, or look at the dag-processor.",
        {"Retry-After": "5"},
    ),
    409: (
        409,
        "run-exists",
        "There is a run of {dag} for this very moment: try again.",
        {"Retry-After": "1"},
    ),
    422: (409, "not-startable", "Airflow cannot start the DAG {dag} now: its page there says why.", {}),
}
_SILENT: _Refusal = (503, "airflow-away", "Airflow could not start the run. Try again.", {"Retry-After": "5"})
