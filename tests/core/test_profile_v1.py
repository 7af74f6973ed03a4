"""`towerws.core.profile_v1`: what a client is told, without a replay."""

from tests.core.session_case import result
from tests.core.v1_case import LIMITS, V1TestCase, event, resumed
from tests.fakes import FakeClient, FakeIdentity
from tests.hubs import position
from towerws.core.event import Variant


class V1Tests(V1TestCase):
    """Positions go with everything."""

    def test_greeting(self) -> None:
        """protocol.md, towerws.v1, row 1: where the log stands, and how often there is life."""
        self.emit("a-1", "a-1")
        client = FakeClient(Variant.ENVELOPED)
        client.session = self.session(client, FakeIdentity(), LIMITS)
        client.session.start()
        self.assertEqual(
            client.frames,
            [{"accept": True, "user": 7, "position": position(2), "heartbeat": 15}],
        )

    def test_subscribed(self) -> None:
        """Without `since`: as in profile awx, and where the log stands."""
        self.emit("a-1")
        client = self.v1({"a": [1]})
        expected = {**result(["a-1"], [], ["a-1"]), "position": position(1)}
        self.assertEqual(client.take_frames(), [expected])
        self.emit("a-1", "b-1", "a-1")
        self.assertEqual(client.take_frames(), [event("a-1", 2), event("a-1", 4)])

    def test_since_is_not_understood(self) -> None:
        """An answer, and no effect; profile awx knows nothing of it, and ignores it."""
        client, other = self.v1(), self.connect(FakeIdentity())
        for each in (client, other):
            self.ask(each, {"a": [1]}, since=7)
        (answer,) = client.take_frames()
        self.assertEqual(answer, {"error": "'since' is not a position that this server gave"})
        self.assertEqual(other.take_frames(), [result(["a-1"], [], ["a-1"])])
        self.assertEqual(self.hub.groups_of(client), frozenset())

    def test_both_profiles(self) -> None:
        """Each gets the same event in its own form."""
        client, other = self.v1({"a": [1]}), self.connect(FakeIdentity())
        self.ask(other, {"a": [1]})
        client.take_frames()
        other.take_frames()
        self.emit("a-1")
        self.assertEqual((client.frames, other.frames), ([event("a-1", 1)], [{"n": 1}]))

    def test_announce(self) -> None:
        """protocol.md, towerws.v1, row 7."""
        client = self.v1()
        assert client.session is not None
        client.session.announce(1700)
        client.session.end()
        client.session.announce(1)
        client.session.drained()
        self.assertEqual(client.frames, [{"reconnect": {"after_ms": 1700}}])


class HeartbeatTests(V1TestCase):
    """protocol.md, towerws.v1, row 5: nothing missed up to there."""

    def test_beat(self) -> None:
        """Every so many seconds, whatever else is sent, until the client is gone."""
        client = self.v1({"a": [1]})
        client.take_frames()
        for beats in range(1, 4):
            self.emit("a-1", "b-1")
            self.clock.advance(15)
            *_, last = client.take_frames()
            self.assertEqual(last, {"heartbeat": position(2 * beats)})
        self.end(client)
        self.clock.advance(60)
        self.assertEqual((client.frames, self.clock.timers), ([], []))

    def test_before_in_force(self) -> None:
        """A client that waits for its replay is still where it said."""
        self.emit("a-1", "a-1")
        self.source.is_prompt = False
        client = self.v1({"a": [1]}, position(1))
        self.clock.advance(15)
        self.assertEqual(client.take_frames(), [{"heartbeat": position(1)}])
        self.source.confirm()
        client.turn()
        self.assertEqual(client.take_frames(), [resumed(1, 2, "a-1"), event("a-1", 2)])
        self.clock.advance(15)
        self.assertEqual(client.take_frames(), [{"heartbeat": position(2)}])


class GapTests(V1TestCase):
    """protocol.md, towerws.v1, row 6: told, and the connection stays."""

    def test_told(self) -> None:
        """What comes behind it is delivered as ever, and counts from there."""
        client = self.v1({"a": [1]})
        self.emit("a-1")
        client.take_frames()
        self.hub.gap("the broker was away")
        self.assertEqual(
            client.take_frames(), [{"gap": "the broker was away", "position": position(2)}]
        )
        self.emit("a-1")
        self.assertEqual(client.take_frames(), [event("a-1", 3)])
        self.assertEqual((client.closes, client.closes_soon), ([], []))

    def test_without_a_promise(self) -> None:
        """Who was never told that a subscription is in force missed nothing."""
        self.source.is_prompt = False
        idle, waiting = self.v1(), self.v1({"a": [1]})
        self.hub.gap("why")
        self.source.confirm()
        self.assertEqual(idle.frames, [])
        (answer,) = waiting.frames
        self.assertEqual(answer, {**result(["a-1"], [], ["a-1"]), "position": position(1)})

    def test_keep(self) -> None:
        """`--on-gap keep` is for those that cannot be told."""
        self.closes_on_gap = False
        client = self.v1({"a": [1]})
        client.take_frames()
        self.hub.gap("why")
        self.assertEqual(client.frames, [{"gap": "why", "position": position(1)}])
