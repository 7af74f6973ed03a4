"""Coming back when the line breaks."""

from types import SimpleNamespace
from typing import Any, NoReturn

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IHostnameResolver
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.cli.memory import ACCEPT, Network, end
from tests.cli.test_client import Ears
from towerws.cli.client import Refused, Subscription
from towerws.cli.listener import SETTLED, Listener
from towerws.cli.target import Target


@implementer(IHostnameResolver)
class NoNames:
    """A resolver that knows no name."""

    def resolveHostName(  # type: ignore[override]  # noqa: N802
        self,
        receiver: Any,
        hostName: str,  # noqa: N803
        *_more: Any,
        **_options: Any,
    ) -> Any:
        """Find nothing."""
        resolution = SimpleNamespace(name=hostName)
        receiver.resolutionBegan(resolution)
        receiver.resolutionComplete()
        return resolution


class ListenerTests(SynchronousTestCase):
    """`Listener` connects again and again, but not without pause."""

    def setUp(self) -> None:
        """Start to listen; the delays are 1, 2, 3 ... seconds."""
        self.network = Network(self)
        self.ears = Ears()
        self.listening = self.listen("ws+unix:///run/a.sock")

    def listen(self, url: str) -> Deferred[NoReturn]:
        """Listen to a URL."""
        listener = Listener(
            self.network.reactor,
            Target.parse(url),
            Subscription(["jobs-summary"]),
            self.ears,
            delay=lambda attempt: attempt + 1.0,
        )
        listening = Deferred.fromCoroutine(listener.run())
        self.addCleanup(end, listening)
        return listening

    def test_server_not_there_yet(self) -> None:
        """Attempts are made until there is a server, each told, with growing delays."""
        for attempt in range(1, 4):
            self.network.refuse()
            self.assertEqual(
                self.ears.notices[-1],
                "cannot connect to /run/a.sock: Connection was refused by other side; "
                f"connecting again in {attempt}.0 s",
            )
            self.network.reactor.advance(attempt - 0.1)
            self.assertEqual(self.network.attempts, attempt)
            self.network.reactor.advance(0.1)
            self.assertEqual(self.network.attempts, attempt + 1)
        self.network.accept().send(ACCEPT, b'{"a": 1}')
        self.assertEqual(self.ears.events, [b'{"a": 1}'])

    def test_restart(self) -> None:
        """After a restart the groups are subscribed to anew."""
        server = self.network.accept()
        server.send(ACCEPT)
        server.close(1012, "restart")
        self.network.reactor.advance(1)
        again = self.network.accept()
        self.assertEqual(again.frames, server.frames)
        again.send(ACCEPT, b'{"a": 1}')
        self.assertEqual(self.ears.events, [b'{"a": 1}'])

    def test_short_lives(self) -> None:
        """Connections that end at once make the delays grow like attempts in vain."""
        for attempt in range(1, 4):
            self.network.accept().close(1012)
            self.assertIn(f"again in {attempt}.0 s", self.ears.notices[-1])
            self.network.reactor.advance(attempt)

    def test_long_life(self) -> None:
        """After a connection that lived a while the first delay is the shortest again."""
        self.network.refuse()
        self.network.reactor.advance(1)
        server = self.network.accept()
        self.network.reactor.advance(SETTLED)
        server.drop()
        self.assertIn("again in 1.0 s", self.ears.notices[-1])

    def test_refused(self) -> None:
        """A refusal ends it, and the connection is closed."""
        server = self.network.accept()
        server.send(b'{"close": true}')
        self.failureResultOf(self.listening, Refused)
        self.assertEqual(server.closed, 1000)
        self.network.reactor.advance(60)
        self.assertEqual(self.network.attempts, 1)

    def test_audience_fails(self) -> None:
        """What the audience raises ends it."""
        self.ears.fault = BrokenPipeError()
        self.network.accept().send(ACCEPT, b'{"a": 1}')
        self.failureResultOf(self.listening, BrokenPipeError)

    def test_cancel_while_listening(self) -> None:
        """Cancelling says goodbye to the server, and waits for its answer."""
        server = self.network.accept()
        self.listening.cancel()
        self.assertNoResult(self.listening)
        server.pump.flush()
        self.assertEqual(server.closed, 1000)
        self.failureResultOf(self.listening, CancelledError)

    def test_cancel_while_connecting(self) -> None:
        """Cancelling an attempt ends it."""
        self.listening.cancel()
        self.failureResultOf(self.listening, CancelledError)

    def test_cancel_while_waiting(self) -> None:
        """Cancelling between attempts leaves no timer behind."""
        self.network.refuse()
        self.listening.cancel()
        self.failureResultOf(self.listening, CancelledError)
        self.assertEqual(self.network.reactor.getDelayedCalls(), [])

    def test_unknown_host(self) -> None:
        """A name that the resolver does not know is told, and tried again."""
        self.network.reactor.installNameResolver(NoNames())
        self.listen("ws://nowhere.invalid:8051/")
        self.assertIn("cannot connect to nowhere.invalid:8051: DNS lookup", self.ears.notices[-1])


class DelayTests(SynchronousTestCase):
    """The delays of a listener that is given none."""

    def test_bounds(self) -> None:
        """The first comes within 1.5 s, and none takes longer than 16 s."""
        for attempts, shortest, longest in ((1, 0.5, 1.5), (30, 15.0, 16.0)):
            network, ears = Network(self), Ears()
            listener = Listener(
                network.reactor, Target.parse("ws+unix:///a"), Subscription(["a-b"]), ears
            )
            self.addCleanup(end, Deferred.fromCoroutine(listener.run()))
            for _ in range(attempts):
                network.reactor.advance(20)
                network.refuse()
            delay = float(ears.notices[-1].rpartition(" in ")[2].removesuffix(" s"))
            self.assertTrue(shortest <= delay <= longest, delay)
