"""`towerws.feeds.classic`: groups that stay bound for a while after their last listener left."""

from tests.bridge_case import LOST, BridgeCase
from tests.fake_broker import delivery
from towerws.core.history import Kind


class LingerCase(BridgeCase):
    """A test in which groups linger, two of them for a minute."""

    linger = 60.0, 2

    def lingering(self) -> tuple[float, float]:
        """Give how many groups linger, and how many were ended before their time."""
        return (
            self.counted("towerws_lingering_groups"),
            self.counted("towerws_lingering_groups_ended_total"),
        )

    def leave(self, *groups: str) -> None:
        """Let somebody listen to groups, and leave."""
        connection, _ = self.subscribe(*groups)
        self.hub.leave(connection)


class LingerTests(LingerCase):
    """The return of a listener loses nothing."""

    def test_returned(self) -> None:
        """Who comes back in time is in force at once, and finds what came meanwhile."""
        client = self.start()
        connection, _ = self.subscribe("jobs-1")
        position = self.hub.history.position
        self.hub.leave(connection)
        self.assertEqual(self.lingering(), (1, 0))
        self.clock.advance(59)
        self.attempts[-1].deliver(delivery(1))
        client.held = {"queue_bind"}
        _, in_force = self.subscribe("jobs-1")
        self.assertEqual(len(in_force), 1)
        self.assertEqual(self.lingering(), (0, 0))
        self.assertEqual(client.named("queue_bind", "queue_unbind"), [("queue_bind", "jobs-1")])
        start = self.hub.history.start(position, ["jobs-1"])
        self.assertEqual(start.kind, Kind.MEMORY)
        self.assertEqual(self.hub.history.count(start.offset, ["jobs-1"]), 1)
        self.clock.advance(3600)
        self.assertEqual(client.named("queue_unbind"), [])

    def test_ended(self) -> None:
        """Who stays away for longer finds the group unbound, and not covered."""
        client = self.start()
        position = self.hub.history.position
        self.leave("jobs-1")
        self.clock.advance(30)
        self.leave("jobs-2")
        self.clock.advance(30)
        self.assertEqual(client.named("queue_unbind"), [("queue_unbind", "jobs-1")])
        self.assertEqual(self.lingering(), (1, 0))
        self.clock.advance(30)
        self.assertEqual(client.named("queue_unbind")[1:], [("queue_unbind", "jobs-2")])
        self.assertEqual(self.lingering(), (0, 0))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.subscribe("jobs-1")
        self.assertEqual(self.hub.history.start(position, ["jobs-1"]).kind, Kind.NOWHERE)

    def test_time_begins_anew(self) -> None:
        """Each leaving has its minute, whatever was due for an earlier one."""
        client = self.start()
        self.leave("jobs-1")
        self.clock.advance(59)
        self.leave("jobs-1")
        self.clock.advance(59)
        self.assertEqual(client.named("queue_unbind"), [])
        self.clock.advance(1)
        self.assertEqual(client.named("queue_unbind"), [("queue_unbind", "jobs-1")])

    def test_too_many(self) -> None:
        """The oldest go before their time, counted."""
        client = self.start()
        for group in ("jobs-1", "jobs-2", "jobs-3", "jobs-4"):
            self.leave(group)
        self.assertEqual(
            client.named("queue_unbind"), [("queue_unbind", "jobs-1"), ("queue_unbind", "jobs-2")]
        )
        self.assertEqual(self.lingering(), (2, 2))
        position = self.hub.history.position
        self.assertEqual(self.hub.history.start(position, ["jobs-2"]).kind, Kind.NOWHERE)
        self.assertEqual(self.hub.history.start(position, ["jobs-3"]).kind, Kind.MEMORY)

    def test_there_and_back(self) -> None:
        """Who goes back and forth between groups loses none, however full it is."""
        client = self.start()
        self.leave("jobs-1")
        connection, _ = self.subscribe("jobs-2", "jobs-3")
        self.hub.subscribe(connection, ["jobs-1"], lambda _: None)
        self.assertEqual(self.lingering(), (2, 0))
        self.assertEqual(client.named("queue_unbind"), [])

    def test_returned_while_binding(self) -> None:
        """A group that was left before it was bound is in force when it is."""
        client = self.start("queue_bind")
        self.leave("jobs-1")
        _, in_force = self.subscribe("jobs-1")
        self.assertEqual(in_force, [])
        self.assertEqual(len(client.named("queue_bind")), 1)
        client.reply_to("queue_bind")
        self.assertEqual(len(in_force), 1)

    def test_returned_while_preparing(self) -> None:
        """Nothing is promised before the connection is in service, lingering or not."""
        connection, _ = self.subscribe("jobs-1")
        client = self.start("basic_consume")
        self.hub.leave(connection)
        self.assertEqual(self.lingering(), (1, 0))
        _, in_force = self.subscribe("jobs-1")
        self.assertEqual(in_force, [])
        client.release("basic_consume")
        self.assertEqual(len(in_force), 1)

    def test_lost(self) -> None:
        """Nobody can resume from before a loss, so what lingered is not bound again."""
        client = self.start()
        self.leave("jobs-1")
        client.lose(LOST)
        self.assertEqual(self.lingering(), (0, 0))
        self.leave("jobs-2")
        self.assertEqual(self.lingering(), (0, 0))
        self.clock.advance(1)
        client = self.accept()
        self.assertEqual(client.named("queue_bind"), [])
        self.clock.advance(3600)
        self.assertEqual(client.named("queue_unbind"), [])

    def test_stopped(self) -> None:
        """No timer is left when the bridge stops, nor when it is drained."""
        for end in (self.bridge.stopService, self.bridge.drain):
            self.start()
            self.leave("jobs-1")
            end()
            self.clock.advance(0)
            self.assertEqual(self.clock.getDelayedCalls(), [])


class NoLingerTests(LingerCase):
    """Groups need not linger."""

    linger = 0.0, 2

    def test_unbound_at_once(self) -> None:
        """Without a time a group ends with its last listener, which is not before its time."""
        client = self.start()
        self.leave("jobs-1", "jobs-2", "jobs-3")
        self.assertEqual(len(client.named("queue_unbind")), 3)
        self.assertEqual(self.lingering(), (0, 0))
        self.assertEqual(self.clock.getDelayedCalls(), [])
