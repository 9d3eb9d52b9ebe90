"""From outcomes to errors: messages for people, details for the log, and no secret in either."""

from __future__ import annotations

from network_clients.errors import NetworkError, UnexpectedAnswerError
from network_clients.facts import NetworkFacts
from network_clients.outcomes import Answer, Dialect, Outcome, error_for
from network_clients.redaction import Redactor
from network_clients.request import Request

_DETAIL_LENGTH = 800


class Verdicts:
    """Builds the errors of one account."""

    def __init__(self, facts: NetworkFacts, account: str, dialect: Dialect, redactor: Redactor) -> None:
        self._facts = facts
        self._account = account
        self._dialect = dialect
        self._redactor = redactor

    def error(
        self,
        outcome: Outcome,
        request: Request,
        answer: Answer | None,
        *,
        text: str | None = None,
        detail: str = "",
        retry_after: float | None = None,
    ) -> NetworkError:
        """Build the error of an answer; ``text`` wins over the network's own and the common message."""
        if answer is not None and text is None:
            text = self._dialect.explain(outcome, answer, request.operation)
        hint = {"retry_after": retry_after} if outcome is Outcome.RATE_LIMITED else {}
        return error_for(
            outcome,
            self._redactor.clean(text) if text else None,
            title=self._facts.title,
            account=self._account,
            detail=self._detail(detail),
            **self._place(request, answer),
            **hint,
        )

    def no_answer(self, outcome: Outcome, request: Request, detail: str) -> NetworkError:
        """Build the error of a request that got no answer at all."""
        text = (
            f"The address of {self._facts.title} in the connection {self._account} cannot be used. Check its "
            "address field, and that the server's TLS certificate is valid."
        )
        refused = outcome is Outcome.REFUSED
        return self.error(outcome, request, None, text=text if refused else None, detail=detail)

    def unexpected(self, request: Request, answer: Answer | None, problem: str) -> UnexpectedAnswerError:
        """Build the error of an answer that is not what the network's facts promise.

        :param problem: what is wrong, in the form of msgspec: ``... - at `$.results[0]```.
        """
        what, _, where = problem.partition(" - at `$")
        place = where.rstrip("`").lstrip(".")
        return UnexpectedAnswerError(
            f"{self._facts.title} answered in a form that this version cannot read. Update this package, or "
            "report it with the details in the log.",
            field=place,
            detail=self._detail(f"{place}: {what}" if place else what),
            **self._place(request, answer),
        )

    def _place(self, request: Request, answer: Answer | None) -> dict[str, object]:
        return {
            "network": self._facts.slug,
            "operation": request.operation,
            "http_status": answer.status if answer else None,
            "request_id": answer.headers.get("X-Request-Id") if answer else None,
        }

    def _detail(self, text: str) -> str:
        return self._redactor.clean(text)[:_DETAIL_LENGTH]
