"""Coming back when the line breaks."""

import json
from types import SimpleNamespace
from typing import Any, NoReturn

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IHostnameResolver
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.client.ears import Ears
from tests.client.memory import ACCEPT, Network, ServerEnd, end, joined
from tests.client.v1 import ACCEPT_V1, V1, enveloped, gap, reply
from towerws.client.conversation import Refused
from towerws.client.listener import SETTLED, Listener
from towerws.client.subscription import Subscription
from towerws.client.target import Target

#: Longer than any delay here, in seconds.
LATER = 20


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


class ListenerCase(SynchronousTestCase):
    """A listener that is about to connect."""

    def setUp(self) -> None:
        """Start to listen; the delays are 1, 2, 3 ... seconds."""
        self.network = Network(self)
        self.ears = Ears()
        self.listening = self.listen("ws+unix:///run/a.sock")

    def listen(self, url: str, since: str | None = None) -> Deferred[NoReturn]:
        """Listen to a URL."""
        self.listener = Listener(
            self.network.reactor,
            Target.parse(url),
            Subscription(["jobs-summary"]),
            self.ears,
            since=since,
            delay=lambda attempt: attempt + 1.0,
        )
        listening = Deferred.fromCoroutine(self.listener.run())
        self.addCleanup(end, listening)
        return listening


class ListenerTests(ListenerCase):
    """`Listener` connects again and again, but not without pause."""

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


class ResumingTests(ListenerCase):
    """`Listener` goes on where its audience is."""

    def accept(self, *frames: bytes) -> ServerEnd:
        """Let the latest attempt come to a server of profile "towerws.v1"."""
        server = self.network.accept(subprotocol=V1)
        server.send(ACCEPT_V1, *frames)
        return server

    def come_back(self, server: ServerEnd) -> str | None:
        """Lose the connection, and connect again; give the position that is gone on from."""
        server.drop()
        self.network.reactor.advance(LATER)
        again = self.accept()
        since: str | None = json.loads(again.frames[0]).get("since")
        again.drop()
        self.network.reactor.advance(LATER)
        return since

    def test_goes_on(self) -> None:
        """Each connection begins behind the last event that was told, in any profile."""
        self.assertIsNone(self.come_back(self.accept()))
        server = self.accept(reply("p1"), enveloped("p2", b"[1]"), enveloped("p3", b"[2]"))
        self.assertEqual(self.come_back(server), "p3")
        server = self.accept(reply("p6", replayed=2), enveloped("p4", b"[3]"))
        self.assertEqual(self.listener.position, "p4")
        self.assertEqual(self.come_back(server), "p4")
        self.accept(reply("p6", replayed=1), enveloped("p5", b"[4]"))
        self.assertEqual(self.ears.events, [b"[1]", b"[2]", b"[3]", b"[4]"])
        self.assertEqual(self.ears.gaps, [])

    def test_since(self) -> None:
        """A listener may go on where another one has ended."""
        self.listen("ws+unix:///run/a.sock", since="p7")
        server = self.accept(reply("p9", replayed=0))
        self.assertEqual(json.loads(server.frames[0])["since"], "p7")
        self.assertEqual(self.listener.position, "p9")

    def test_gap_that_is_not_told(self) -> None:
        """If the connection is lost before the gap is told, it is asked for once more."""
        server = self.accept(reply("p1"))
        self.assertEqual(self.come_back(server), "p1")
        server = self.accept(reply("p9", replayed=-1))
        self.assertEqual(self.come_back(server), "p1")
        server = self.accept(reply("p9", replayed=-1), gap("too old", "p9"))
        self.assertEqual(self.ears.gaps, ["too old"])
        self.assertEqual(self.come_back(server), "p9")

    def test_other_profile(self) -> None:
        """Where a server without positions takes over, or hands back, a gap is told."""
        server = self.accept(reply("p1"))
        for number in (1, 2):
            server.drop()
            self.network.reactor.advance(number)
            server = self.network.accept()
            server.send(ACCEPT, joined("jobs-summary"), b"{}")
            self.assertEqual(len(self.ears.gaps), number)
            self.assertIsNone(self.listener.position)
        server.drop()
        self.network.reactor.advance(3)
        server = self.accept(reply("p5"))
        self.assertNotIn(b"since", server.frames[0])
        self.assertEqual(self.ears.told[-2:], ["joined", "gap"])
        self.assertEqual((len(self.ears.gaps), self.listener.position), (3, "p5"))

    def test_own_delay(self) -> None:
        """A server that says when to come back is obeyed."""
        server = self.accept(reply("p1"))
        for _ in range(int(SETTLED)):
            self.network.reactor.advance(1)
            server.pump.flush()
        server.send(b'{"reconnect": {"after_ms": 300}}')
        server.close(1012)
        self.assertIn("1012; connecting again in 0.3 s", self.ears.notices[-1])
        self.network.reactor.advance(0.3)
        self.assertEqual(self.network.attempts, 2)

    def test_own_delays_without_end(self) -> None:
        """One that sends us away again and again is obeyed with growing delays at least."""
        for attempt in range(1, 4):
            server = self.accept(b'{"reconnect": {"after_ms": 2000}}')
            server.close(1012)
            self.assertIn(f"again in {max(2, attempt)}.0 s", self.ears.notices[-1])
            self.network.reactor.advance(max(2, attempt))

    def test_silence(self) -> None:
        """After a silence the next attempt goes on where the audience is."""
        server = self.accept(reply("p1"))
        for _ in range(31):
            self.network.reactor.advance(1)
            server.pump.flush()
        self.assertIn("no sign of life for 30 s; connecting again", self.ears.notices[-1])
        self.network.reactor.advance(1)
        again = self.accept()
        self.assertEqual(json.loads(again.frames[0])["since"], "p1")


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
