"""`towerws.network.endpoints`: listeners, and whose certificates are looked after."""

from pathlib import Path
from typing import Any

from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.protocols.tls import TLSMemoryBIOFactory

from tests.network.tls_case import TLSCase
from towerws.core.metrics import Metrics
from towerws.network.endpoints import make_listener
from towerws.network.listening import BACKLOG, Listener, StartError
from towerws.reloading import LOOK_EVERY, Reloader
from towerws.workers.sockets import OpeningReactor


class MakeListenerTests(TLSCase):
    """`make_listener`."""

    def setUp(self) -> None:
        """Have a reactor, and something that looks after files."""
        super().setUp()
        self.reactor = MemoryReactorClock()
        self.metrics = Metrics()
        self.reloader = Reloader(self.reactor, (), self.metrics)
        self.factory = Factory()
        self.description = (
            f"ssl:8443:interface=127.0.0.1:privateKey={self.key}:certKey={self.certificate}"
        )

    def make(self, description: str, reactor: Any = None, *, owned: bool = True) -> Listener:
        """Make a listener."""
        return make_listener(
            reactor or self.reactor, description, self.factory, self.reloader if owned else None
        )

    def test_plain(self) -> None:
        """Without TLS it is what Twisted makes of the string, with room for many clients."""
        self.make("tcp:8051:interface=127.0.0.1").startService()
        self.assertEqual(self.reactor.tcpServers, [(8051, self.factory, BACKLOG, "127.0.0.1")])
        self.assertNotIn("certificate", self.metrics.render())

    def test_tls(self) -> None:
        """With TLS as well; its certificate is measured, and read anew when it changes."""
        listener = self.make(self.description)
        self.assertEqual(listener.description, self.description)
        listener.startService()
        ((port, factory, backlog, interface),) = self.reactor.tcpServers
        self.assertEqual((port, backlog, interface), (8443, BACKLOG, "127.0.0.1"))
        assert isinstance(factory, TLSMemoryBIOFactory)
        self.assertIs(factory.wrappedFactory, self.factory)
        self.assertIn('_seconds{listener="127.0.0.1:8443"} ', self.metrics.render())
        self.reloader.startService()
        certificate, key = self.authority.issue("localhost")
        self.write("certificate.pem", certificate)
        self.write("key.pem", key)
        self.reactor.advance(LOOK_EVERY)
        self.assertIn('towerws_reloads_total{result="changed"} 1', self.metrics.render())

    def test_of_others(self) -> None:
        """Where workers have the connections, the sockets are opened, and nothing is looked at."""
        opening = OpeningReactor(self.reactor, 2)
        description = self.description.replace("8443", "0")
        listener = self.make(description, opening, owned=False)
        listener.startService()
        self.addCleanup(listener.stopService)
        port: Any = listener.port
        self.assertEqual(len(port.sockets), 2)
        self.reloader.startService()
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertNotIn("certificate", self.metrics.render())

    def test_mistakes(self) -> None:
        """What is wrong is a sentence that names the endpoint, and nothing of what is in files."""
        path = self.write("x.pem", b"s3cret")
        no_port = f"ssl:x:privateKey={self.key}:certKey={self.certificate}"
        no_key = f"ssl:1:privateKey={path}:certKey={self.certificate}"
        no_file = "ssl:1:privateKey=/nonexistent"
        for description, sentence in (
            ("bogus:1", "'bogus:1' is not an endpoint: Unknown endpoint type: 'bogus'"),
            (no_port, f"{no_port!r} is not an endpoint: "),
            (no_key, f"cannot listen on {no_key}: {path} has no private key in PEM"),
            (no_file, f"cannot listen on {no_file}: /nonexistent cannot be read: No such file"),
        ):
            text = str(self.assertRaises(StartError, self.make, description))
            self.assertTrue(text.startswith(f"towerws: {sentence}"), text)
            self.assertNotIn("\n", text)
            self.assertNotIn("s3cret", text)

    def test_privileges(self) -> None:
        """A key that cannot be read any more, since twistd gave up its rights, changes nothing."""
        listener = self.make(self.description)
        listener.startService()
        self.reloader.startService()
        Path(self.key).unlink()
        self.reactor.advance(LOOK_EVERY)
        self.assertIn('towerws_reloads_total{result="failed"} 1', self.metrics.render())
        self.assertIsNotNone(listener.port)
