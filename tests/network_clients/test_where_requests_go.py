"""Credentials reach the address that the account names, encrypted, and no other."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from network_clients.bodies import json_as
from network_clients.errors import (
    NotConfiguredError,
    RequestRefusedError,
)
from network_clients.request import Request
from network_clients.transport import Transport
from tests.network_clients.wire import Reply, Wire, listening

MakeTransport = Callable[..., Transport]


class Good(msgspec.Struct):
    ok: bool


GOOD = Reply()
READ = json_as(Good)
ASK = Request("test page", "/things/", params=(("a", "1"), ("b", "x y"), ("a", "2")))


def test_a_redirect_on_the_same_host_is_followed(wire: Wire, transport: Transport) -> None:
    wire.script(Reply(301, headers={"Location": "/v2/things/?a=1"}), GOOD)
    request = replace(ASK, headers={"Authorization": "Bearer t"})
    assert transport.send(request, READ).ok
    assert wire.seen[1].path == "/v2/things/"
    assert wire.seen[1].headers["Authorization"] == "Bearer t"


def test_redirects_in_a_circle_end(wire: Wire, transport: Transport) -> None:
    wire.script(Reply(302, headers={"Location": "/things/"}))
    with pytest.raises(RequestRefusedError):
        transport.send(ASK, READ)
    assert len(wire.seen) == 4


def test_a_redirect_to_another_host_is_refused_and_never_sees_the_credentials(
    wire: Wire, transport: Transport
) -> None:
    with listening() as other:
        wire.script(Reply(302, headers={"Location": f"{other.url}/things/"}))
        with pytest.raises(RequestRefusedError, match="another address"):
            transport.send(replace(ASK, headers={"Authorization": "Bearer t"}), READ)
        assert other.seen == []


@pytest.mark.parametrize(
    "address",
    [
        "http://api.nobody.example",
        "ftp://api.nobody.example",
        "https://user:word@api.nobody.example",
        "https://api.nobody.example/?key=1",
        "https://",
        "https://api.nobody.example:port",
        "http://127.0.0.1.nobody.example",
        "https://169.254.169.254/latest/meta-data",
        "https://169.254.169.254.",
        "https://2852039166",
        "https://0xa9fea9fe:443",
        "https://0251.0376.0251.0376",
        "https://169.16689662",
        "https://\uff11\uff16\uff19.254\u3002169.254",
        "https://[fe80::1]",
        "https://[fe80::1%25eth0]",
        "https://[::ffff:169.254.169.254]",
        "https://[::ffff:a9fe:a9fe]",
        "https://[::a9fe:a9fe]",
        "https://[64:ff9b::a9fe:a9fe]",
        "https://0.0.0.0",
        "http://0",
        "https://0",
        "https://[::]",
        "https://224.0.0.1",
        "https://[ff02::1]",
    ],
)
def test_credentials_are_not_sent_to_an_unsafe_address(make_transport: MakeTransport, address: str) -> None:
    with pytest.raises(NotConfiguredError, match="nobody_default"):
        make_transport(base_url=address)


@pytest.mark.parametrize(
    ("address", "base"),
    [
        ("https://api.nobody.example/v1/", "https://api.nobody.example/v1"),
        (" api.nobody.example ", "https://api.nobody.example"),
        ("http://localhost:8080/x", "http://localhost:8080/x"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("https://127.0.0.1:8443", "https://127.0.0.1:8443"),
        ("https://[::ffff:127.0.0.1]", "https://[::ffff:127.0.0.1]"),
        ("https://10.0.0.8", "https://10.0.0.8"),
        ("https://1234.nobody.example", "https://1234.nobody.example"),
    ],
)
def test_addresses_of_the_api_may_be_written_in_several_ways(
    make_transport: MakeTransport, address: str, base: str
) -> None:
    assert make_transport(base_url=address).base_url == base


def test_a_netrc_file_does_not_replace_the_token(
    wire: Wire, transport: Transport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    transport.send(replace(ASK, headers={"Authorization": "Bearer t"}), READ)
    assert wire.seen[0].headers["Authorization"] == "Bearer t"


def self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def test_a_certificate_that_nobody_vouches_for_is_refused(
    make_transport: MakeTransport, tmp_path: Path
) -> None:
    with listening(self_signed(tmp_path)) as impostor:
        with pytest.raises(RequestRefusedError, match="TLS certificate"):
            make_transport(base_url=impostor.url).send(ASK, READ)
        assert impostor.seen == []
