"""A double click or a retry starts one run: requests that carry an ``Idempotency-Key`` are done once.

A try that finds another one at work waits a little for its answer. Where one failed on our side, or its
process died, between its work and its answer, the next try does the work again, under the same name: Airflow
knows a run of that id already.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request, Response

from data_sync import answers
from data_sync.answers import Answer, Claim
from sync_api.access import Caller
from sync_api.breaker import OurDatabase, in_thread
from sync_api.problems import Problem

log = logging.getLogger(__name__)

_LOOKS, _LOOK_SECONDS = 25, 0.2
_KEPT_HEADERS = ("etag", "location", "content-type")
REPLAYED = "Idempotency-Replayed"


@dataclass(frozen=True)
class Once:
    """A request that is done once.

    :param key: ``None`` for one that carries none: it is done whenever it comes.
    :param word: names what it makes; the same in each of its tries.
    :param is_again: whether an earlier try failed or was broken off: its work may be done already.
    """

    who: str
    key: str | None
    word: str | None
    is_again: bool = False


class Replay(Exception):
    """Raised when a request has been answered before: the answer is given again."""

    def __init__(self, answer: Answer) -> None:
        super().__init__("answered before")
        self.answer = answer

    def response(self) -> Response:
        """Return the first answer."""
        headers = {**self.answer.headers, REPLAYED: "true"}
        return Response(self.answer.body, status_code=self.answer.status, headers=headers)


async def _once(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=8,
            max_length=200,
            pattern=r"^[\x21-\x7e]+$",
            description="A word of your own for this request, such as a UUID: sent again with it within a "
            "day, the request is not done again, and the first answer comes once more.",
        ),
    ] = None,
) -> Once:
    caller: Caller = request.state.caller
    if idempotency_key is None:
        return Once(caller.name, None, None)
    text = f"{request.method} {request.url.path}\n" + (await request.body()).decode("utf-8", "replace")
    for _ in range(_LOOKS):
        found = await in_thread(_claim, request.app.state.database, caller.name, idempotency_key, text)
        if not found.is_same:
            raise Problem(
                422, "key-used", "This Idempotency-Key was sent with another request: take a new one."
            )
        if found.answer is not None:
            raise Replay(found.answer)
        if found.is_ours:
            once = Once(caller.name, idempotency_key, found.word, found.is_again)
            request.state.once = once
            return once
        await asyncio.sleep(_LOOK_SECONDS)
    raise Problem(409, "in-progress", "The same request is being handled: ask again in a moment.",
                  headers={"Retry-After": "2"})  # fmt: skip


#: Makes a route one that is done once; stands after the caller in its parameters.
OnceOnly = Annotated[Once, Depends(_once)]


async def settle(request: Request, response: Response) -> None:
    """Keep a good answer for tries to come; forget what was refused, and let go of what failed."""
    once: Once | None = getattr(request.state, "once", None)
    if once is None:
        return
    try:
        await in_thread(_settle, request.app.state.database, once, response)
    except Exception as error:
        # Its lease ends by itself, and a try after that finds what this one has made.
        log.warning("The answer to a request could not be kept: %s", error)


def _claim(db: OurDatabase, who: str, key: str, text: str) -> Claim:
    with db.transaction() as cursor:
        return answers.claim(cursor, who, key, text)


def _settle(db: OurDatabase, once: Once, response: Response) -> None:
    key = once.key or ""
    with db.transaction() as cursor:
        if response.status_code >= 500 or (once.is_again and response.status_code >= 300):
            # Whatever it was that failed, something may have been made before.
            answers.let_go(cursor, once.who, key)
            return
        if response.status_code >= 300:
            answers.give_up(cursor, once.who, key)
            return
        headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
        body = bytes(response.body).decode()
        answers.keep(cursor, once.who, key, Answer(response.status_code, headers, body))
