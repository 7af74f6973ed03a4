"""The tests' own client keeps the rules of the protocol, and sees when a server does not."""

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.chaos.subscriber import Subscriber
from tests.chaos.track import BreakKind


class SubscriberCase(SynchronousTestCase):
    """A client, and what a server says to it; the time is the number of the frame."""

    def setUp(self) -> None:
        """Make a client of two groups."""
        self.client = Subscriber("c", ["g-1", "g-2"])
        self.time = 0.0

    def say(self, **frame: Any) -> Any:
        """Let the server say something; give the client's answer."""
        self.time += 1
        answer = self.client.received(json.dumps(frame), self.time)
        return None if answer is None else json.loads(answer)

    def connect(self) -> Any:
        """Connect and greet; give the client's subscription."""
        self.client.connected(self.time, "server 1")
        return self.say(accept=True, user=None, position="p0", heartbeat=2)

    def reply(self, position: str, *groups: str, **more: Any) -> None:
        """Answer a subscription."""
        names = list(groups or ("g-1", "g-2"))
        self.say(groups_current=names, groups_left=[], groups_joined=[], position=position, **more)

    def event(self, position: str, n: int, group: str = "g-1") -> None:
        """Send an event."""
        self.say(group=group, position=position, event={"group": group, "n": n, "attempt": 0})

    def faults(self) -> list[str]:
        """Give what the client complains about."""
        return [remark.text for remark in self.client.log.faults]

    def breaks(self, group: str = "g-1") -> list[tuple[BreakKind, int]]:
        """Give the breaks of a track and how many events are before them."""
        return [(each.kind, each.at) for each in self.client.log.track(group).breaks]


class PositionTests(SubscriberCase):
    """Where the client says that it is."""

    def test_first(self) -> None:
        """The first subscription has no position; it takes the reply's, events' and heartbeats'."""
        self.assertEqual(self.connect(), {"groups": {"g": ["1", "2"]}})
        self.say(heartbeat="p1")
        self.assertIsNone(self.client.position)
        self.reply("p2")
        self.assertEqual(self.client.position, "p2")
        self.event("p3", 7)
        self.assertEqual(self.client.position, "p3")
        self.say(heartbeat="p4")
        self.client.disconnected(9, "cut")
        self.assertEqual(self.connect()["since"], "p4")
        self.assertEqual(self.faults(), [])
        self.assertEqual(list(self.client.log.track("g-1").keys), [7000])

    def test_replayed(self) -> None:
        """With events to come it keeps its own, and moves with each; with none it takes theirs."""
        for replayed, expected in ((0, "p9"), (2, "p1")):
            self.client.position = "p1"
            self.connect()
            self.reply("p9", resumed=True, replayed=replayed)
            self.assertEqual(self.client.position, expected)
            self.client.disconnected(9, "cut")
        self.assertEqual((self.client.log.resumed, self.client.log.replayed), (2, 2))

    def test_refused(self) -> None:
        """What is not resumed keeps its position until the gap is told."""
        self.client.position = "p1"
        self.connect()
        self.reply("p9", resumed=False, replayed=0)
        self.assertEqual((self.client.position, self.client.is_settled), ("p1", False))
        self.say(gap="another server", position="p8")
        self.assertEqual((self.client.position, self.client.is_settled), ("p8", True))
        self.assertEqual(self.breaks(), [(BreakKind.GAP, 0)])
        self.assertEqual((self.client.log.refused, self.client.log.gaps, self.faults()), (1, 1, []))


class PromiseTests(SubscriberCase):
    """What it notes of promises, for the judge."""

    def test_joined(self) -> None:
        """Without a position everything from the reply on is promised, once and for all."""
        self.connect()
        self.reply("p2")
        self.client.disconnected(3, "cut")
        self.connect()
        self.reply("p3", resumed=True, replayed=0)
        (joined,) = self.client.log.track("g-1").breaks
        self.assertEqual((joined.kind, joined.time, joined.due_from), (BreakKind.JOINED, 2, 2))

    def test_joined_from_a_position(self) -> None:
        """A group that is new when it comes back is promised from its position on."""
        self.connect()
        self.reply("p2")
        self.client.disconnected(3, "cut")
        self.assertIsNone(self.client.change(["g-1", "g-3"], 3))
        self.connect()
        self.reply("p3", "g-1", "g-3", resumed=True, replayed=0)
        (joined,) = self.client.log.track("g-3").breaks
        self.assertEqual((joined.time, joined.due_from), (4, 2))
        self.assertEqual(self.breaks("g-2"), [(BreakKind.JOINED, 0), (BreakKind.LEFT, 0)])

    def test_change(self) -> None:
        """It asks for other groups without a position, one question at a time."""
        self.connect()
        self.assertIsNone(self.client.change(["g-1"], 1))
        self.reply("p2")
        frame = self.client.change(["g-1", "g-3"], 2)
        self.assertEqual(json.loads(frame or ""), {"groups": {"g": ["1", "3"]}})
        self.event("p3", 1, "g-2")  # had left the server before the question came
        self.event("p3", 1, "g-3")
        self.reply("p4", "g-1", "g-3")
        self.event("p5", 2, "g-3")
        self.assertEqual(self.breaks("g-3"), [(BreakKind.JOINED, 1)])
        self.assertEqual(self.faults(), [])
        self.event("p6", 2, "g-2")
        self.assertIn("was not asked for", self.faults()[0])

    def test_gap(self) -> None:
        """A gap breaks the groups that it is in, and is no end of their promise."""
        self.connect()
        self.reply("p2")
        self.event("p3", 1)
        self.say(gap="the broker was away", position="p5")
        self.assertEqual(self.breaks(), [(BreakKind.JOINED, 0), (BreakKind.GAP, 1)])
        self.assertEqual(self.breaks("g-2"), [(BreakKind.JOINED, 0), (BreakKind.GAP, 0)])

    def test_reconnect(self) -> None:
        """It notes for how long to stay away, and that is forgotten with the connection."""
        self.connect()
        self.reply("p2")
        self.say(reconnect={"after_ms": 1700})
        self.assertEqual(self.client.reconnect_after, 1.7)
        self.client.connected(9, "server 2")
        self.assertIsNone(self.client.reconnect_after)


class FaultTests(SubscriberCase):
    """What it does not let pass."""

    def test_frames(self) -> None:
        """Nothing but the frames of the protocol, with what they have to have."""
        self.connect()
        self.reply("p2")
        for frame in (
            {"error": "no"},
            {"close": True},
            {"gap": 1, "position": "p"},
            {"group": "g-1", "event": {"group": "g-1"}},
            {"group": "g-1", "position": "p", "event": {"group": "g-2"}},
            {"reconnect": {"after_ms": "soon"}},
            {"heartbeat": None},
            {"groups_current": [], "groups_left": [], "groups_joined": [], "position": "p"},
        ):
            before = len(self.faults())
            self.say(**frame)
            self.assertEqual(len(self.faults()), before + 1, frame)
        self.client.received("{", 1)
        self.assertIn("no JSON object", self.faults()[-1])

    def test_greeting(self) -> None:
        """A first frame without a position, or one that is none."""
        self.client.connected(0, "server 1")
        self.assertIsNone(self.say(accept=True, user=None))
        self.assertIsNone(self.say(heartbeat="p"))
        self.assertEqual(len(self.faults()), 2)

    def test_replies(self) -> None:
        """Other groups than those asked for, or no word on the resumption."""
        self.connect()
        self.reply("p2", "g-1")
        self.client.position = "p1"
        self.connect()
        self.reply("p2")
        self.assertEqual(len(self.faults()), 2)

    def test_resumption(self) -> None:
        """Events before the answer, a position that skips the replay, no gap where one is due."""
        self.client.position = "p1"
        self.connect()
        self.say(heartbeat="p1")
        self.assertEqual(self.faults(), [])
        self.event("p2", 1)
        self.say(heartbeat="p3")
        self.reply("p9", resumed=True, replayed=1)
        self.say(heartbeat="p9")
        self.client.position = "p1"
        self.connect()
        self.reply("p9", resumed=False, replayed=0)
        self.event("p10", 2)
        self.say(heartbeat="p10")
        self.assertEqual(len(self.faults()), 5, self.faults())
