"""One connection of a load test, talking to Autobahn's server in memory."""

import json

from twisted.internet.error import ConnectionLost
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.cli.memory import Network
from tests.client.memory import ACCEPT, ServerEnd, joined
from tests.client.v1 import ACCEPT_V1, V1, enveloped, gap, heartbeat, reply
from towerws.cli.bench.observations import Observations
from towerws.cli.bench.stamp import stamped
from towerws.cli.bench.subscriber import NotSubscribed, Subscriber
from towerws.client import Subscription, Target
from towerws.notify.encoder import encode


def event(number: int, moment: int) -> bytes:
    """Make an event as it is delivered."""
    return encode(stamped(number, moment, 100))


class SubscriberTests(SynchronousTestCase):
    """`Subscriber` subscribes, counts and times."""

    def setUp(self) -> None:
        """Have a client that is not connected."""
        self.network = Network(self)
        self.now = 1000
        self.seen = Observations()
        self.client = self.make()

    def make(self, subprotocol: str | None = None) -> Subscriber:
        """Make a client."""
        target = Target.parse("ws://localhost/websocket/?a=b")
        subscription = Subscription(["bench_1-0"], {"Cookie": "a=b"}, "token")
        return Subscriber(
            target, subscription, 0, self.seen, lambda: self.now, subprotocol=subprotocol
        )

    def accept(self, *frames: bytes, subprotocol: str | None = None) -> ServerEnd:
        """Connect, and let the server send frames, a microsecond after the client began."""
        self.now += 1000
        server = self.network.accept(self.client, subprotocol=subprotocol)
        server.send(*frames)
        return server

    def open(self) -> ServerEnd:
        """Connect, and be subscribed."""
        return self.accept(ACCEPT, joined("bench_1-0"))

    def refusal(self) -> str:
        """Give the reason why there is no subscription."""
        reason = str(self.failureResultOf(self.client.ready, NotSubscribed).value)
        self.assertEqual(self.seen.failed, {reason: 1})
        self.assertFalse(self.client.subscribed)
        return reason

    def test_subscription(self) -> None:
        """It shakes hands, subscribes, and is ready with the answer."""
        server = self.accept(ACCEPT)
        self.assertEqual(server.request.path, "/websocket/")
        self.assertEqual(server.request.headers["cookie"], "a=b")
        wanted = {"groups": {"bench_1": ["0"]}, "xrftoken": "token"}
        self.assertEqual([json.loads(frame) for frame in server.frames], [wanted])
        self.assertNoResult(self.client.ready)
        self.now += 500
        server.send(joined("bench_1-0"))
        self.successResultOf(self.client.ready)
        self.assertTrue(self.client.subscribed)
        self.assertEqual((self.seen.opened.largest, self.seen.subscribed.largest), (1000, 1500))
        self.assertEqual((self.seen.opened.count, self.seen.subscribed.count), (1, 1))

    def test_events(self) -> None:
        """Each is counted once, and timed unless it belongs to the warm-up."""
        server = self.open()
        self.seen.begin = 3000
        self.now = 5000
        server.send(event(0, 2999), event(1, 3000), event(1, 3000))
        self.assertEqual((self.client.tally.received, self.client.tally.duplicated), (2, 1))
        self.assertEqual((self.seen.latency.count, self.seen.latency.largest), (1, 2000))
        self.assertEqual(self.seen.last, 5000)

    def test_other_frames(self) -> None:
        """The server's errors are kept, what nobody asked for is counted."""
        server = self.open()
        server.send(b'{"error": "no"}', b'{"error": "no"}', b"{}", b"[", b"7", joined("bench_1-0"))
        self.assertEqual(self.seen.errors, {"no": 2})
        self.assertEqual(self.seen.surplus, 3)

    def test_v1(self) -> None:
        """In profile "towerws.v1" events come in envelopes; gaps are kept, heartbeats are not."""
        self.client = self.make(V1)
        server = self.accept(ACCEPT_V1, reply("p1", "bench_1-0"), subprotocol=V1)
        self.assertEqual(server.request.protocols, [V1])
        self.assertNotIn(b"since", server.frames[0])
        self.successResultOf(self.client.ready)
        self.now = 5000
        server.send(enveloped("p2", event(0, 3000), "bench_1-0"), heartbeat("p2"))
        self.assertEqual((self.client.tally.received, self.seen.latency.largest), (1, 2000))
        self.assertEqual((self.seen.gaps, self.seen.surplus), ({}, 0))
        server.send(gap("away", "p3"), b'{"reconnect": {"after_ms": 1}}', event(1, 1), b"{}")
        self.assertEqual((self.seen.gaps, self.seen.surplus), ({"away": 1}, 2))

    def test_no_v1(self) -> None:
        """A server that does not speak it is none to measure it with."""
        self.client = self.make(V1)
        self.accept()
        self.assertEqual(self.refusal(), "the server does not speak towerws.v1")

    def test_ping(self) -> None:
        """A Ping is answered, a Pong is not."""
        server = self.open()
        pongs: list[bytes] = []
        self.patch(server, "onPong", pongs.append)
        server.sendPing(b"abc")
        server.sendPong(b"x")
        server.pump.flush()
        self.assertEqual((pongs, self.seen.surplus), ([b"abc"], 0))

    def test_refused(self) -> None:
        """An HTTP error, whatever came of it, is the reason."""
        transport = StringTransport()
        self.client.makeConnection(transport)
        self.client.dataReceived(b"HTTP/1.1 503 Service")
        self.assertFalse(transport.disconnecting)
        self.client.dataReceived(b" Unavailable\r\n\r\nsorry")
        self.assertTrue(transport.disconnected)
        self.client.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.refusal(), "HTTP 503 Service Unavailable")

    def test_endless_answer(self) -> None:
        """An answer that does not end is not kept without end."""
        transport = StringTransport()
        self.client.makeConnection(transport)
        self.client.dataReceived(b"HTTP/1.1 101 x\r\n" + b"x" * 65_536)
        self.client.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.refusal(), "an answer of more than 65536 bytes")

    def test_no_anonymous_users(self) -> None:
        """A server that lets nobody in is told as such."""
        self.accept(b'{"close": true}')
        self.assertIn("does not know us", self.refusal())

    def test_no_group(self) -> None:
        """A subscription to nothing is none."""
        self.accept(ACCEPT, joined())
        self.assertIn("none of the groups", self.refusal())

    def test_give_up(self) -> None:
        """What was waited for in vain is named."""
        self.accept(ACCEPT)
        self.client.give_up()
        self.client.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.refusal(), "no reply to the subscription in time")

    def test_give_up_earlier(self) -> None:
        """The same for a server that does not even answer."""
        self.client.makeConnection(StringTransport())
        self.client.give_up()
        self.client.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.refusal(), "no answer to the handshake in time")

    def test_closed_by_the_server(self) -> None:
        """Code and reason are kept, the Close is answered; it was lost, not failed."""
        server = self.open()
        server.close(1013, "reading too slowly")
        self.successResultOf(self.client.gone)
        self.assertEqual(server.closed, 1013)
        self.assertEqual(self.seen.lost, {"closed with 1013 reading too slowly": 1})
        self.assertEqual(self.seen.failed, {})

    def test_dropped(self) -> None:
        """A connection that ends without a Close is lost as well."""
        self.open().drop()
        self.assertEqual(self.seen.lost, {"closed without a word": 1})

    def test_broken(self) -> None:
        """So is one that breaks."""
        self.open()
        self.client.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(len(self.seen.lost), 1)
        self.assertIn("non-clean fashion", next(iter(self.seen.lost)))

    def test_bad_frame(self) -> None:
        """What is no frame ends the connection, with a reason."""
        server = self.open()
        server.transport.write(b"\xff\x00")
        server.pump.flush()
        self.assertEqual(self.seen.lost, {"a frame that begins with 0xff": 1})

    def test_leave(self) -> None:
        """Leaving is polite, and no loss."""
        server = self.open()
        self.client.leave()
        server.pump.flush()
        self.assertEqual(server.closed, 1000)
        self.successResultOf(self.client.gone)
        self.assertEqual((self.seen.lost, self.seen.failed), ({}, {}))

    def test_leave_early(self) -> None:
        """Where there is no websocket yet there is nothing to be polite about."""
        transport = StringTransport()
        self.client.makeConnection(transport)
        transport.clear()
        self.client.leave()
        self.assertEqual((transport.value(), transport.disconnected), (b"", True))
        self.client.connectionLost(Failure(ConnectionLost()))
        self.failureResultOf(self.client.ready, NotSubscribed)
        self.assertEqual(self.seen.failed, {})

    def test_abort(self) -> None:
        """Aborting closes at once."""
        transport = StringTransport()
        self.client.makeConnection(transport)
        self.client.abort()
        self.assertTrue(transport.disconnected)
        self.client.connectionLost(Failure(ConnectionLost()))
        self.failureResultOf(self.client.ready, NotSubscribed)
