"""`towerws.core.resuming`: a client that comes back with a position has everything, or is told."""

from tests.core.v1_case import LIMITS, V1TestCase, event, refused, resumed
from tests.fakes import FakeClient, FakeIdentity
from tests.hubs import position, publish
from towerws.core.event import Variant
from towerws.core.history import Bounds
from towerws.core.patterns import Patterns
from towerws.core.resuming import PAGE

LARGE = b'{"x": "%b"}' % (b"x" * PAGE)


class MemoryTests(V1TestCase):
    """From the history."""

    def test_exact(self) -> None:
        """protocol.md: the answer first, then what was missed, in order, then what is live."""
        self.emit("a-1", "b-1", "a-2", "a-1", "b-1")
        client = self.v1({"a": [1, 2], "c": [1]}, position(1))
        self.emit("a-1", "b-1")
        self.assertEqual(
            client.frames,
            [
                resumed(2, 5, "a-1", "a-2", "c-1"),
                event("a-2", 3),
                event("a-1", 4),
                event("a-1", 6),
            ],
        )
        self.assertEqual(self.replays.memory.value, 1)
        self.assertEqual(self.replays.events.value, 2)

    def test_nothing_missed(self) -> None:
        """That is an answer as well."""
        self.emit("a-1", "b-1")
        client = self.v1({"a": [1]}, position(1))
        self.assertEqual(client.take_frames(), [resumed(0, 2, "a-1")])
        self.emit("a-1")
        self.assertEqual(client.take_frames(), [event("a-1", 3)])

    def test_no_groups(self) -> None:
        """To nothing, one can go on from anywhere."""
        self.emit("a-1")
        self.assertEqual(self.v1({}, position(0)).frames, [resumed(0, 1)])

    def test_held_back(self) -> None:
        """What comes live before the subscription is in force comes once, and in its place."""
        self.v1({"a": [1]})
        self.source.is_prompt = False
        self.emit("a-1")
        client = self.v1({"a": [1], "b": [1]}, position(0))
        self.emit("a-1", "b-1")
        self.assertEqual(client.frames, [])
        self.source.confirm()
        self.assertEqual(client.frames, [resumed(3, 3, "a-1", "b-1")])
        self.emit("a-1")
        client.turn()
        self.assertEqual(
            client.frames,
            [
                resumed(3, 3, "a-1", "b-1"),
                *(event(group, n) for n, group in enumerate(["a-1", "a-1", "b-1", "a-1"], 1)),
            ],
        )

    def test_refused(self) -> None:
        """protocol.md: ``"resumed": false`` and a gap, then live events; whatever the position."""
        self.emit("a-1")
        for since in ("", "x", "é" * 100, position(99), position(1).replace("0", "f")):
            client = self.v1({"a": [1]}, since)
            first, gap = client.take_frames()
            self.assertEqual(first, refused(self.hub.history.last, "a-1"))
            assert isinstance(gap, dict)
            self.assertEqual(gap.keys(), {"gap", "position"})
            self.assertEqual(gap["position"], self.hub.history.position)
            self.emit("a-1")
            self.assertEqual(client.take_frames(), [event("a-1", self.hub.history.last)])
        self.assertEqual(self.replays.refused.value, 5)

    def test_denied(self) -> None:
        """protocol.md: what a client may not hear is not replayed, whatever position it has."""
        self.emit("a-1", "a-2", "a-1")
        identity = FakeIdentity(denied={"a-1"})
        client = self.connect(identity, limits=LIMITS, variant=Variant.ENVELOPED)
        self.ask(client, {"a": [1, 2]}, since=position(0))
        client.turn()
        error, *replay = client.take_frames()
        self.assertEqual(error, {"error": "access denied to channel a for resource id 1"})
        self.assertEqual(replay, [resumed(1, 3, "a-2"), event("a-2", 2)])

    def test_gap_meanwhile(self) -> None:
        """A gap before the subscription is in force: there is nothing that looks whole."""
        self.source.is_prompt = False
        self.emit("a-1")
        client = self.v1({"a": [1]}, position(0))
        self.hub.gap("the broker was away")
        self.source.confirm()
        first, gap = client.take_frames()
        self.assertEqual(first, refused(2, "a-1"))
        assert isinstance(gap, dict)
        self.assertIn("gap", gap)

    def test_next_question(self) -> None:
        """A message behind it is answered behind the replay."""
        self.emit("a-1")
        publish(self.hub, ("a-1", LARGE), ("a-1", LARGE))
        client = self.v1({"a": [1]}, position(0))
        self.ask(client, {"b": [1]})
        self.assertEqual(len(client.take_frames()), 2)
        client.turn()
        self.assertEqual(len(client.take_frames()), 1)
        client.turn()
        last_event, answer = client.take_frames()
        assert isinstance(last_event, dict)
        assert isinstance(answer, dict)
        self.assertEqual(last_event["position"], position(3))
        self.assertEqual((answer["groups_left"], answer["groups_joined"]), (["a-1"], ["b-1"]))


class PacedTests(V1TestCase):
    """Large replays go out as the client takes them, and nothing of them is kept for it."""

    def large(self, count: int) -> None:
        """Publish events of which each is a page."""
        publish(self.hub, *(("a-1", LARGE) for _ in range(count)))

    def offsets(self, client: FakeClient) -> list[object]:
        """Give the positions of what a client has got, but for the first answer."""
        frames = client.take_frames()
        return [
            frame["position"] for frame in frames if isinstance(frame, dict) and "event" in frame
        ]

    def test_turns(self) -> None:
        """A page in each turn of the reactor; live events come when it is their turn."""
        self.large(3)
        client = self.v1({"a": [1]}, position(0))
        self.assertEqual(self.offsets(client), [position(1)])
        self.large(1)
        for offset in (2, 3, 4):
            client.turn()
            self.assertEqual(self.offsets(client), [position(offset)])
        self.assertEqual(client.later, [])
        self.large(1)
        self.assertEqual(self.offsets(client), [position(5)])

    def test_small_events(self) -> None:
        """A turn is short however small events are: each costs something besides its bytes."""
        publish(self.hub, *(("a-1", b"{}") for _ in range(1000)))
        client = self.v1({"a": [1]}, position(0))
        at_once = len(self.offsets(client))
        self.assertLess(at_once, 600)
        client.turn()
        self.assertEqual(len(self.offsets(client)), min(at_once, 1000 - at_once))

    def test_slow_reader(self) -> None:
        """Nothing is sent while what was sent has not left; nor twice when it has."""
        self.large(3)
        client = self.v1({"a": [1]}, position(0))
        client.has_room = False
        client.turn()
        self.clock.advance(15)
        frames = client.take_frames()
        self.assertEqual(frames[-1], {"heartbeat": position(1)})
        assert client.session is not None
        client.has_room = True
        client.session.drained()
        client.session.drained()
        self.assertEqual(self.offsets(client), [position(2)])
        client.turn()
        client.session.drained()
        self.assertEqual(self.offsets(client), [position(3)])

    def test_overtaken(self) -> None:
        """Who reads more slowly than the history forgets is told, and hears live events again."""
        self.make(self.positions, bounds=Bounds(events=3))
        self.large(3)
        client = self.v1({"a": [1]}, position(0))
        client.take_frames()
        self.large(3)
        client.turn()
        (gap,) = client.take_frames()
        why = "events were forgotten faster than they were read"
        self.assertEqual(gap, {"gap": why, "position": position(6)})
        self.emit("a-1")
        self.assertEqual(self.offsets(client), [position(7)])
        self.assertEqual(self.replays.cut_short.value, 1)

    def test_gap(self) -> None:
        """A gap ends the replay at once; what comes behind it is heard."""
        self.large(3)
        client = self.v1({"a": [1]}, position(0))
        client.take_frames()
        self.hub.gap("the broker was away")
        self.large(1)
        client.turn()
        gap, *_ = frames = client.take_frames()
        self.assertEqual(gap, {"gap": "the broker was away", "position": position(4)})
        self.assertEqual(len(frames), 2)
        self.assertEqual(self.replays.cut_short.value, 1)

    def test_revoked(self) -> None:
        """What is taken away during a replay is not replayed any more."""
        publish(self.hub, ("a-1", LARGE), ("a-2", b"{}"), ("a-1", LARGE), ("a-2", b'{"n": 4}'))
        client = self.v1({"a": [1, 2]}, position(0))
        client.take_frames()
        assert client.session is not None
        client.session.revoke(Patterns(["a-1"]))
        error, answer = client.take_frames()
        assert isinstance(error, dict)
        assert isinstance(answer, dict)
        self.assertIn("error", error)
        self.assertEqual((answer["groups_current"], answer["groups_left"]), (["a-2"], ["a-1"]))
        client.turn()
        self.assertEqual(self.offsets(client), [position(2), position(4)])
        self.ask(client, {"a": [2]})
        self.assertEqual(len(client.take_frames()), 1)

    def test_revoked_the_rest(self) -> None:
        """If nothing is left after that, live events come."""
        publish(self.hub, ("a-2", LARGE), ("a-1", LARGE))
        client = self.v1({"a": [1, 2]}, position(0))
        assert client.session is not None
        client.session.revoke(Patterns(["a-1"]))
        client.take_frames()
        client.turn()
        self.emit("a-2")
        self.assertEqual(client.take_frames(), [event("a-2", 3)])
        self.assertEqual(self.replays.cut_short.value, 0)

    def test_revoked_while_the_broker_is_away(self) -> None:
        """The next message waits for the answer to that, even if the replay is over before."""
        self.large(2)
        client = self.v1({"a": [1, 2]}, position(0))
        self.source.is_prompt = False
        self.source.lose()
        assert client.session is not None
        client.session.revoke(Patterns(["a-2"]))
        self.ask(client, {"b": [1]})
        client.take_frames()
        client.turn()
        self.assertEqual(self.offsets(client), [position(2)])
        for left, joined in ((["a-2"], []), (["a-1"], ["b-1"])):
            self.source.confirm()
            (answer,) = client.take_frames()
            assert isinstance(answer, dict)
            self.assertEqual((answer["groups_left"], answer["groups_joined"]), (left, joined))

    def test_gone(self) -> None:
        """A client that leaves, or is cut, is replayed to no more."""
        self.large(3)
        client = self.v1({"a": [1]}, position(0))
        self.end(client)
        client.take_frames()
        client.turn()
        self.assertEqual((client.frames, self.clock.timers), ([], []))
        for frames_before in range(3):
            client = self.v1()
            self.cut_after(client, frames_before)
            self.ask(client, {"a": [1]}, since=position(0) if frames_before else "x")
            client.turn()
            client.turn()
            self.assertEqual([code for code, _ in client.closes], [1013])

    def cut_after(self, client: FakeClient, count: int) -> None:
        """Let a client read so many frames more, and then none."""

        def stall() -> None:
            client.stalled = len(client.writes) >= before + count

        before = len(client.writes)
        client.on_write = stall
        stall()
