"""What a network brings along to be served: routes, limits, its own words for refusals, totals."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.routing import BaseRoute

from sandbox_networks.faults import FaultBook
from sandbox_networks.settings import SandboxSettings
from sandbox_networks.traffic import Traffic
from sandbox_networks.world import World


class BadQueryError(ValueError):
    """A question on the admin path cannot be answered; its text says why."""


class Network(ABC):
    """One network of the sandbox, mounted below ``/<slug>``.

    A subclass reads its own options from ``settings.options[slug]`` and hands its limits to ``Traffic``.
    """

    slug: ClassVar[str]
    traffic: Traffic

    @abstractmethod
    def __init__(self, world: World, faults: FaultBook, settings: SandboxSettings) -> None:
        """Set the network up in a world.

        :raises SettingsError: when its options cannot be used.
        """

    @abstractmethod
    def routes(self) -> Sequence[BaseRoute]:
        """List the endpoints, with paths below the network."""

    @abstractmethod
    def caller(self, path: str, headers: Headers, body: bytes) -> str | None:
        """Say whom the network's limits count this request for; ``None`` for nobody known."""

    @abstractmethod
    def rate_limited(self) -> Response:
        """Answer in the network's own form that there were too many requests."""

    @abstractmethod
    def wrong_credentials(self) -> Response:
        """Answer in the network's own form that the credentials are wrong."""

    @abstractmethod
    def missing_scope(self) -> Response:
        """Answer in the network's own form that the credentials do not reach that far."""

    @abstractmethod
    def expire_tokens(self) -> None:
        """Let all live access tokens expire; nothing happens where there are none."""

    @abstractmethod
    def totals(self, query: Mapping[str, str]) -> dict[str, object]:
        """Sum up, from the world and not from served pages, what a reader should now have.

        Purchases of the network's days ``from`` to ``to`` (``YYYY-MM-DD``, both inclusive) that are visible
        at the clock's now; amounts as decimal strings.

        :raises BadQueryError: when a parameter is missing or cannot be read.
        """

    @abstractmethod
    def describe(self) -> dict[str, object]:
        """Say what else a test may want to know, such as the number of live tokens."""
