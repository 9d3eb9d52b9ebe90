"""Web addresses that requests may go to: encrypted, or on this machine."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit


class AddressError(ValueError):
    """Raised for an address that no request may go to; its text is the end of a sentence."""


def base_address(text: str) -> str:
    """Check the address of an API and return it without a slash at its end.

    :param text: with or without ``https://``; ``http://`` is accepted for loopback only, since the
        credentials would cross the network in clear text.
    :raises AddressError: for anything else, such as a user name or a query inside the address.
    """
    parts = _split(text.strip() if "://" in text else f"https://{text.strip()}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise AddressError("is not a web address such as https://api.example.com")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise AddressError("must hold neither user name, query nor fragment")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise AddressError("must start with https://, because credentials are sent to it")
    return parts.geturl().rstrip("/")


def origin_of(address: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port: two addresses with equal origins get the same credentials.

    :raises AddressError: for text that cannot be split.
    """
    parts = _split(address)
    default = {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname or "", parts.port or default


def _split(address: str) -> SplitResult:
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        raise AddressError("is not a web address such as https://api.example.com") from None
    return parts


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
