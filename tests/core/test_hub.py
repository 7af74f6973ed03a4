"""Tests of the one way through."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.fakes import FakeConnection, FakeSource
from tests.hubs import make_hub, publish
from tests.properties import PROPERTY
from towerws.core.event import COMPRESS_FROM, Variant
from towerws.core.hub import JOIN_UP_TO
from towerws.core.metrics import Metrics
from towerws.core.subscriptions import Change

#: An event for each of three groups.
_OWN = [(name, b"{}") for name in "bcd"]


class HubTestCase(SynchronousTestCase):
    """A hub with a source that brings everything at once."""

    def setUp(self) -> None:
        """Nobody is connected."""
        self.metrics = Metrics()
        self.source = FakeSource(is_prompt=True)
        self.hub = make_hub(self.metrics)
        self.hub.attach(self.source)
        self.changes: list[Change] = []

    def connect(self, *names: str, variant: Variant = Variant.PLAIN) -> FakeConnection:
        """Connect a listener."""
        connection = FakeConnection(variant)
        self.subscribe(connection, *names)
        return connection

    def subscribe(self, connection: FakeConnection, *names: str) -> None:
        """Give a listener its groups, and take note of when they are in force."""
        self.hub.subscribe(connection, names, self.changes.append)

    def publish(self, *events: tuple[str, bytes]) -> int:
        """Publish a batch."""
        return publish(self.hub, *events)

    def assert_metric(self, name: str, value: int) -> None:
        """Expect the value of a metric."""
        self.assertIn(f"\n{name} {value}\n", self.metrics.render())


class PublishTests(HubTestCase):
    """Events reach exactly those who listen."""

    def test_delivered(self) -> None:
        """protocol.md, profile awx, row "server, event": as it was published, byte for byte."""
        listener, other = self.connect("a", "b"), self.connect("b")
        payload = b' {"a" :1.0, "b": "\\u00e4\xc3\xa4"}\n'
        self.assertEqual(self.publish(("a", payload)), 1)
        self.assertEqual((listener.messages, other.messages), ([payload], []))
        self.assertEqual(self.publish(("b", b"{}")), 2)
        self.assertEqual((listener.messages, other.messages), ([payload, b"{}"], [b"{}"]))

    def test_batch(self) -> None:
        """The events of a batch keep their order, and each connection is written to once."""
        listener, other, bystander = self.connect("a", "b"), self.connect("b"), self.connect("c")
        batch = [("a", b"1"), ("b", b"2"), ("x", b"3"), ("a", b"4"), ("b", b"5")]
        self.assertEqual(self.publish(*batch), 6)
        self.assertEqual(listener.messages, [b"1", b"2", b"4", b"5"])
        self.assertEqual(other.messages, [b"2", b"5"])
        self.assertEqual([len(each.writes) for each in (listener, other, bystander)], [1, 1, 0])
        self.assert_metric("towerws_events_total", 5)
        self.assert_metric("towerws_events_unheard_total", 1)
        self.assert_metric("towerws_deliveries_total", 6)

    def test_one_group(self) -> None:
        """Events of one group are one piece for all its connections."""
        listeners = [self.connect("a"), self.connect("a")]
        self.assertEqual(self.publish(("a", b"1"), ("x", b"2"), ("a", b"3")), 4)
        self.assertEqual(self.publish(("a", b"4"), ("a", b"5")), 4)
        for listener in listeners:
            self.assertEqual(listener.messages, [b"1", b"3", b"4", b"5"])
            self.assertEqual(len(listener.writes), 2)
        self.assertIs(listeners[0].writes[1], listeners[1].writes[1])

    def test_several_groups_share(self) -> None:
        """Connections in the same groups share what is joined for them."""
        variants = (Variant.PLAIN, Variant.DEFLATE, Variant.PLAIN, Variant.DEFLATE)
        listeners = [self.connect("a", "b", variant=variant) for variant in variants]
        other = self.connect("b")
        payloads = [b"1", b"x" * COMPRESS_FROM, b"3"]
        self.publish(("a", payloads[0]), ("b", payloads[1]), ("a", payloads[2]))
        for listener in listeners:
            self.assertEqual(listener.messages, payloads)
            self.assertEqual(len(listener.writes), 1)
        self.assertIs(listeners[0].writes[0], listeners[2].writes[0])
        self.assertIs(listeners[1].writes[0], listeners[3].writes[0])
        self.assertEqual(other.messages, [payloads[1]])

    def test_large_events_are_not_copied(self) -> None:
        """One large event is one object, whatever came beside it for whom."""
        listeners = [self.connect("a", own) for own in ("b", "c", "d")]
        payloads = [b"{}", b"x" * (JOIN_UP_TO + 1), b"{}"]
        self.publish(*_OWN, ("a", payloads[1]), *_OWN)
        for listener in listeners:
            self.assertEqual(listener.messages, payloads)
        large = {id(listener.writes[1]) for listener in listeners}
        self.assertEqual(len(large), 1)

    def test_nothing(self) -> None:
        """An empty batch is fine."""
        self.connect("a")
        self.assertEqual(self.publish(), 0)

    def test_shared_frame(self) -> None:
        """protocol.md, transport: one compressed frame serves every connection that takes it."""
        variants = (Variant.DEFLATE, Variant.PLAIN, Variant.DEFLATE)
        compressed, plain, same = (self.connect("a", variant=variant) for variant in variants)
        self.publish(("a", b"x" * COMPRESS_FROM))
        self.assertIs(compressed.writes[0], same.writes[0])
        self.assertGreater(len(plain.writes[0]), COMPRESS_FROM)
        self.assertLess(len(same.writes[0]), 100)

    def test_leaving_during_a_write(self) -> None:
        """A connection that is cut while it is written to leaves; the others get all the same."""
        listeners = [self.connect("a", "b") for _ in range(5)]

        def leave() -> None:
            for each in listeners:
                self.hub.leave(each)

        for listener in listeners:
            # Whichever is first takes all others of the group along.
            listener.on_write = leave
        self.assertEqual(self.publish(("a", b"1"), ("b", b"2")), 10)
        for listener in listeners:
            self.assertEqual(listener.messages, [b"1", b"2"])
        self.assertEqual(self.publish(("a", b"3")), 0)
        self.assertEqual(self.source.interests.wanted, set())

    def test_subscribing_during_a_write(self) -> None:
        """One that comes while others are written to gets what is published from then on."""
        listener, newcomer = self.connect("a"), FakeConnection()
        listener.on_write = lambda: self.subscribe(newcomer, "a")
        self.publish(("a", b"1"))
        self.assertEqual(newcomer.messages, [])
        self.publish(("a", b"2"))
        self.assertEqual(newcomer.messages, [b"2"])

    def test_heard(self) -> None:
        """A source can ask whether anybody listens."""
        self.assertNotIn("a", self.source.interests.wanted)
        listener = self.connect("a")
        self.assertIn("a", self.source.interests.wanted)
        self.hub.leave(listener)
        self.assertNotIn("a", self.source.interests.wanted)

    @given(
        st.lists(
            st.tuples(st.integers(0, 2), st.frozensets(st.sampled_from("abc")))
            | st.lists(st.sampled_from("abc"), max_size=5),
            max_size=20,
        )
    )
    @PROPERTY
    def test_model(self, steps: list[tuple[int, frozenset[str]] | list[str]]) -> None:
        """Any course: each gets exactly the events of the groups it is in, once, in order."""
        hub = make_hub()
        hub.attach(FakeSource(is_prompt=True))
        connections = [FakeConnection() for _ in range(3)]
        groups: list[frozenset[str]] = [frozenset()] * 3
        expected: list[list[bytes]] = [[], [], []]
        number = 0
        for step in steps:
            if isinstance(step, tuple):
                index, groups[step[0]] = step
                hub.subscribe(connections[index], step[1], self.changes.append)
                continue
            batch = [(name, b"%d" % (number + place)) for place, name in enumerate(step)]
            number += len(batch)
            for names, messages in zip(groups, expected, strict=True):
                messages.extend(payload for group, payload in batch if group in names)
            publish(hub, *batch)
        self.assertEqual([connection.messages for connection in connections], expected)


class SubscribeTests(HubTestCase):
    """Subscriptions change at once, and are reported when they are in force."""

    def test_tells_the_source(self) -> None:
        """The source hears only of the first listener and the last one, once for all groups."""
        first = self.connect("a", "b")
        second = self.connect("b", "c")
        self.subscribe(first, "b", "d")
        self.subscribe(first, "b", "d")
        self.hub.leave(second)
        self.hub.leave(second)
        self.assertEqual(
            self.source.changes,
            [(["a", "b"], []), (["c"], []), (["d"], ["a"]), ([], ["c"])],
        )
        self.assert_metric("towerws_groups", 2)

    def test_promise(self) -> None:
        """protocol.md, profile awx: the reply is a promise, given when all is in force.

        Events that come before are delivered all the same.
        """
        self.source.is_prompt = False
        listener = self.connect("a", "b")
        self.source.confirm("a")
        self.publish(("a", b"1"))
        self.assertEqual((self.changes, listener.messages), ([], [b"1"]))
        self.source.confirm("b")
        self.assertEqual([change.joined for change in self.changes], [frozenset("ab")])

    def test_promise_of_what_is_kept(self) -> None:
        """What a connection keeps is promised anew, so it waits for that too while it is lost."""
        listener = self.connect("a")
        self.source.is_prompt = False
        self.source.lose()
        self.changes.clear()
        self.subscribe(listener, "a")
        self.assertEqual(self.changes, [])
        self.source.confirm("a")
        self.assertEqual([change.current for change in self.changes], [frozenset("a")])
        self.assertEqual(self.changes[0].joined, frozenset())

    def test_leaving_while_waiting(self) -> None:
        """One that leaves is not called back, and not kept, although others wait for the same."""
        self.source.is_prompt = False
        stays, leaves = self.connect("a"), self.connect("a")
        self.hub.leave(leaves)
        self.assertEqual(list(self.source.interests._waits), [stays])
        self.source.confirm("a")
        self.assertEqual(len(self.changes), 1)

    def test_changing_while_waiting(self) -> None:
        """One that gets another set is called back for that one only."""
        self.source.is_prompt = False
        listener = self.connect("a", "b")
        self.subscribe(listener, "b", "c")
        self.source.confirm("a", "b")
        self.assertEqual(self.changes, [])
        self.source.confirm("c")
        self.assertEqual([change.left for change in self.changes], [frozenset("a")])

    def test_subscribing_when_called_back(self) -> None:
        """Whoever is called back may subscribe anew, at once."""
        self.source.is_prompt = False
        connection = FakeConnection()
        self.hub.subscribe(connection, ["a"], lambda change: self.subscribe(connection, "b"))
        self.source.confirm("a")
        self.assertEqual(self.source.changes, [(["a"], []), (["b"], ["a"])])
        self.source.confirm("b")
        self.assertEqual([change.current for change in self.changes], [frozenset("b")])

    def test_needs_a_source(self) -> None:
        """Without a source no promise could be kept."""
        hub = make_hub()
        self.assertRaises(
            AssertionError, hub.subscribe, FakeConnection(), ["a"], self.changes.append
        )


class GapTests(HubTestCase):
    """All who listen are told of an interruption."""

    def test_told(self) -> None:
        """protocol.md, profile awx: when events may have been missed, connections hear of it."""
        listener, idle = self.connect("a"), self.connect()
        self.hub.gap("why")
        self.assertEqual((listener.gaps, idle.gaps), (["why"], []))
        self.assert_metric("towerws_gaps_total", 1)

    def test_leaving_during_a_gap(self) -> None:
        """Connections may leave while they are told."""
        listeners = [self.connect("a") for _ in range(3)]

        def leave() -> None:
            for each in listeners:
                self.hub.leave(each)

        for listener in listeners:
            listener.on_gap = leave
        self.hub.gap("why")
        self.assertEqual([listener.gaps for listener in listeners], [["why"]] * 3)
