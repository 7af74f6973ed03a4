"""`towerws.websocket.connection`: readers that are slow, and everybody else."""

from twisted.internet.interfaces import IPushProducer
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.websocket_pair import ListenerCase, MemoryClient
from towerws.core.event import Event, Variant, encode
from towerws.core.limits import Limits
from towerws.core.metrics import Counter
from towerws.core.outbox import Outbox
from towerws.core.wire import CloseCode
from towerws.websocket.connection import ClientConnection


class FakeWebsocket:
    """A `towerws.websocket.connection.Websocket` that takes note of its orders.

    Attributes:
        connection: Is told of each Close, as Autobahn's protocol tells it.
        orders: What it was told to do, in order.
    """

    def __init__(self) -> None:
        """Begin with an open connection."""
        self.connection: ClientConnection | None = None
        self.orders: list[tuple[str, int, str]] = []

    def send_close(self, code: int, reason: str) -> None:
        """See `towerws.websocket.connection.Websocket`."""
        self.connection.closing()
        self.orders.append(("close", code, reason))

    def send_close_soon(self, code: int, reason: str) -> None:
        """See `towerws.websocket.connection.Websocket`."""
        self.orders.append(("close soon", code, reason))


class ConnectionTests(SynchronousTestCase):
    """A connection over a fake websocket: what is written when."""

    def setUp(self) -> None:
        """Make a connection with a small budget."""
        self.websocket = FakeWebsocket()
        self.transport = StringTransport()
        self.slow_readers = Counter()
        self.connection = ClientConnection(
            self.websocket, self.transport, Variant.PLAIN, Outbox(100), self.slow_readers
        )
        self.websocket.connection = self.connection

    def test_is_a_producer(self) -> None:
        """It has what a transport calls."""
        self.assertTrue(verifyObject(IPushProducer, self.connection))
        self.connection.stopProducing()

    def test_order(self) -> None:
        """Replies and events leave in the order in which they were made."""
        self.connection.sink.write(encode(b"1", Variant.PLAIN))
        self.connection.send(b"2")
        self.connection.sink.write(encode(b"3", Variant.PLAIN))
        self.connection.pong(b"4")
        self.assertEqual(self.transport.value(), b"\x81\x011\x81\x012\x81\x013\x8a\x014")

    def test_order_over_a_pause(self) -> None:
        """The same while the transport is paused, however often it says so."""
        self.connection.send(b"1")
        self.connection.pauseProducing()
        self.connection.pauseProducing()
        self.connection.send(b"2")
        self.connection.sink.write(encode(b"3", Variant.PLAIN))
        self.connection.pong(b"4")
        self.assertEqual(self.transport.value(), b"\x81\x011")
        self.assertEqual(self.connection.waiting, 9)
        self.connection.resumeProducing()
        self.connection.resumeProducing()
        self.connection.send(b"5")
        self.assertEqual(self.transport.value(), b"\x81\x011\x81\x012\x81\x013\x8a\x014\x81\x015")
        self.assertEqual(self.connection.waiting, 0)

    def test_pause_while_catching_up(self) -> None:
        """A transport that has enough again at once is given no more."""
        written: list[bytes] = []

        class Narrow(StringTransport):
            """Has enough after each write."""

            def write(_, data: bytes) -> None:  # noqa: N805  # self is the test
                written.append(data)
                self.connection.pauseProducing()

        self.connection = ClientConnection(
            self.websocket, Narrow(), Variant.PLAIN, Outbox(100), self.slow_readers
        )
        for payload in (b"1", b"2", b"3"):
            self.connection.send(payload)
        self.connection.resumeProducing()
        self.connection.send(b"4")
        self.assertEqual(written, [b"\x81\x011", b"\x81\x012\x81\x013"])

    def test_catches_up_in_pieces(self) -> None:
        """What the transport has not sent counts for no budget, so it gets little at a time."""
        frames = [bytes([number]) * 40_000 for number in range(6)]
        outbox = Outbox(1_000_000)
        written: list[bytes] = []

        class Narrow(StringTransport):
            """Has enough as soon as it has anything."""

            def write(_, data: bytes) -> None:  # noqa: N805  # self is the test
                written.append(data)
                self.connection.pauseProducing()

        self.connection = ClientConnection(
            self.websocket, Narrow(), Variant.PLAIN, outbox, self.slow_readers
        )
        self.connection.pauseProducing()
        for frame in frames:
            self.connection.write(frame)
        for number, frame in enumerate(frames, 1):
            self.connection.resumeProducing()
            self.assertEqual(written[-1], frame)
            self.assertEqual(self.connection.waiting, (len(frames) - number) * 40_000)
        self.assertEqual(written, frames)

    def test_nothing_after_a_close(self) -> None:
        """After the Close nothing is written or kept, and nobody is cut twice."""
        self.connection.close(CloseCode.NORMAL, "bye")
        self.connection.send(b"late")
        self.connection.pauseProducing()
        self.connection.send(b"x" * 200)
        self.connection.send(b"x" * 200)
        self.assertEqual(self.connection.waiting, 0)
        self.connection.resumeProducing()
        self.assertEqual(self.transport.value(), b"")
        self.assertEqual(self.websocket.orders, [("close", 1000, "bye")])
        self.assertEqual(self.slow_readers.value, 0)

    def test_close_of_a_paused_one(self) -> None:
        """What waits when the Close goes out is forgotten: it could only come behind it."""
        self.connection.pauseProducing()
        self.connection.send(b"1")
        self.connection.close(CloseCode.NORMAL, "bye")
        self.connection.resumeProducing()
        self.assertEqual((self.transport.value(), self.connection.waiting), (b"", 0))

    def test_slow_reader_without_session(self) -> None:
        """A connection can be cut, and hear of a gap, before it has a session."""
        self.connection.gap()
        self.connection.pauseProducing()
        for _ in range(3):
            self.connection.send(b"x" * 80)
        self.assertEqual(self.websocket.orders, [("close", 1013, "reading too slowly")])
        self.assertEqual(self.slow_readers.value, 1)

    def test_close_soon(self) -> None:
        """Passed on with code and reason."""
        self.connection.close_soon(CloseCode.SERVICE_RESTART, "events may have been missed")
        self.assertEqual(
            self.websocket.orders, [("close soon", 1012, "events may have been missed")]
        )


class SlowReaderTests(ListenerCase):
    """Clients that do not read, over a transport that buffers as TCP does."""

    _BUDGET = 200_000

    def setUp(self) -> None:
        """Connect one client that reads and one that does not."""
        super().setUp()
        self.listener(max_outbox=self._BUDGET, limits=Limits(rate=1_000_000, burst=1_000_000))
        self.reader = self.subscriber("jobs-1")
        self.sluggard = self.subscriber("jobs-1", "jobs-2")
        self.sluggard.wire.stalled = True

    def _publish(self, size: int) -> bytes:
        payload = b'{"x": "%s"}' % (b"x" * (size - 9))
        self.hub.publish([Event("jobs-1", payload)])
        return payload

    def _waiting(self, client: MemoryClient) -> int:
        """How many bytes the server holds for a client."""
        protocol = client.wire.protocol
        connection = protocol._connection  # type: ignore[attr-defined]
        return client.wire.buffered + (0 if connection is None else connection.waiting)

    def test_catches_up(self) -> None:
        """Who reads late gets everything, in order, events and replies."""
        sent = [self._publish(30_000) for _ in range(6)]
        self.assertGreater(self._waiting(self.sluggard), 6 * 30_000)
        self.sluggard.wire.deliver(b"\x81\x82\x00\x00\x00\x00[]")
        self.sluggard.wire.deliver(b"\x89\x81\x00\x00\x00\x00!")
        sent.append(b'{"error": "the frame is not a JSON object"}')
        sent.append(self._publish(10))
        self.sluggard.wire.stalled = False
        self.assertEqual(self.sluggard.texts(), sent)
        self.assertEqual(self._waiting(self.sluggard), 0)
        self.assertEqual(self.counted("towerws_slow_readers_total"), 0)

    def test_catches_up_again_and_again(self) -> None:
        """What was read makes room in the budget."""
        for _ in range(20):
            sent = [self._publish(30_000) for _ in range(6)]
            self.sluggard.wire.stalled = False
            self.assertEqual(self.sluggard.texts(), sent)
            self.sluggard.wire.stalled = True
        self.assertIsNone(self.sluggard.wire.closed)

    def test_is_cut(self) -> None:
        """Over the budget it is closed with 1013, counted, and holds no memory; others go on."""
        for _ in range(100):
            payload = self._publish(30_000)
            self.assertEqual(self.reader.texts(), [payload])
            self.assertLess(self._waiting(self.sluggard), self._BUDGET + 2 * 65536)
        self.assertEqual(self.counted("towerws_slow_readers_total"), 1)
        # Its groups are left at once, not when TCP gives up.
        self.assertEqual(self.counted("towerws_groups"), 1)
        self.assertLess(self._waiting(self.sluggard), 2 * 65536)
        self.sluggard.wire.stalled = False
        self.sluggard.pump()
        self.assertEqual(self.sluggard.close_code, 1013)
        self.assertEqual(self.counted("towerws_connections"), 1)

    def test_is_cut_and_still_does_not_read(self) -> None:
        """It is dropped then, with what is buffered."""
        with capturedLogs() as logs:
            for _ in range(20):
                self._publish(30_000)
                self.reader.pump()
        lines = [formatEvent(event) for event in logs]
        self.assertEqual(lines.count("closing a connection that reads too slowly"), 1)
        self.reactor.advance(2)
        self.reactor.advance(0)
        self.assertIsNotNone(self.sluggard.wire.closed)
        self.assertEqual(self.counted("towerws_connections"), 1)

    def test_floods_with_messages(self) -> None:
        """A client that asks for answers and reads none is cut by the same budget."""
        for _ in range(20):
            self.sluggard.wire.deliver(b"\x81\x82\x00\x00\x00\x00[]" * 1000)
            self.assertLess(self._waiting(self.sluggard), self._BUDGET + 2 * 65536)
        self.assertEqual(self.counted("towerws_slow_readers_total"), 1)

    def test_floods_with_pings(self) -> None:
        """The same for Pongs, which Autobahn by itself would write without end."""
        ping = b"\x89\xfd\x00\x00\x00\x00" + b"x" * 125
        for _ in range(20):
            self.sluggard.wire.deliver(ping * 400)
            self.assertLess(self._waiting(self.sluggard), self._BUDGET + 2 * 65536)
        self.assertEqual(self.counted("towerws_slow_readers_total"), 1)

    def test_large_event(self) -> None:
        """An event larger than the budget reaches a client that keeps up."""
        self.sluggard.leave()
        for _ in range(3):
            payload = self._publish(10 * self._BUDGET)
            self.assertEqual(self.reader.texts(), [payload])
        self.assertEqual(self.counted("towerws_slow_readers_total"), 0)

    def test_large_batch(self) -> None:
        """So does a batch of events that came in one read."""
        self.sluggard.leave()
        payloads = [b'{"%d": "%s"}' % (n, b"x" * 1000) for n in range(1000)]
        self.hub.publish([Event("jobs-1", payload) for payload in payloads])
        self.assertEqual(self.reader.texts(), payloads)

    def test_close_of_a_slow_reader(self) -> None:
        """A server that stops does not wait for who does not read."""
        for _ in range(4):
            self._publish(30_000)
        self.factory.close_all(CloseCode.SERVICE_RESTART, "the server stops")
        self.reader.pump()
        self.reactor.advance(2)
        self.reactor.advance(0)
        self.assertEqual(self.counted("towerws_connections"), 0)
