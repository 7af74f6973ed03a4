"""`towerws.websocket.connection`: readers that are slow, on a whole listener."""

from twisted.logger import capturedLogs, formatEvent

from tests.hubs import publish
from tests.websocket_pair import ListenerCase, MemoryClient
from towerws.core.limits import Limits
from towerws.core.wire import CloseCode


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
        publish(self.hub, ("jobs-1", payload))
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
        publish(self.hub, *[("jobs-1", payload) for payload in payloads])
        self.assertEqual(self.reader.texts(), payloads)

    def test_close_of_a_slow_reader(self) -> None:
        """A server that stops does not wait for who does not read."""
        for _ in range(4):
            self._publish(30_000)
        self.factory.crowd.close_all(CloseCode.SERVICE_RESTART, "the server stops")
        self.reader.pump()
        self.reactor.advance(2)
        self.reactor.advance(0)
        self.assertEqual(self.counted("towerws_connections"), 0)
