"""A certificate of a private authority, and TLS in front of a server without it."""

from __future__ import annotations

import datetime as dt
import ipaddress
import selectors
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_NAMES = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("bank.example")]


def private_authority(folder: Path) -> Path:
    """Write `server.pem` for 127.0.0.1 and bank.example, and return the file of the authority that signed it."""
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _certificate("private", authority_key, "private", authority_key, authority=True)
    server = _certificate("private", authority_key, "server", key, authority=False)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.pem").write_bytes(secret + server.public_bytes(serialization.Encoding.PEM))
    (folder / "ca.pem").write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    return folder / "ca.pem"


def _certificate(
    issuer: str, signer: ec.EllipticCurvePrivateKey, name: str, key: ec.EllipticCurvePrivateKey, *, authority: bool
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in (issuer, name)]
    return (
        x509.CertificateBuilder(issuer_name=names[0], subject_name=names[1], public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(_NAMES), critical=False)
        .sign(signer, hashes.SHA256())
    )


@contextmanager
def tls_in_front(port: int, certificate: Path) -> Iterator[int]:
    """Return a port that speaks TLS and passes on to `port`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_accept, args=(listening, context, port), daemon=True).start()
        yield listening.getsockname()[1]


def _accept(listening: socket.socket, context: ssl.SSLContext, port: int) -> None:
    with suppress(OSError):  # the test has ended
        while True:
            client, _ = listening.accept()
            threading.Thread(target=_pass_on, args=(client, context, port), daemon=True).start()


def _pass_on(client: socket.socket, context: ssl.SSLContext, port: int) -> None:
    with (
        suppress(OSError),
        client,
        socket.create_connection(("127.0.0.1", port)) as server,
        context.wrap_socket(client, server_side=True) as secure,
        selectors.DefaultSelector() as selector,
    ):
        selector.register(secure, selectors.EVENT_READ, server)
        selector.register(server, selectors.EVENT_READ, secure)
        while True:
            for ready, _ in selector.select():
                source = ready.fileobj
                assert isinstance(source, socket.socket)
                chunk = source.recv(1 << 16)
                while isinstance(source, ssl.SSLSocket) and source.pending():
                    chunk += source.recv(1 << 16)
                if not chunk:
                    return
                ready.data.sendall(chunk)
