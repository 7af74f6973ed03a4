"""`towerws.feeds.classic`: the queue, coverage, gaps and the end; more in its other modules."""

from tests.bridge_case import LOST, BridgeCase
from tests.fake_broker import delivery
from towerws.amqp.consumer import CANCEL_WITHIN
from towerws.amqp.errors import AMQPError, ChannelClosed, ConsumerCancelled
from towerws.core.history import Kind, Start
from towerws.feeds.classic import ClassicSettings


class QueueTests(BridgeCase):
    """What is asked of the broker for each connection."""

    def test_order(self) -> None:
        """Limits before queues, the queue of dead letters first, and deliveries at the end."""
        self.subscribe("jobs-1")
        client = self.start()
        self.assertEqual(
            [call.name for call in client.calls],
            [
                *("channel_open", "exchange_declare", "queue_declare", "queue_declare"),
                *("queue_bind", "queue_bind", "basic_qos", "basic_consume"),
                *("basic_qos", "basic_consume"),
            ],
        )
        calls = {call.name: call.arguments for call in client.calls}
        self.assertEqual(calls["basic_qos"], {"prefetch_count": 40})
        self.assertEqual(
            calls["exchange_declare"], {"exchange": "events", "type": "topic", "durable": True}
        )
        self.assertEqual(
            calls["basic_consume"],
            {"queue": "amq.gen-2", "arguments": {"x-cancel-on-ha-failover": True}},
        )
        self.assertEqual(
            calls["queue_bind"],
            {"queue": "amq.gen-2", "exchange": "events", "routing_key": "jobs-1"},
        )

    def test_limits(self) -> None:
        """The queue is this connection's, bounded by bytes and time, and drops to the other."""
        client = self.start()
        _, declared = [call.arguments for call in client.calls if call.name == "queue_declare"]
        self.assertEqual(
            declared,
            {
                "queue": "",
                "exclusive": True,
                "auto_delete": True,
                "arguments": {
                    "x-max-length-bytes": 1 << 26,
                    "x-message-ttl": 300_000,
                    "x-overflow": "drop-head",
                    "x-dead-letter-exchange": "",
                    "x-dead-letter-routing-key": "amq.gen-1",
                },
            },
        )
        settings = ClassicSettings(queue_bytes=7, queue_seconds=0.5)
        limits = settings.queue_arguments()
        self.assertEqual((limits["x-max-length-bytes"], limits["x-message-ttl"]), (7, 500))

    def test_loss_in_every_phase(self) -> None:
        """Whatever is lost while it is prepared, the next host is tried."""
        self.subscribe("jobs-1")
        client = self.start()
        names = list(dict.fromkeys(call.name for call in client.calls))
        client.lose(LOST)
        for name in names:
            self.clock.advance(1)
            tried = len(self.attempts)
            self.accept(name).lose(LOST)
            self.assertEqual(len(self.attempts), tried + 1, name)
            self.accept().lose(LOST)


class CoverageTests(BridgeCase):
    """The history has all of a group while it is bound, and knows when that was."""

    def _since(self, position: str, *groups: str) -> Kind:
        start: Start = self.hub.history.start(position, groups)
        return start.kind

    def test_covered_when_bound(self) -> None:
        """From the broker's confirmation on; who was here before may have missed something."""
        client = self.start("queue_bind")
        before = self.hub.history.position
        self.subscribe("jobs-1")
        self.assertEqual(self._since(self.hub.history.position, "jobs-1"), Kind.NOWHERE)
        client.reply_to("queue_bind")
        self.assertEqual(self._since(self.hub.history.position, "jobs-1"), Kind.MEMORY)
        self.assertEqual(self._since(before, "jobs-1"), Kind.NOWHERE)

    def test_covered_before_it_is_told(self) -> None:
        """Whoever is answered can already go on from there."""
        client = self.start("queue_bind")
        kinds: list[Kind] = []
        self.bridge.interest({"jobs-1"}, ())
        self.bridge.when_in_force(
            1, {"jobs-1"}, lambda: kinds.append(self._since(self.hub.history.position, "jobs-1"))
        )
        client.reply_to("queue_bind")
        self.assertEqual(kinds, [Kind.MEMORY])

    def test_covered_from_the_gap(self) -> None:
        """Whoever is told of a gap, and has to come back once more, is not told of a second one."""
        connection, _ = self.subscribe("jobs-1")
        self.start().lose(LOST)
        told: list[str] = []
        connection.on_gap = lambda: told.append(self.hub.history.position)
        self.clock.advance(1)
        self.accept()
        self.assertEqual([self._since(position, "jobs-1") for position in told], [Kind.MEMORY])

    def test_not_before_service(self) -> None:
        """What is bound is covered when it is promised, with the first connection as later."""
        self.subscribe("jobs-1")
        client = self.start("basic_consume")
        self.assertEqual(self._since(self.hub.history.position, "jobs-1"), Kind.NOWHERE)
        client.release("basic_consume")
        self.assertEqual(self._since(self.hub.history.position, "jobs-1"), Kind.MEMORY)

    def test_uncovered_when_unbound(self) -> None:
        """What comes behind the unbinding may be a part of what there was."""
        self.start()
        connection, _ = self.subscribe("jobs-1")
        position = self.hub.history.position
        self.hub.leave(connection)
        self.attempts[-1].deliver(delivery(1))
        self.assertEqual(self._since(self.hub.history.position, "jobs-1"), Kind.NOWHERE)
        self.subscribe("jobs-1")
        self.assertEqual(self._since(position, "jobs-1"), Kind.NOWHERE)

    def test_uncovered_when_lost(self) -> None:
        """Without a connection nothing is; with the next one, all from there on."""
        client = self.start()
        self.subscribe("jobs-1")
        position = self.hub.history.position
        client.lose(LOST)
        self.assertEqual(self._since(position, "jobs-1"), Kind.NOWHERE)
        self.clock.advance(1)
        self.accept()
        self.assertEqual(self._since(position, "jobs-1"), Kind.NOWHERE)
        self.assertEqual(self._since(self.hub.history.position, "jobs-1"), Kind.MEMORY)

    def test_resumed(self) -> None:
        """Events have rising places, whatever was covered between them."""
        self.start()
        self.subscribe("jobs-1")
        position = self.hub.history.position
        for tag in (1, 2, 3):
            self.attempts[-1].deliver(delivery(tag))
            self.subscribe(f"jobs-{tag + 1}")
        start = self.hub.history.start(position, ["jobs-1"])
        self.assertEqual(start.kind, Kind.MEMORY)
        offsets = [each.offset for each in self.hub.history.read(start.offset, ["jobs-1"], 1000)]
        self.assertEqual(len(offsets), 3)
        self.assertEqual(offsets, sorted(set(offsets)))


class ReasonTests(BridgeCase):
    """Clients are told what was lost."""

    def _reason(self, error: AMQPError) -> str:
        self.setUp()
        client = self.start()
        connection, _ = self.subscribe("jobs-1")
        client.lose(error)
        self.clock.advance(1)
        # One that comes to nothing is not the reason.
        self.accept("basic_consume").lose(LOST)
        self.accept()
        (why,) = connection.gaps
        return why

    def test_reasons(self) -> None:
        """Connection, channel and queue, the reason of the first loss."""
        for error, what in (
            (LOST, "connection"),
            (ChannelClosed(1, 406, "PRECONDITION_FAILED"), "channel"),
            (ConsumerCancelled("ctag-1"), "queue"),
        ):
            self.assertIn(f"lost its {what} ", self._reason(error))

    def test_nothing_from_before(self) -> None:
        """Nobody resumes from before a gap, also when no event has come since."""
        client = self.start()
        self.subscribe("jobs-1")
        self.attempts[-1].deliver(delivery(1))
        position = self.hub.history.position
        client.lose(LOST)
        self.clock.advance(1)
        self.accept()
        self.assertEqual(self.hub.history.start(position, ["jobs-1"]).kind, Kind.NOWHERE)


class DrainTests(BridgeCase):
    """The end: nothing is acknowledged that was not handed on."""

    def test_in_order(self) -> None:
        """What comes until the broker has stopped is handed on, and acknowledged at once then."""
        client = self.start("basic_cancel")
        connection, _ = self.subscribe("jobs-1")
        self.attempts[-1].deliver(delivery(1))
        drained = self.bridge.drain()
        self.assertEqual(client.calls[-1].name, "basic_cancel")
        self.attempts[-1].deliver(delivery(2))
        self.assertNoResult(drained)
        client.reply_to("basic_cancel")
        self.successResultOf(drained)
        self.assertEqual(connection.messages, [b"{}", b"{}"])
        self.assertEqual(client.acks, [(1, 2, True)])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_silent_broker(self) -> None:
        """A broker that does not answer delays the end for a bounded time."""
        client = self.start("basic_cancel")
        drained = self.bridge.drain()
        self.clock.advance(CANCEL_WITHIN)
        self.successResultOf(drained)
        self.assertTrue(client.aborted)
        self.successResultOf(self.bridge.stopService())

    def test_queue_is_gone(self) -> None:
        """Nothing is bound or unbound any more: the broker has deleted the queue."""
        client = self.start()
        connection, _ = self.subscribe("jobs-1")
        self.successResultOf(self.bridge.drain())
        self.hub.leave(connection)
        _, in_force = self.subscribe("jobs-2")
        self.assertEqual(client.calls[-1].name, "basic_cancel")
        self.assertEqual(in_force, [])
        client.lose(LOST)
        self.successResultOf(self.bridge.stopService())

    def test_without_a_connection(self) -> None:
        """There is nothing to do, also not for one that was lost."""
        self.successResultOf(self.bridge.drain())
        self.start().lose(LOST)
        self.successResultOf(self.bridge.drain())
        self.assertEqual(self.clock.getDelayedCalls(), [])
