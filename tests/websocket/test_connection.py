"""`towerws.websocket.connection`: what is written when; test_connection_slow.py has the whole."""

from collections.abc import Callable
from typing import cast

from twisted.internet.interfaces import IPushProducer
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from towerws.core.event import Variant, encode
from towerws.core.metrics import Counter
from towerws.core.outbox import Outbox
from towerws.core.session import Session
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

    def soon(self, call: Callable[[], None]) -> None:
        """See `towerws.websocket.connection.Websocket`; it is soon at once."""
        call()


class FakeSession:
    """What a connection tells its session.

    Attributes:
        told: That, in order.
    """

    def __init__(self) -> None:
        """Begin with nothing told."""
        self.told: list[str] = []

    def drained(self) -> None:
        """See `Session`."""
        self.told.append("drained")

    def end(self) -> None:
        """See `Session`."""
        self.told.append("end")


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
        self.connection.gap("why")
        self.connection.pauseProducing()
        for _ in range(3):
            self.connection.send(b"x" * 80)
        self.assertEqual(self.websocket.orders, [("close", 1013, "reading too slowly")])
        self.assertEqual(self.slow_readers.value, 1)

    def test_held(self) -> None:
        """While it is held what the hub gives is dropped, paused or not; all else is sent."""
        self.connection.hold()
        self.connection.sink.write(b"live")
        self.connection.send(b"1")
        self.connection.pauseProducing()
        self.connection.sink.write(b"live")
        self.connection.send_frames(b"frames")
        self.assertFalse(self.connection.has_room)
        self.connection.release()
        self.connection.sink.write(b"again")
        self.connection.resumeProducing()
        self.connection.sink.write(b"live")
        self.assertTrue(self.connection.has_room)
        self.assertEqual(self.transport.value(), b"\x81\x011framesagainlive")

    def test_held_and_closed(self) -> None:
        """To let go of a connection that is closed does not open it again."""
        self.connection.hold()
        self.connection.close(CloseCode.NORMAL, "bye")
        self.connection.release()
        self.connection.sink.write(b"late")
        self.connection.send_frames(b"late")
        self.assertEqual(self.transport.value(), b"")

    def test_drained(self) -> None:
        """The session hears that there is room once everything has left, not before."""
        session = FakeSession()
        self.connection.session = cast(Session, session)
        self.connection.pauseProducing()
        self.connection.send(b"1")
        self.patch(self.transport, "write", lambda _: self.connection.pauseProducing())
        self.connection.resumeProducing()
        self.assertEqual(session.told, [])
        self.connection.resumeProducing()
        self.assertEqual(session.told, ["drained"])

    def test_finish(self) -> None:
        """The Close comes behind what waits; what comes meanwhile would be one event too many."""
        session = FakeSession()
        self.connection.session = cast(Session, session)
        self.connection.pauseProducing()
        self.connection.send(b"1")
        self.connection.finish(CloseCode.SERVICE_RESTART, "bye")
        self.connection.sink.write(b"late")
        self.connection.hold()
        self.connection.release()
        self.connection.sink.write(b"late")
        self.assertEqual((self.websocket.orders, session.told), ([], ["end"]))
        self.connection.resumeProducing()
        self.assertEqual(self.transport.value(), b"\x81\x011")
        self.assertEqual(self.websocket.orders, [("close", 1012, "bye")])

    def test_finish_at_once(self) -> None:
        """Nothing waits: it is closed."""
        self.connection.finish(CloseCode.SERVICE_RESTART, "bye")
        self.assertEqual(self.websocket.orders, [("close", 1012, "bye")])

    def test_finish_before_a_session(self) -> None:
        """One that has no session yet can go as well."""
        self.connection.pauseProducing()
        self.connection.send(b"1")
        self.connection.finish(CloseCode.SERVICE_RESTART, "bye")
        self.connection.resumeProducing()
        self.assertEqual(self.websocket.orders, [("close", 1012, "bye")])

    def test_close_soon(self) -> None:
        """Passed on with code and reason."""
        self.connection.close_soon(CloseCode.SERVICE_RESTART, "events may have been missed")
        self.assertEqual(
            self.websocket.orders, [("close soon", 1012, "events may have been missed")]
        )
