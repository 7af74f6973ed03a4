"""Tests of how a broker's URL becomes what pika connects with; nothing is connected here."""

import os
import ssl
import tempfile
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.certificates import make_server_certificate
from towerws.core.broker_url import BrokerURL
from towerws.notify import amqp
from towerws.notify.amqp import AMQPConnector
from towerws.notify.errors import Unreachable


def _connector(url: str) -> AMQPConnector:
    return AMQPConnector(BrokerURL.parse(url), "towerws.events")


class ParametersTests(SynchronousTestCase):
    """pika's parameters for one address."""

    def test_from_the_url(self) -> None:
        """Credentials, vhost and address."""
        found = _connector("amqp://me:secret@tower/%2Fhouse")._parameters("tower", "::1", 5672)
        self.assertEqual((found.host, found.port, found.virtual_host), ("::1", 5672, "/house"))
        self.assertEqual(found.credentials.username, "me")
        self.assertEqual(found.credentials.password, "secret")
        self.assertIsNone(found.ssl_options)

    def test_made_for_an_idle_process(self) -> None:
        """No heartbeats, that nobody would send; the kernel looks after the connection."""
        found = _connector("amqp://tower?heartbeat=20")._parameters("tower", "::1", 5672)
        self.assertEqual(found.heartbeat, 0)
        self.assertEqual(found.tcp_options["TCP_KEEPIDLE"], 30)

    def test_only_our_time_limits(self) -> None:
        """The limits that pika has, 10 and 15 s, would cut a longer timeout short."""
        found = _connector("amqp://tower?connection_timeout=5")._parameters("tower", "::1", 5672)
        self.assertIsNone(found.socket_timeout)
        self.assertIsNone(found.stack_timeout)

    def test_named(self) -> None:
        """In RabbitMQ's list of connections one sees whose it is."""
        found = _connector("amqp://tower")._parameters("tower", "::1", 5672)
        name = found.client_properties["connection_name"]
        self.assertTrue(name.startswith("towerws.notify "), name)
        self.assertTrue(name.endswith(f":{os.getpid()}"), name)


class TLSTests(SynchronousTestCase):
    """``amqps://`` and its options."""

    def setUp(self) -> None:
        """Make certificates."""
        directory = tempfile.TemporaryDirectory(prefix="towerws-")
        self.addCleanup(directory.cleanup)
        self.certificate = make_server_certificate(Path(directory.name))

    def test_verifies(self) -> None:
        """The certificate must be valid for the host in the URL, not for its address."""
        found = _connector("amqps://tower")._parameters("tower", "::1", 5671).ssl_options
        self.assertEqual(found.server_hostname, "tower")
        self.assertEqual(found.context.verify_mode, ssl.CERT_REQUIRED)
        self.assertTrue(found.context.check_hostname)

    def test_other_name(self) -> None:
        """Or for the name that the URL has for that purpose."""
        found = _connector("amqps://tower?server_name_indication=other")
        self.assertEqual(found._parameters("t", "::1", 1).ssl_options.server_hostname, "other")

    def test_files(self) -> None:
        """Authority, certificate and key come from files, which are read at once."""
        c = self.certificate
        url = f"amqps://t?cacertfile={c.cafile}&certfile={c.certfile}&keyfile={c.keyfile}"
        context = _connector(url)._parameters("t", "::1", 1).ssl_options.context
        self.assertEqual(len(context.get_ca_certs()), 1)
        error = self.assertRaises(OSError, _connector, "amqps://t?cacertfile=/nonexistent")
        self.assertEqual(str(error), "[Errno 2] No such file or directory: '/nonexistent'")

    def test_encrypted_key(self) -> None:
        """A key with a passphrase is an error; nobody sits at the terminal to be asked."""
        keyfile = Path(self.certificate.keyfile)
        encrypted = keyfile.with_suffix(".encrypted")
        encrypted.write_bytes(_encrypt(keyfile.read_bytes()))
        url = f"amqps://t?certfile={self.certificate.certfile}&keyfile={encrypted}"
        self.assertRaises(ssl.SSLError, _connector, url)

    def test_unverified(self) -> None:
        """Verification can be turned off."""
        connector = _connector("amqps://tower?verify=verify_none")
        context = connector._parameters("tower", "::1", 5671).ssl_options.context
        self.assertEqual(context.verify_mode, ssl.CERT_NONE)
        self.assertFalse(context.check_hostname)


class CandidateTests(SynchronousTestCase):
    """Several hosts, each with one or more addresses."""

    def setUp(self) -> None:
        """Let the resolver know one name with two addresses."""

        def resolve(host: str, port: int, deadline: float) -> list[tuple[str, int]]:
            if host != "known":
                raise Unreachable(f"{host} is unknown")
            return [("::1", port), ("127.0.0.1", port)]

        self.patch(amqp, "resolve", resolve)

    def test_all_addresses(self) -> None:
        """In the URL's order, without the hosts that have no address."""
        candidates = _connector("amqp://lost,known:5673,known")._candidates(time.monotonic() + 5)
        self.assertEqual(
            candidates,
            [
                ("known", "::1", 5673),
                ("known", "127.0.0.1", 5673),
                ("known", "::1", 5672),
                ("known", "127.0.0.1", 5672),
            ],
        )

    def test_no_address(self) -> None:
        """When no name is known, the last error is told."""
        connector = _connector("amqp://lost,gone")
        error = self.assertRaises(Unreachable, connector, time.monotonic() + 5)
        self.assertEqual(str(error), "gone is unknown")


def _encrypt(pem: bytes) -> bytes:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    return serialization.load_pem_private_key(pem, None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"passphrase"),
    )
