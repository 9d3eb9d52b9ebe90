"""What ``make bench BENCH=api`` rests on, with few logs: people ask a real api-server and get answers."""

from __future__ import annotations

import pytest

from benchmarks import api
from benchmarks.figures import Figure, Sheet

pytestmark = [pytest.mark.prove, pytest.mark.airflow, pytest.mark.timeout(900)]


def test_everybody_is_answered_and_every_list_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "LOGS", 20_000)
    monkeypatch.setattr(api, "SECONDS", 8.0)
    monkeypatch.setattr(api, "_TIMES", 20)
    monkeypatch.setattr(api, "_EXPLAINED", 4)
    monkeypatch.setattr(api, "PEOPLE", api.PEOPLE[:8])
    results = api.measure()
    figures = {result.name: result for result in results if isinstance(result, Figure)}
    assert figures["sync_schedules, rows"].value == 1_000
    assert figures["sync_runs, rows"].value == 10_000
    errors = figures["one question a second each: answers that are errors"]
    assert errors.value == 0, errors.unit
    assert figures["one question a second each: requests/s"].value > 1
    assert figures["one question a second each: streams of events refused"].value == 0
    assert figures["one question a second each: events of changes that were told"].value > 0
    assert 0 < figures["one question a second each: an event after its commit, the latest"].value < 60
    sheets = [result for result in results if isinstance(result, Sheet)]
    asked = next(sheet for sheet in sheets if sheet.title.startswith("At the database"))
    assert {name for name, _ in asked.lines} == {question.name for question in api.QUESTIONS}
    assert all(numbers[0] == api._TIMES and numbers[1] > 0 for _, numbers in asked.lines)
    for kind in ("csv", "xlsx"):
        assert figures[f"export as {kind}, 365 days: size"].value > 0.5
