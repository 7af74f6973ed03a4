"""One connection's half of the protocol, frame by frame."""

import json

from twisted.trial.unittest import SynchronousTestCase

from tests.client.memory import ACCEPT, joined
from tests.client.v1 import ACCEPT_V1, V1, enveloped, gap, heartbeat, reply
from towerws.client.conversation import LONGEST_ORDERED_DELAY, Conversation, Refused, Unknown
from towerws.client.happenings import (
    Accepted,
    Dropped,
    Event,
    Gap,
    Happening,
    Heartbeat,
    Joined,
    Objection,
    Reconnect,
)
from towerws.client.subscription import Subscription
from towerws.core import wire_v1
from towerws.core.event import Event as Published

SUBSCRIPTION = Subscription(["jobs-summary"])
GROUPS = ["jobs-summary"]


class AWXTests(SynchronousTestCase):
    """Profile "awx": frames without positions."""

    def setUp(self) -> None:
        """Have said nothing yet."""
        self.conversation = Conversation(SUBSCRIPTION, None)

    def test_subscribe(self) -> None:
        """A position is of no use there, and not sent."""
        for conversation in (self.conversation, Conversation(SUBSCRIPTION, None, since="p1")):
            self.assertEqual(
                json.loads(conversation.subscribe()), {"groups": {"jobs": ["summary"]}}
            )

    def test_frames(self) -> None:
        """Each says what docs/protocol.md has it say."""
        for payload, happening in (
            (ACCEPT, Accepted(None, None)),
            (joined("jobs-summary"), Joined(None, GROUPS)),
            (b'{"error": "no"}', Objection(None, "no")),
            (b'{ "a":1}', Event(None, None, b'{ "a":1}', {"a": 1})),
            (b"oops", Dropped(None, "a frame of 4 bytes that is not JSON was dropped")),
            (b"[" * 100_000, Dropped(None, "a frame of 100000 bytes that is not JSON was dropped")),
        ):
            self.assertEqual(self.conversation.take(payload), happening)

    def test_disguise(self) -> None:
        """What looks like a frame of the other profile is an event; so is a greeting later on."""
        self.conversation.take(ACCEPT)
        for payload in (
            ACCEPT,
            b'{"close": true}',
            heartbeat("p1"),
            gap("why", "p1"),
            b'{"reconnect": {"after_ms": 1}}',
            enveloped("p1", b"{}"),
            reply("p1"),
            b'{"groups_current": 7, "groups_left": [], "groups_joined": []}',
        ):
            happening = self.conversation.take(payload)
            self.assertEqual(happening, Event(None, None, payload, json.loads(payload)))

    def test_unknown(self) -> None:
        """``{"close": true}`` as the first frame means that nobody knows us."""
        self.assertRaises(Unknown, self.conversation.take, b'{"close": true}')

    def test_no_group(self) -> None:
        """A server that lets us into no group at all has nothing to tell."""
        self.conversation.take(ACCEPT)
        error = self.assertRaises(Refused, self.conversation.take, joined())
        self.assertEqual(str(error), "the server lets us into none of the groups")

    def test_missed(self) -> None:
        """Whoever counts on everything is told, once, that something may be missing."""
        for conversation in (
            Conversation(SUBSCRIPTION, None, since="p1"),
            Conversation(SUBSCRIPTION, None, returning=True),
        ):
            conversation.take(ACCEPT)
            first, second = (conversation.take(joined("jobs-summary")) for _ in range(2))
            assert isinstance(first, Joined)
            self.assertIn("the server replays nothing", first.missed or "")
            self.assertEqual(second, Joined(None, GROUPS))

    def test_old_position(self) -> None:
        """A position of before is forgotten with what comes behind it, lest that come twice."""
        conversation = Conversation(SUBSCRIPTION, None, since="p1")
        self.assertEqual(conversation.take(ACCEPT), Accepted("p1", None))
        self.assertEqual(conversation.take(b"{}"), Event(None, None, b"{}", {}))
        self.assertIsNone(conversation.position)


class V1Case(SynchronousTestCase):
    """A conversation in profile "towerws.v1"."""

    def talk(self, *frames: bytes, since: str | None = None) -> Happening:
        """Take frames, the server's first one before them; give what the last one says."""
        self.conversation = Conversation(SUBSCRIPTION, V1, since=since, returning=since is not None)
        happening = self.conversation.take(ACCEPT_V1)
        for frame in frames:
            happening = self.conversation.take(frame)
            self.assertEqual(happening.position, self.conversation.position)
        return happening


class V1Tests(V1Case):
    """Profile "towerws.v1": what each frame says."""

    def test_subscribe(self) -> None:
        """The first time there is no position; then there is one, in the same frame."""
        for since, frame in (
            (None, {"groups": {"jobs": ["summary"]}}),
            ("p7", {"groups": {"jobs": ["summary"]}, "since": "p7"}),
        ):
            conversation = Conversation(SUBSCRIPTION, V1, since=since)
            self.assertEqual(json.loads(conversation.subscribe()), frame)

    def test_accepted(self) -> None:
        """The first frame promises heartbeats, and nothing yet of which a position could speak."""
        self.assertEqual(self.talk(), Accepted(None, 15))
        self.assertEqual(self.talk(since="p7"), Accepted("p7", 15))

    def test_strange_heartbeats(self) -> None:
        """What is no time between two heartbeats promises none."""
        for seconds in ("0", "-1", '"15"', "null", "1e9", "NaN", "[]"):
            conversation = Conversation(SUBSCRIPTION, V1)
            frame = b'{"accept": true, "user": 1, "heartbeat": %b}' % seconds.encode()
            self.assertEqual(conversation.take(frame), Accepted(None, None))

    def test_event(self) -> None:
        """The payload is what was published, byte for byte, and it moves the position."""
        for payload in (
            b'{ "event": {"b":"\\u00e9\xc3\xa9"} }',
            b' {"a": [1, "}"]}\n',
            b'{"gap":1}',
        ):
            event = self.talk(reply("p1"), enveloped("p2", payload, "a-b"))
            self.assertEqual(event, Event("p2", "a-b", payload, json.loads(payload)))

    def test_event_of_our_server(self) -> None:
        """What our own server writes is read."""
        envelope = wire_v1.enveloping(lambda event: f"p{event.offset}")
        self.assertEqual(
            self.talk(envelope(Published("a-b", b"{}", 9))), Event("p9", "a-b", b"{}", {})
        )

    def test_envelopes_of_others(self) -> None:
        """White space does not matter, nor keys that were not known yet."""
        for frame in (
            b'{"group":"a-b","position":"p2","event":{ }}',
            b'{ "position" : "p2", "group": "a-b",\n"event": { }}',
            b'{"group": "a-b", "position": "p2", "new": {"x": "\\"event\\": 1"}, "event": { }}',
        ):
            self.assertEqual(self.talk(reply("p1"), frame), Event("p2", "a-b", b"{ }", {}))

    def test_not_understood(self) -> None:
        """What is no frame of the profile is dropped, and told; it moves nothing."""
        for frame in (
            b'{"a": 1}',
            b"[]",
            b"7",
            b'{"heartbeat": 7}',
            b'{"gap": "why"}',
            b'{"reconnect": {"after_ms": -1}}',
            b'{"reconnect": 1}',
            b'{"group": "a-b", "event": {}}',
            b'{"group": 7, "position": "p2", "event": {}}',
            b'{"group": "a-b", "position": "p2", "event": {}, "more": 1}',
            ACCEPT_V1,
        ):
            what = f"a frame of {len(frame)} bytes that is not understood was dropped"
            self.assertEqual(self.talk(reply("p1"), frame), Dropped("p1", what))
        what = "a frame of 24 bytes that is not JSON was dropped"
        self.assertEqual(self.talk(reply("p1"), b'{"event": 1, oh no, 7:8}'), Dropped("p1", what))

    def test_news(self) -> None:
        """Heartbeats and gaps move the position, errors and farewells do not."""
        for frame, happening in (
            (heartbeat("p2"), Heartbeat("p2")),
            (gap("broker away", "p2"), Gap("p2", "broker away")),
            (b'{"error": "no"}', Objection("p1", "no")),
            (b'{"reconnect": {"after_ms": 1700}}', Reconnect("p1", 1.7)),
            (b'{"reconnect": {"after_ms": 1e300}}', Reconnect("p1", LONGEST_ORDERED_DELAY)),
        ):
            self.assertEqual(self.talk(reply("p1"), frame), happening)

    def test_refused(self) -> None:
        """It may be refused as in the other profile, also later, when access has ended."""
        conversation = Conversation(SUBSCRIPTION, V1)
        self.assertRaises(Unknown, conversation.take, b'{"close": true}')
        nothing = wire_v1.subscribed([], GROUPS, [], "p2")
        self.assertRaises(Refused, self.talk, reply("p1"), nothing)


class ResumingTests(V1Case):
    """Where a hearer is after the answer to a subscription."""

    def test_first_time(self) -> None:
        """Without a position to go on from, the answer has it; nothing is missing."""
        self.assertEqual(self.talk(reply("p1")), Joined("p1", GROUPS))

    def test_nothing_missed(self) -> None:
        """If nothing is replayed, the answer's position is as good, and newer."""
        self.assertEqual(self.talk(reply("p9", replayed=0), since="p7"), Joined("p9", GROUPS))

    def test_replay(self) -> None:
        """While events are replayed, the position is that of the last one, not the answer's."""
        joined = self.talk(reply("p9", replayed=2), since="p7")
        self.assertEqual(joined, Joined("p7", GROUPS))
        self.assertEqual(self.conversation.take(heartbeat("p7")).position, "p7")
        self.assertEqual(self.conversation.take(enveloped("p8", b"{}")).position, "p8")

    def test_gap(self) -> None:
        """If it cannot be resumed, only the gap that comes next moves the position."""
        joined = self.talk(reply("p9", replayed=-1), since="p7")
        self.assertEqual(joined, Joined("p7", GROUPS))
        self.assertEqual(self.conversation.take(heartbeat("p8")), Heartbeat("p7"))
        self.assertEqual(self.conversation.take(gap("too old", "p9")), Gap("p9", "too old"))
        self.assertEqual(self.conversation.take(heartbeat("p10")), Heartbeat("p10"))

    def test_nothing_promised(self) -> None:
        """Before the answer there is nothing of which a heartbeat could say that it has come."""
        for since in (None, "p7"):
            self.assertEqual(self.talk(heartbeat("p8"), since=since), Heartbeat(since))

    def test_no_word(self) -> None:
        """A server that does not say whether it resumed has not."""
        joined = self.talk(reply("p9"), since="p7")
        assert isinstance(joined, Joined)
        self.assertEqual(joined.position, "p9")
        self.assertIn("the server replays nothing", joined.missed or "")

    def test_no_position(self) -> None:
        """An answer without a position leaves none, rather than one that may be wrong."""
        self.assertEqual(self.talk(joined("jobs-summary")), Joined(None, GROUPS))

    def test_access_ended(self) -> None:
        """An answer that comes unasked, even in the middle of a replay, moves nothing."""
        unasked = wire_v1.subscribed(["a-b"], GROUPS, [], "p9")
        for frame in (reply("p9", replayed=2), reply("p9", replayed=-1)):
            self.assertEqual(self.talk(frame, unasked, since="p7"), Joined("p7", ["a-b"]))
