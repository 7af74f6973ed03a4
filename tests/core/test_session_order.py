"""`towerws.core.session`: one message after the other, and within limits."""

import json

from hypothesis import given
from hypothesis import strategies as st

from tests.core.session_case import DENIED, NOT_JSON, SessionTestCase, result
from tests.fakes import FakeIdentity
from tests.properties import PROPERTY
from towerws.core import wire
from towerws.core.limits import Limits


class OrderTests(SessionTestCase):
    """One request after the other, whatever takes long."""

    def test_slow_access_checks(self) -> None:
        """protocol.md, profile awx: answered in the order they were sent, however slow a check."""
        identity = FakeIdentity(is_prompt=False)
        client = self.connect(identity)
        self.ask(client, {"a": [1]})
        self.ask(client, {"a": [2]})
        self.assertEqual(identity.asked, [["a-1"]])
        identity.answer()
        self.assertEqual(client.take_frames(), [result(current=["a-1"], joined=["a-1"])])
        self.assertEqual(identity.asked, [["a-1"], ["a-2"]])
        identity.answer()
        self.assertEqual(
            client.take_frames(), [result(current=["a-2"], left=["a-1"], joined=["a-2"])]
        )

    def test_slow_interests(self) -> None:
        """protocol.md, profile awx: the reply is a promise, so it waits for the broker.

        The next request waits as well; events that come before the reply are not held back.
        """
        self.source.is_prompt = False
        identity = FakeIdentity()
        client = self.connect(identity)
        self.ask(client, {"a": [1], "b": [1]})
        self.ask(client, {})
        self.source.confirm("a-1")
        self.publish("a-1", b'{"early": 1}')
        self.assertEqual((client.take_frames(), identity.asked), ([{"early": 1}], [["a-1", "b-1"]]))
        self.source.confirm("b-1")
        both = ["a-1", "b-1"]
        self.assertEqual(
            client.take_frames(), [result(current=both, joined=both), result(left=both)]
        )

    def test_kept_groups_are_promised_anew(self) -> None:
        """While the broker is away nothing is promised, not even what was in force before."""
        client = self.connect(FakeIdentity())
        self.ask(client, {"a": [1]})
        client.take_frames()
        self.source.lose()
        self.ask(client, {"a": [1]})
        self.assertEqual(client.take_frames(), [])
        self.source.confirm()
        self.assertEqual(client.take_frames(), [result(current=["a-1"])])

    def test_errors_wait_their_turn(self) -> None:
        """Whatever can be wrong with a frame is told in its turn."""
        identity = FakeIdentity(csrf_token="t", is_prompt=False)
        client = self.connect(identity, limits=Limits(groups=1))
        self.ask(client, {"a": [1]}, xrftoken="t")
        self.receive(client, b"{")
        self.ask(client, {"a": [2]}, xrftoken="wrong")
        self.ask(client, xrftoken="t")
        self.ask(client, {"a": [3, 4]}, xrftoken="t")
        self.ask(client, {}, xrftoken="t")
        self.assertEqual(client.take_frames(), [])
        identity.answer()
        self.assertEqual(
            client.take_frames(),
            [
                result(current=["a-1"], joined=["a-1"]),
                NOT_JSON,
                DENIED,
                {"error": "2 groups are too many: 1 are allowed"},
            ],
        )
        identity.answer()
        self.assertEqual(client.take_frames(), [result(left=["a-1"])])

    @given(st.lists(st.sampled_from(["ask", "answer", "confirm", "junk"]), max_size=30))
    @PROPERTY
    def test_any_course(self, steps: list[str]) -> None:
        """Whatever is slow in whatever way, each frame gets one answer, in order."""
        self.source.is_prompt = False
        identity = FakeIdentity(is_prompt=False)
        client = self.connect(identity, limits=Limits(pending=100))
        expected: list[str] = []
        unanswered = 0
        for step in [*steps, *["answer", "confirm"] * len(steps)]:
            if step == "ask":
                name = f"a-{len(expected)}"
                self.ask(client, {"a": [len(expected)]})
                expected.append(name)
            elif step == "junk":
                self.receive(client, b"{")
                expected.append("junk")
            elif step == "answer" and len(identity.asked) > unanswered:
                identity.answer()
                unanswered += 1
            elif step == "confirm":
                self.source.confirm()
        answers = [
            "junk" if "error" in answer else answer["groups_current"][0]
            for answer in map(json.loads, client.messages)
        ]
        self.assertEqual(answers, expected)
        self.end(client)


class LimitTests(SessionTestCase):
    """protocol.md, profile awx: over the limits an error, and Close 1008 when it persists."""

    def test_groups(self) -> None:
        """As many groups as allowed, and not one more; refused ones change nothing."""
        client = self.connect(FakeIdentity(), limits=Limits(groups=3))
        self.ask(client, {"a": [1, 2], "b": [1]})
        client.take_frames()
        self.ask(client, {"a": [1, 2, 3], "b": [1]})
        self.assertEqual(client.take_frames(), [{"error": "4 groups are too many: 3 are allowed"}])
        self.assertEqual(self.source.interests.wanted, {"a-1", "a-2", "b-1"})
        self.assertEqual(self.counters.over_limit.value, 1)

    def test_groups_named_again(self) -> None:
        """What is named again counts, as it costs as much; and nothing of it is looked at."""
        client = self.connect(FakeIdentity(), limits=Limits(groups=3, strikes=2))
        for _ in range(2):
            self.ask(client, {"a": [1, 1, "1", "$"]})
        self.assertEqual(
            client.take_frames(), [{"error": "4 groups are too many: 3 are allowed"}] * 2
        )
        self.assertEqual([code for code, _ in client.closes], [wire.CloseCode.POLICY])

    def test_pending(self) -> None:
        """As many frames may wait as allowed; one more is refused, the others get their answers."""
        identity = FakeIdentity(is_prompt=False)
        client = self.connect(identity, limits=Limits(pending=2))
        for number in range(4):
            self.ask(client, {"a": [number]})
        self.assertEqual(
            client.take_frames(), [{"error": "more than 2 frames wait for their answer"}]
        )
        self.assertEqual(self.counters.over_limit.value, 1)
        for _ in range(3):
            identity.answer()
        self.assertEqual(
            client.take_frames(),
            [
                result(current=["a-0"], joined=["a-0"]),
                result(current=["a-1"], left=["a-0"], joined=["a-1"]),
                result(current=["a-2"], left=["a-1"], joined=["a-2"]),
            ],
        )

    def test_all_pending_at_once(self) -> None:
        """A full queue is worked off in one go when the check that held it back is done."""
        identity = FakeIdentity(is_prompt=False)
        client = self.connect(identity)
        for number in range(Limits().pending + 1):
            self.ask(client, {"a": [number]})
        identity.is_prompt = True
        identity.answer()
        self.assertEqual(len(client.frames), 17)
        self.assertEqual(self.source.interests.wanted, {"a-16"})

    def test_closed_when_it_persists(self) -> None:
        """Close 1008 comes behind the error for the last frame."""
        client = self.connect(FakeIdentity(), limits=Limits(groups=1, strikes=3))
        self.ask(client, {"a": [1]})
        client.take_frames()
        for strike in range(1, 4):
            self.assertEqual(client.closes, [])
            self.ask(client, {"a": [1, 2]})
            self.assertEqual(len(client.frames), strike)
        self.assertEqual(
            client.closes, [(wire.CloseCode.POLICY, "over the limits again and again")]
        )
        self.assertEqual(client.read_at_close, 3)
        self.ask(client, {"a": [1]})
        self.assertEqual(len(client.frames), 3)
        self.assertNotIn("a-1", self.source.interests.wanted)

    def test_closed_with_frames_waiting(self) -> None:
        """One that is closed for sending too fast gets no answers any more."""
        identity = FakeIdentity(is_prompt=False)
        client = self.connect(identity, limits=Limits(burst=2, strikes=2))
        for _ in range(4):
            self.ask(client, {"a": [1]})
        self.assertEqual(len(client.take_frames()), 2)
        self.assertEqual([code for code, _ in client.closes], [wire.CloseCode.POLICY])
        identity.answer()
        self.assertEqual((client.frames, identity.asked), ([], [["a-1"]]))
        self.assertNotIn("a-1", self.source.interests.wanted)

    def test_good_frames_forgive(self) -> None:
        """In a row means that a subscription in between starts the count anew."""
        client = self.connect(FakeIdentity(), limits=Limits(groups=1, strikes=2))
        for _ in range(3):
            self.ask(client, {"a": [1, 2]})
            self.ask(client, {"a": [1]})
        self.assertEqual(client.closes, [])

    def test_defaults(self) -> None:
        """The limits unless told otherwise."""
        self.assertEqual(Limits(), Limits(groups=1000, pending=16, rate=20, burst=200, strikes=10))

    def test_patience_is_no_strike(self) -> None:
        """protocol.md: connections stay open while the broker is away, whatever waits for it."""
        self.source.is_prompt = False
        client = self.connect(FakeIdentity(), limits=Limits(pending=2, strikes=2))
        for number in range(20):
            self.ask(client, {"a": [number]})
        self.assertEqual(
            client.take_frames(), [{"error": "more than 2 frames wait for their answer"}] * 17
        )
        self.assertEqual(client.closes, [])
        self.assertEqual(self.counters.over_limit.value, 17)

    def test_rate(self) -> None:
        """protocol.md: over the rate limit an error, and Close 1008 when it persists."""
        client = self.connect(FakeIdentity(), limits=Limits(rate=2, burst=3, strikes=3))
        for payload in (b"{}", b"nonsense", b'{"groups": {"a": [1]}}'):
            self.receive(client, payload)
        client.take_frames()
        self.receive(client, b"{}")
        self.assertEqual(client.take_frames(), [{"error": "more than 2 frames a second"}])
        self.clock.advance(0.5)
        self.receive(client, b"{}")
        self.assertEqual(client.take_frames(), [])
        for _ in range(2):
            self.assertEqual(client.closes, [])
            self.receive(client, b"{}")
        self.assertEqual([code for code, _ in client.closes], [wire.CloseCode.POLICY])
