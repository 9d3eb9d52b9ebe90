"""Which failures of a sync task are worth another try, and when (law 18)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
from airflow.sdk import RetryDecision, RetryPolicy
from airflow.sdk.exceptions import AirflowRuntimeError, AirflowTaskTimeout

from data_sync.errors import DatabaseError, SecretsUnavailableError
from network_clients.errors import NetworkError, RateLimitedError

#: Tries after the first one.
RETRIES = 4
#: How long the first retry waits; each further one twice as long.
FIRST_DELAY = timedelta(seconds=15)
_LONGEST_DELAY = timedelta(minutes=30)


#: What may pass by itself besides trouble of a network: our database, a secrets backend or Airflow's own
#: server does not answer; a task has used up its time and goes on at its checkpoint.
_PASSING = (
    psycopg.OperationalError,
    DatabaseError,
    SecretsUnavailableError,
    AirflowRuntimeError,
    AirflowTaskTimeout,
)


class SyncRetryPolicy(RetryPolicy):
    """Back off on what may pass by itself; fail at once on what a person has to mend."""

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Any = None
    ) -> RetryDecision:
        """Decide by the error's own word whether asking again can help."""
        if isinstance(exception, RateLimitedError) and exception.retry_after:
            return RetryDecision.retry(timedelta(seconds=exception.retry_after), str(exception))
        if isinstance(exception, _PASSING) or (
            isinstance(exception, NetworkError) and exception.is_retryable
        ):
            delay = min(FIRST_DELAY * 2 ** (try_number - 1), _LONGEST_DELAY)
            return RetryDecision.retry(delay, str(exception))
        return RetryDecision.fail(str(exception))

    def serialize(self) -> dict[str, Any]:
        """Return nothing: the policy has no settings."""
        return {}
