"""What the document promises holds for thousands of requests that nobody thought of."""

from __future__ import annotations

from collections import Counter
from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from sync_api.throttle import Throttle
from tests.plugins.airflow_app import App

pytestmark = [pytest.mark.prove, pytest.mark.timeout(3600)]

_CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)
#: For each operation; over all of them more than 2,000.
_CASES = 140
_AT_LEAST = 2000


def test_no_request_brings_a_server_error_or_an_undocumented_answer(stocked: App) -> None:
    usual, stocked.ours.state.throttle = stocked.ours.state.throttle, Throttle(10_000_000, 10_000_000)
    token = {"Authorization": f"Bearer {stocked.tokens['ada']}"}
    schema = schemathesis.openapi.from_asgi("/sync/openapi.json", stocked.app, headers=token)
    counts: Counter[str] = Counter()
    statuses: Counter[int] = Counter()
    try:
        for result in schema.get_all_operations():
            _prove(result.ok(), {**token, "If-Match": '"1"'}, counts, statuses)
    finally:
        stocked.ours.state.throttle = usual
    print(sum(counts.values()), dict(statuses))
    assert sum(counts.values()) >= _AT_LEAST, counts
    assert len({status // 100 for status in statuses}) >= 2


def _prove(operation: Any, headers: dict[str, str], counts: Counter[str], statuses: Counter[int]) -> None:
    @hypothesis.settings(
        max_examples=_CASES,
        deadline=None,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.generate],
    )
    @hypothesis.given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        answer = case.call(headers=headers)
        counts[operation.label] += 1
        statuses[answer.status_code] += 1
        case.validate_response(answer, checks=list(_CHECKS))

    ask()
