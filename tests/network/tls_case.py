"""Files for tests of TLS."""

import ssl
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.certificates import Authority
from tests.network.tls_client import MemoryTLSClient
from towerws.network.tls import ServerTLS
from towerws.network.tls_context import TLSFiles


class TLSCase(SynchronousTestCase):
    """A test with an authority, and a certificate and a key in files."""

    def setUp(self) -> None:
        """Write them."""
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.authority = Authority()
        certificate, key = self.authority.issue("localhost")
        self.ca = self.write("ca.pem", self.authority.certificate)
        self.certificate = self.write("certificate.pem", certificate)
        self.key = self.write("key.pem", key)

    def write(self, name: str, *content: bytes) -> str:
        """Write a file; give its path."""
        path = self.directory / name
        path.write_bytes(b"".join(content))
        return str(path)

    def files(self, **more: object) -> TLSFiles:
        """Name the files."""
        return TLSFiles(**{"key": self.key, "certificate": self.certificate, **more})  # type: ignore[arg-type]  # of all kinds

    def tls(self, **more: object) -> ServerTLS:
        """Make the TLS of a listener with them."""
        return ServerTLS("127.0.0.1:8443", self.files(**more))

    def context(self, certificate: bytes = b"", key: bytes = b"") -> ssl.SSLContext:
        """Make a client's context, which trusts the authority and may have a certificate."""
        context = ssl.create_default_context(cafile=self.ca)
        if certificate:
            context.load_cert_chain(self.write("client.pem", certificate, key))
        return context

    def connect(self, tls: ServerTLS, context: ssl.SSLContext | None = None) -> MemoryTLSClient:
        """Let a client shake hands."""
        return MemoryTLSClient(tls, context or self.context())
