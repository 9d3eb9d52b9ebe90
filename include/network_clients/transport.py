"""The only place that sends HTTP: pace, time-outs, retries, verdicts and redaction for every network.

Each request claims a turn at the limiter first. Trouble that may pass is tried again a few times at
once; "too many requests" closes the gate for every worker and asks again when it opens. Everything else
becomes an error of :mod:`network_clients.errors`, raised outside of ``except`` blocks: the exceptions of
HTTP libraries hold URLs, and must not travel along as somebody's ``__context__``.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
import threading
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Protocol, TypeVar
from urllib.parse import urljoin

import msgspec
import requests
import tenacity
import urllib3

from network_clients.addresses import AddressError, base_address, origin_of
from network_clients.bodies import BodyTooLargeError, read_body
from network_clients.errors import (
    NetworkError,
    NetworkUnavailableError,
    NotConfiguredError,
    RateLimitedError,
)
from network_clients.facts import NetworkFacts
from network_clients.interface import MOST_AT_ONCE, Credentials, Limiter
from network_clients.outcomes import (
    Answer,
    Dialect,
    Outcome,
    outcome_of_exception,
    outcome_of_status,
)
from network_clients.redaction import Redactor, TargetFilter
from network_clients.request import Patience, Request
from network_clients.verdicts import Verdicts

log = logging.getLogger(__name__)
logging.getLogger("urllib3.connectionpool").addFilter(TargetFilter())

T = TypeVar("T")
USER_AGENT = f"affiliate-data-sync/{version('affiliate-data-sync')}"
_MAX_HOPS = 3


class Meter(Protocol):
    """Counts what a client has cost; :class:`network_clients.interface.NetworkClient` is one."""

    requests: int
    waited: float


class Transport:
    """Sends the requests of one account.

    :param base_url: address that paths are joined to.
    :raises NotConfiguredError: when the address may not be used.
    """

    def __init__(
        self,
        facts: NetworkFacts,
        credentials: Credentials,
        limiter: Limiter,
        meter: Meter,
        *,
        base_url: str,
        dialect: Dialect | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._facts = facts
        self._account = credentials.account
        self._values = credentials.values
        self._limiter = limiter
        self._meter = meter
        self._dialect = dialect or Dialect()
        self._patience = patience or Patience()
        secret = {field.name for field in facts.fields if field.secret}
        #: Masks this account's secrets; whoever gets hold of a new one adds it.
        self.redactor = Redactor(
            (value for name, value in self._values.items() if name in secret and value),
            (value for name, value in self._values.items() if name not in secret and value),
        )
        try:
            self.base_url = base_address(base_url)
        except AddressError as error:
            raise NotConfiguredError(
                f"The API address in the connection {self._account} {error}.",
                network=facts.slug,
                operation="settings",
            ) from None
        self._verdicts = Verdicts(facts, self._account, self._dialect, self.redactor)
        self._session = requests.Session()
        self._session.headers["User-Agent"] = USER_AGENT
        # Without this, a ~/.netrc entry for the host would replace the Authorization header.
        self._session.auth = _keep_headers
        self._session.mount("http://", _adapter())
        self._session.mount("https://", _adapter())
        # Looked up once: the environment's proxies and certificates hold for the one address there is.
        found = self._session.merge_environment_settings(self.base_url, {}, None, None, None)
        self._session.trust_env = False
        self._session.proxies, self._session.verify = found["proxies"], found["verify"]
        self._session.cert = found["cert"]
        self._retrying = self._patient()
        self._counting = threading.Lock()
        self._waiting, self._waits_since = 0, 0.0

    def send(self, request: Request, decode: Callable[[Answer], T]) -> T:
        """Send a request until there is a verdict, and return its decoded answer.

        :param decode: reads a good answer. ``ValueError`` and msgspec's ``DecodeError`` mean that the body
            is damaged (tried again), ``ValidationError`` that it is not what was promised.
        :raises NetworkError: in the class that fits the verdict.
        :raises WaitTooLongError: when the limiter refuses to sleep that long.
        """
        for refusals in itertools.count(1):
            try:
                result: T = self._retrying(self._attempt, request, decode)
                return result
            except RateLimitedError as error:
                longest = self._patience.longest_gate or self._facts.limit(request.limit).per_seconds
                guess = min(self._patience.first_gate * 2 ** (refusals - 1), longest)
                self._close_gate(request, error.retry_after or guess, error.user_message)
                if refusals >= self._patience.refusals:
                    raise
        raise AssertionError("unreachable")

    def _patient(self) -> tenacity.Retrying:
        patience = self._patience
        return tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(NetworkUnavailableError),
            stop=tenacity.stop_after_attempt(patience.tries),
            wait=tenacity.wait_exponential(multiplier=patience.first_pause, max=patience.longest_pause)
            + tenacity.wait_random(0, patience.first_pause),
            before_sleep=_say_retry,
            reraise=True,
        )

    def _attempt(self, request: Request, decode: Callable[[Answer], T]) -> T:
        answer = self._exchange(request)
        problem: NetworkError
        try:
            return decode(answer)
        except msgspec.ValidationError as error:
            problem = self._verdicts.unexpected(request, answer, str(error))
        except (msgspec.DecodeError, ValueError) as error:
            problem = self._verdicts.error(
                Outcome.UNAVAILABLE,
                request,
                answer,
                text=f"{self._facts.title} sent an answer that is cut off or damaged.",
                detail=f"{type(error).__name__} in {len(answer.body)} bytes: {error}",
            )
        raise problem

    def _exchange(self, request: Request) -> Answer:
        url = request.path if "://" in request.path else self.base_url + request.path
        params: tuple[tuple[str, str], ...] = request.params
        for hop in itertools.count():
            answer = self._call(request, url, params)
            outcome = self._dialect.outcome(answer) or outcome_of_status(answer.status)
            if outcome is Outcome.OK:
                return answer
            target = self._new_address(request, url, answer) if outcome is Outcome.MOVED else None
            if target is None or hop == _MAX_HOPS:
                break
            url, params = target, ()
        hint = self._dialect.retry_after(answer)
        if outcome is Outcome.UNAVAILABLE and hint:
            self._close_gate(request, hint, f"{self._facts.title} asked to come back later")
        excerpt = answer.body[:4000].decode("utf-8", "replace")
        raise self._verdicts.error(
            outcome, request, answer, detail=f"{request.method} {url}: {excerpt}", retry_after=hint
        )

    def _call(self, request: Request, url: str, params: tuple[tuple[str, str], ...]) -> Answer:
        self._claim(request)
        try:
            return self._exchange_once(request, url, params)
        finally:
            self._release(request)

    def _exchange_once(self, request: Request, url: str, params: tuple[tuple[str, str], ...]) -> Answer:
        with self._counting:
            self._meter.requests += 1
        patience = self._patience
        started = time.monotonic()
        problem: NetworkError
        try:
            with self._session.request(
                request.method,
                url,
                params=list(params),
                headers=dict(request.headers),
                json=request.json,
                data=None if request.form is None else list(request.form),
                timeout=(patience.connect_timeout, patience.read_timeout),
                stream=True,
                allow_redirects=False,
            ) as response:
                body = read_body(response, patience.max_bytes, started + patience.total_timeout)
                self._say_call(request, response, len(body), started)
                return Answer(response.status_code, response.headers, body)
        except BodyTooLargeError as error:
            problem = self._verdicts.unexpected(request, None, str(error))
        except (requests.RequestException, urllib3.exceptions.HTTPError, UnicodeError) as error:
            problem = self._verdicts.no_answer(
                outcome_of_exception(error), request, f"{url}: {type(error).__name__}: {error}"
            )
        raise problem

    def _new_address(self, request: Request, url: str, answer: Answer) -> str | None:
        """Return where a redirect leads, if the credentials may go there."""
        location = answer.headers.get("Location")
        target = urljoin(url, location or "")
        try:
            safe = location and request.method == "GET" and origin_of(target) == origin_of(url)
        except AddressError:
            return None
        return target if safe else None

    def _claim(self, request: Request) -> None:
        limit = self._facts.limit(request.limit)
        self._count_wait(+1)
        try:
            self._limiter.claim(self._identity(limit.counts_by), limit)
        finally:
            self._count_wait(-1)

    def _count_wait(self, more: int) -> None:
        """Count the time in which at least one call waits for its turn."""
        with self._counting:
            now = time.monotonic()
            if self._waiting:
                self._meter.waited += now - self._waits_since
            self._waiting += more
            self._waits_since = now

    def _release(self, request: Request) -> None:
        limit = self._facts.limit(request.limit)
        self._limiter.release(self._identity(limit.counts_by), limit)

    def _close_gate(self, request: Request, seconds: float, reason: str) -> None:
        limit = self._facts.limit(request.limit)
        log.warning("%s %s: %s; closed for %g s", self._facts.slug, request.operation, reason, seconds)
        self._limiter.close_gate(self._identity(limit.counts_by), limit, seconds, reason)

    def _identity(self, counts_by: tuple[str, ...]) -> str:
        # The address belongs to it: a sandbox does not use up the allowance at the real network.
        return "|".join([self.base_url, *map(self._counted, counts_by)])

    def _counted(self, name: str) -> str:
        """Return a field's value as it stands in an identity: of a secret, only a digest."""
        value = self._values.get(name, "").strip()
        is_secret = any(field.secret for field in self._facts.fields if field.name == name)
        return hashlib.sha256(value.encode()).hexdigest() if is_secret else value

    def _say_call(self, request: Request, response: requests.Response, size: int, started: float) -> None:
        if not log.isEnabledFor(logging.DEBUG):
            return
        log.debug(
            "%s %s: %s %s gave %d, %d bytes in %.2f s",
            self._facts.slug,
            request.operation,
            request.method,
            self.redactor.clean(response.url),
            response.status_code,
            size,
            time.monotonic() - started,
        )


def _say_retry(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    pause = state.next_action.sleep if state.next_action else 0.0
    detail = error.detail if isinstance(error, NetworkError) else ""
    log.warning(
        "%s Attempt %d failed; the next one is in %.1f s. %s", error, state.attempt_number, pause, detail
    )


def _adapter() -> requests.adapters.HTTPAdapter:
    # A page that is still coming when the read ends costs its connection, not the others'.
    return requests.adapters.HTTPAdapter(pool_maxsize=MOST_AT_ONCE)


def _keep_headers(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
    return prepared
