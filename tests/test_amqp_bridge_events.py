"""`towerws.amqp_bridge`: subscriptions, gaps, and events in both directions."""

from tests.bridge_case import LOST, REFUSED, BridgeCase
from tests.fake_broker import Attempt, FakeClient, delivery
from towerws.core.subscriptions import Change


class SubscriptionTests(BridgeCase):
    """A subscription is answered when the broker has it, and not before."""

    def test_in_force_at_bind_ok(self) -> None:
        """The reply waits for the broker's."""
        client = self.start("queue_bind")
        _, in_force = self.subscribe("jobs-1", "jobs-2")
        self.assertEqual(
            sorted(client.named("queue_bind")), [("queue_bind", "jobs-1"), ("queue_bind", "jobs-2")]
        )
        client.reply_to("queue_bind")
        self.assertEqual(in_force, [])
        client.reply_to("queue_bind")
        self.assertEqual(len(in_force), 1)

    def test_second_listener(self) -> None:
        """A group that is bound is not bound again; one that is being bound is waited for."""
        client = self.start("queue_bind")
        _, first = self.subscribe("jobs-1")
        _, second = self.subscribe("jobs-1")
        self.assertEqual(second, [])
        client.reply_to("queue_bind")
        self.assertEqual((len(first), len(second)), (1, 1))
        _, third = self.subscribe("jobs-1")
        self.assertEqual(len(third), 1)
        self.assertEqual(len(client.named("queue_bind")), 1)

    def test_last_listener(self) -> None:
        """A group that nobody listens to is unbound."""
        client = self.start()
        connection, _ = self.subscribe("jobs-1")
        self.hub.leave(connection)
        self.assertEqual(client.named("queue_unbind"), [("queue_unbind", "jobs-1")])

    def test_before_the_broker(self) -> None:
        """Who comes while the broker is away waits until it is there."""
        _, early = self.subscribe("jobs-1")
        self.bridge.startService()
        _, late = self.subscribe("jobs-2")
        client = self.accept("queue_bind")
        self.assertEqual((early, late), ([], []))
        client.reply_to("queue_bind")
        client.reply_to("queue_bind")
        self.assertEqual((len(early), len(late)), (1, 1))

    def test_while_preparing(self) -> None:
        """Groups that come and go while there is no queue yet are bound as they are then."""
        client = self.start("queue_declare")
        leaving, _ = self.subscribe("jobs-1")
        _, staying = self.subscribe("jobs-2")
        self.hub.leave(leaving)
        client.release("queue_declare")
        self.assertEqual(client.named("queue_bind", "queue_unbind"), [("queue_bind", "jobs-2")])
        self.assertEqual(len(staying), 1)

    def test_bound_again_after_a_loss(self) -> None:
        """All groups are bound on the next connection; who waited goes on waiting for that one."""
        client = self.start()
        self.subscribe("jobs-1")
        client.held.add("queue_bind")
        _, waiting = self.subscribe("jobs-2")
        client.lose(LOST)
        _, later = self.subscribe("jobs-1")
        self.clock.advance(1)
        client = self.accept("queue_bind")
        self.assertEqual(
            sorted(client.named("queue_bind")), [("queue_bind", "jobs-1"), ("queue_bind", "jobs-2")]
        )
        self.assertEqual((waiting, later), ([], []))
        client.reply_to("queue_bind")
        client.reply_to("queue_bind")
        self.assertEqual((len(waiting), len(later)), (1, 1))

    def test_leaves_while_waiting(self) -> None:
        """Who leaves before the broker's answer is not answered."""
        client = self.start("queue_bind")
        connection, in_force = self.subscribe("jobs-1")
        self.hub.leave(connection)
        client.reply_to("queue_bind")
        self.assertEqual(in_force, [])

    def test_comes_back_while_the_broker_works(self) -> None:
        """A group that is left and joined again is in force at its last binding."""
        client = self.start("queue_bind", "queue_unbind")
        connection, _ = self.subscribe("jobs-1")
        self.hub.leave(connection)
        _, in_force = self.subscribe("jobs-1")
        client.reply_to("queue_bind")
        client.reply_to("queue_unbind")
        self.assertEqual(in_force, [])
        client.reply_to("queue_bind")
        self.assertEqual(len(in_force), 1)


class GapTests(BridgeCase):
    """Who may have missed something is told, when it helps to come back."""

    def _reconnect(self, *held: str) -> FakeClient:
        self.clock.advance(1)
        return self.accept(*held)

    def test_not_at_first(self) -> None:
        """At the first connection nobody missed anything that was promised."""
        connection, _ = self.subscribe("jobs-1")
        self.bridge.startService()
        self.attempts[-1].outcome.errback(REFUSED)
        self.accept()
        self.assertEqual(connection.gaps, [])
        self.assertEqual(self.counted("towerws_gaps_total"), 0)

    def test_after_binding_again(self) -> None:
        """After a loss all are told, when their groups are bound again and events flow."""
        client = self.start()
        connection, _ = self.subscribe("jobs-1")
        client.lose(LOST)
        self.assertEqual(connection.gaps, [])
        client = self._reconnect("queue_bind", "basic_consume")
        client.reply_to("queue_bind")
        self.assertEqual(connection.gaps, [])
        client.release("basic_consume")
        self.assertEqual(len(connection.gaps), 1)

    def test_told_before_promises(self) -> None:
        """Who is promised something by a new connection is told of the gap before, not after."""
        client = self.start()
        connection, _ = self.subscribe("jobs-1")
        client.lose(LOST)
        in_force: list[Change] = []
        self.hub.subscribe(connection, ["jobs-1", "jobs-2"], in_force.append)
        promised: list[int] = []
        connection.on_gap = lambda: promised.append(len(in_force))
        self._reconnect()
        self.assertEqual((promised, len(in_force)), ([0], 1))

    def test_once_for_several_losses(self) -> None:
        """Attempts that come to nothing make no gaps of their own."""
        client = self.start()
        connection, _ = self.subscribe("jobs-1")
        client.lose(LOST)
        self._reconnect("basic_consume").lose(LOST)
        self.attempts[-1].outcome.errback(REFUSED)
        self._reconnect()
        self.assertEqual(len(connection.gaps), 1)
        self.assertEqual(self.counted("towerws_gaps_total"), 1)

    def test_no_promise_while_preparing(self) -> None:
        """A connection that does not come into service promises nothing."""
        connection, in_force = self.subscribe("jobs-1")
        client = self.start("basic_consume")
        self.assertEqual(client.named("queue_bind"), [("queue_bind", "jobs-1")])
        self.assertEqual(in_force, [])
        client.lose(LOST)
        self.accept()
        self.assertEqual(len(in_force), 1)
        self.assertEqual(connection.gaps, [])
        self.assertEqual(self.counted("towerws_gaps_total"), 0)


class DeliveryTests(BridgeCase):
    """Events on their way to the hub."""

    def setUp(self) -> None:
        """Connect, and subscribe somebody."""
        super().setUp()
        self.client = self.start()
        self.connection, _ = self.subscribe("jobs-1")

    @property
    def _attempt(self) -> Attempt:
        return self.attempts[-1]

    def test_delivered(self) -> None:
        """Events arrive byte for byte, in order, and with one write for each read."""
        payload = '{"ä" :1}'.encode()
        self._attempt.deliver(delivery(1, body=payload), delivery(2), delivery(3, "jobs-2"))
        self.assertEqual(self.connection.messages, [payload, b"{}"])
        self.assertEqual(len(self.connection.writes), 1)
        self.assertEqual(self.counted("towerws_events_total"), 3)
        self.assertEqual(self.counted("towerws_events_unheard_total"), 1)

    def test_acknowledged(self) -> None:
        """Everything is acknowledged, a quarter of the prefetch at a time or after a moment."""
        self._attempt.deliver(*(delivery(tag) for tag in range(1, 10)))
        self.assertEqual(self.client.acks, [])
        self._attempt.deliver(delivery(10))
        self.assertEqual(self.client.acks, [(1, 10, True)])
        self._attempt.deliver(delivery(11))
        self.clock.advance(0.05)
        self.assertEqual(self.client.acks[1:], [(1, 11, True)])

    def test_odd_routing_keys(self) -> None:
        """Whatever a publisher chose as a routing key, nobody listens to it."""
        for key in ("", "#", "$server", "x" * 255, "\udcff", "jobs-1\n"):
            self._attempt.deliver(delivery(1, key), delivery(2, key, None))
        self.assertEqual(self.connection.messages, [])
        for reason in ("name", "too_large"):
            sample = f'towerws_events_dropped_total{{reason="{reason}"}}'
            self.assertEqual(self.counted(sample), 6)

    def test_delivered_while_preparing(self) -> None:
        """Events that come before everything is prepared are delivered and acknowledged."""
        self.client.lose(LOST)
        self.clock.advance(1)
        client = self.accept("basic_consume")
        self._attempt.deliver(delivery(1))
        self.clock.advance(1)
        self.assertEqual(self.connection.messages, [b"{}"])
        self.assertEqual(client.acks, [(1, 1, True)])

    def test_delivered_at_the_end(self) -> None:
        """Events that come while the bridge stops are delivered; nothing breaks."""
        self.bridge.stopService()
        self._attempt.deliver(delivery(1))
        self.clock.advance(1)
        self.assertEqual(self.connection.messages, [b"{}"])
        self.assertEqual(self.clock.getDelayedCalls(), [])
