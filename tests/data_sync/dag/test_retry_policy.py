"""Which failures Airflow tries again: what may pass by itself, nothing that a person must mend (law 18)."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest
from airflow.sdk.exceptions import AirflowTaskTimeout

from data_sync.dag.retry import FIRST_DELAY, SyncRetryPolicy
from data_sync.errors import AccountMissingError, ConfigError, DatabaseError, SecretsUnavailableError
from network_clients.errors import (
    CredentialsRejectedError,
    NetworkUnavailableError,
    RateLimitedError,
    ScopeMissingError,
    UnexpectedAnswerError,
)


def decide(error: BaseException, try_number: int = 1) -> tuple[str, timedelta | None]:
    decision = SyncRetryPolicy().evaluate(error, try_number, 4)
    return str(decision.action.value), decision.retry_delay


@pytest.mark.parametrize(
    "error",
    [
        NetworkUnavailableError("down"),
        psycopg.OperationalError("the server went away"),
        DatabaseError("does not answer"),
        SecretsUnavailableError("the vault does not answer"),
        AirflowTaskTimeout("twelve hours"),
    ],
)
def test_what_may_pass_is_tried_again_later_and_later(error: BaseException) -> None:
    assert decide(error) == ("retry", FIRST_DELAY)
    assert decide(error, 3) == ("retry", FIRST_DELAY * 4)


def test_a_network_that_names_a_time_is_asked_then() -> None:
    assert decide(RateLimitedError("too many", retry_after=77)) == ("retry", timedelta(seconds=77))


@pytest.mark.parametrize(
    "error",
    [
        CredentialsRejectedError("wrong"),
        ScopeMissingError("not allowed"),
        UnexpectedAnswerError("odd"),
        AccountMissingError("no such connection"),
        ConfigError("write this instead"),
        ValueError("a mistake of ours"),
    ],
)
def test_what_a_person_must_mend_fails_at_once(error: BaseException) -> None:
    assert decide(error)[0] == "fail"
