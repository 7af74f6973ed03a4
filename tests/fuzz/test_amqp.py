"""Whatever a broker, or something in its place, sends to the AMQP client."""

from hypothesis import given
from hypothesis import strategies as st
from pika import spec
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.amqp.broker import ScriptedBroker, delivery_bytes, frame_bytes, method_bytes
from tests.fuzz.mutations import CUTS, cut, mutated
from tests.properties import CONVERSATION
from towerws.amqp.errors import AMQPError
from towerws.amqp.frames import HEARTBEAT_FRAME

_METHODS = (
    method_bytes(spec.Connection.Start()),
    method_bytes(spec.Connection.Tune(9, 131072, 60)),
    method_bytes(spec.Connection.OpenOk()),
    method_bytes(spec.Connection.Blocked("no room")),
    method_bytes(spec.Connection.Unblocked()),
    method_bytes(spec.Connection.Close(320, "CONNECTION_FORCED", 0, 0)),
    method_bytes(spec.Connection.CloseOk()),
    method_bytes(spec.Channel.OpenOk(), 1),
    method_bytes(spec.Channel.Close(404, "NOT_FOUND", 50, 20), 1),
    method_bytes(spec.Queue.BindOk(), 1),
    method_bytes(spec.Queue.DeclareOk("q", 0, 0), 1),
    method_bytes(spec.Basic.ConsumeOk("c"), 1),
    method_bytes(spec.Basic.Cancel("c"), 1),
    method_bytes(spec.Basic.Ack(1, True), 1),
    method_bytes(spec.Basic.Nack(7), 1),
    method_bytes(spec.Confirm.SelectOk(), 1),
)
_FRAME = st.one_of(
    st.sampled_from(_METHODS),
    st.just(HEARTBEAT_FRAME),
    st.builds(
        delivery_bytes,
        st.binary(max_size=60),
        tag=st.integers(1, 9),
        headers=st.dictionaries(st.text(max_size=4), st.none() | st.integers(-9, 9), max_size=2),
    ),
    st.builds(frame_bytes, st.integers(0, 9), st.integers(0, 3), st.binary(max_size=40)),
    st.binary(max_size=20),
)
_STREAM = mutated(st.lists(_FRAME, max_size=8).map(b"".join))


class ClientTests(SynchronousTestCase):
    """`towerws.amqp.client` at each stage of a connection."""

    def _feed(self, broker: ScriptedBroker, stream: bytes, shares: list[float]) -> None:
        with capturedLogs() as logs:
            for piece in cut(stream, shares):
                broker.send_bytes(piece)
            client = broker.client
            delivered = len(broker.deliveries)
            if client.lost is not None:
                self.assertIsInstance(client.lost, AMQPError)
                self.assertLess(len(str(client.lost)), 1000)
                # hypothesis knows the words of this file, and may send the password itself.
                self.assertNotIn("secret", str(client.lost).replace(repr(b"secret"), ""))
                broker.send_bytes(delivery_bytes())
                self.assertEqual(len(broker.deliveries), delivered)
            client.close(within=0)
            broker.settle()
        self.assertTrue(broker.transport.disconnected)
        self.assertEqual(broker.clock.getDelayedCalls(), [])
        self.assertEqual([e for e in logs if e["log_level"] >= LogLevel.error], [])

    @given(_STREAM, CUTS)
    @CONVERSATION
    def test_before_the_handshake(self, stream: bytes, shares: list[float]) -> None:
        """Something that answers on the broker's port."""
        broker = ScriptedBroker()
        broker.connect()
        self._feed(broker, stream, shares)

    @given(_STREAM, CUTS)
    @CONVERSATION
    def test_behind_the_handshake(self, stream: bytes, shares: list[float]) -> None:
        """A broker that loses its mind."""
        broker = ScriptedBroker()
        broker.handshake()
        broker.open_channel()
        self._feed(broker, stream, shares)

    @given(_STREAM, CUTS)
    @CONVERSATION
    def test_with_requests(self, stream: bytes, shares: list[float]) -> None:
        """The same while answers are waited for: each wait ends when the connection does."""
        broker = ScriptedBroker()
        broker.handshake()
        channel = broker.confirming_channel()
        waits = [
            channel.queue_bind(queue="q", exchange="e", routing_key="k"),
            broker.client.publish(1, "e", "k", b"{}", {}),
        ]
        ends: list[object] = []
        for wait in waits:
            wait.addBoth(ends.append)
        self._feed(broker, stream, shares)
        self.assertEqual(len(ends), 2)
