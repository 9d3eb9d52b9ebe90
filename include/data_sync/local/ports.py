"""Ports on the loopback address: whether they are free, and which one is."""

from __future__ import annotations

import socket

from data_sync.local.errors import LocalError

LOOPBACK = "127.0.0.1"


def require_free(port: int, *, setting: str, purpose: str) -> None:
    """Raise when somebody already listens on a port.

    :param setting: the make variable that names another port, such as ``PORT``.
    :param purpose: what the port is for, in plain words.
    :raises LocalError: naming the variable to set.
    """
    with socket.socket() as probe:
        # As the servers do: a port whose last connections are still closing counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except (OSError, OverflowError) as error:
            raise LocalError(
                f"Port {port} for {purpose} is not available: end the program that uses it, "
                f"or choose another port with make demo {setting}={free_port()}."
            ) from error


def free_port() -> int:
    """Return a port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
