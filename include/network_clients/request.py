"""What is asked of a network, and how patiently."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Request:
    """One request. ``repr`` shows nothing that may hold a secret.

    :param operation: what it is for, in words for logs and errors: ``purchases page``.
    :param path: below the base URL, starting with a slash, or an absolute URL.
    :param params: query parameters in order; a name may come several times.
    :param limit: the name of the declared limit that it counts against.
    """

    operation: str
    path: str = field(repr=False)
    method: str = "GET"
    params: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    json: object = field(default=None, repr=False)
    form: tuple[tuple[str, str], ...] | None = field(default=None, repr=False)
    limit: str = "api"


@dataclass(frozen=True)
class Patience:
    """How long to wait for what. Times are seconds.

    :param total_timeout: for one answer from its first to its last byte.
    :param tries: attempts at once while a network is unavailable.
    :param first_pause: before the second attempt; doubles, with jitter, up to ``longest_pause``.
    :param refusals: "too many" answers in a row before giving up.
    :param first_gate: how long the gate stays closed when the network names no time; doubles with each
        refusal in a row, up to ``longest_gate``.
    :param longest_gate: ``None`` for the period of the limit.
    """

    connect_timeout: float = 10.0
    read_timeout: float = 120.0
    total_timeout: float = 600.0
    max_bytes: int = 128 * 1024 * 1024
    tries: int = 3
    first_pause: float = 0.5
    longest_pause: float = 8.0
    refusals: int = 4
    first_gate: float = 10.0
    longest_gate: float | None = None
