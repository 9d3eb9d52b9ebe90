"""Web addresses that requests may go to: encrypted, or on this machine, never link-local ones."""

from __future__ import annotations

import ipaddress
import socket
import unicodedata
from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Where an IPv6 address holds an IPv4 one in its last four bytes: mapped, compatible, translated (RFC 6052).
_HOLDERS = [ipaddress.ip_network(text) for text in ("::ffff:0:0/96", "::/96", "64:ff9b::/96")]


class AddressError(ValueError):
    """Raised for an address that no request may go to; its text is the end of a sentence."""


def base_address(text: str) -> str:
    """Check the address of an API and return it without a slash at its end.

    :param text: with or without ``https://``; ``http://`` is accepted for loopback only, since the
        credentials would cross the network in clear text. Link-local addresses, where clouds keep the
        secrets of a machine, and those of no machine or of many are refused however they are written; a name
        is not looked up.
    :raises AddressError: for anything else, such as a user name or a query inside the address.
    """
    parts = _split(text.strip() if "://" in text else f"https://{text.strip()}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise AddressError("is not a web address such as https://api.example.com")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise AddressError("must hold neither user name, query nor fragment")
    if any(_is_no_server(address) for address in _addresses(parts.hostname)):
        raise AddressError("leads to a link-local, unspecified or multicast address, where no API is")
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


def _addresses(host: str) -> Iterator[_Address]:
    """Return the numeric address that a connection to a host would go to, and the one that it holds."""
    # As requests writes it, before it asks for its address.
    text = unicodedata.normalize("NFKC", host).replace("\u3002", ".").rstrip(".")
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        try:
            # The system also takes one number for all four bytes, octal and hexadecimal ones.
            address = ipaddress.IPv4Address(socket.inet_aton(text))
        except (OSError, UnicodeEncodeError):
            return
    yield address
    if any(address in holder for holder in _HOLDERS):
        yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)


def _is_no_server(address: _Address) -> bool:
    return address.is_link_local or address.is_unspecified or address.is_multicast
