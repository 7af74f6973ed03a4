"""Tests of one client's side of the protocol."""

import json
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.fakes import FakeClient, FakeIdentity, FakeSource
from tests.properties import PROPERTY
from towerws.core import wire
from towerws.core.event import Event, Variant, encode
from towerws.core.groups import Group
from towerws.core.hub import Hub
from towerws.core.metrics import Metrics
from towerws.core.session import Limits, Session, SessionCounters

_DENIED = {"error": "access denied to channel"}
_NOT_JSON = {"error": "the frame is not JSON"}


def _result(
    current: Sequence[str] = (), left: Sequence[str] = (), joined: Sequence[str] = ()
) -> dict[str, list[str]]:
    return {
        "groups_current": list(current),
        "groups_left": list(left),
        "groups_joined": list(joined),
    }


class SessionTestCase(SynchronousTestCase):
    """Clients of a hub whose source brings everything at once."""

    def setUp(self) -> None:
        """Nobody is connected."""
        self.metrics = Metrics()
        self.source = FakeSource(is_prompt=True)
        self.hub = Hub(self.metrics)
        self.hub.attach(self.source)
        self.counters = SessionCounters(self.metrics)
        self.now = 0.0

    def seconds(self) -> float:
        """Tell the time."""
        return self.now

    def connect(
        self,
        identity: FakeIdentity | None,
        *,
        limits: Limits | None = None,
        budget: int = 1 << 20,
    ) -> FakeClient:
        """Connect a client and take its greeting away."""
        client = FakeClient(budget=budget)
        limits = limits or Limits()
        client.session = Session(
            client, identity, self.hub, limits, self.counters, seconds=self.seconds
        )
        client.session.start()
        if identity is not None:
            self.assertEqual(client.take_frames(), [{"accept": True, "user": identity.user}])
        return client

    def receive(self, client: FakeClient, payload: bytes, *, is_binary: bool = False) -> None:
        """Let a client's message come in."""
        assert client.session is not None
        client.session.received(payload, is_binary=is_binary)

    def ask(self, client: FakeClient, groups: object = None, **others: object) -> None:
        """Let a client's frame come in; without groups if they are None."""
        frame = others if groups is None else {"groups": groups, **others}
        self.receive(client, json.dumps(frame).encode())

    def end(self, client: FakeClient) -> None:
        """Let a client go."""
        assert client.session is not None
        client.session.end()

    def publish(self, group: str, payload: bytes) -> int:
        """Publish an event."""
        return self.hub.publish([Event(group, payload)])


class StartTests(SessionTestCase):
    """The first frame says whether the client is in."""

    def test_accepted(self) -> None:
        """protocol.md, profile awx, row "server, first frame": the user's id, whatever it is."""
        for user in (7, "alice", None):
            client = FakeClient()
            session = Session(
                client, FakeIdentity(user), self.hub, Limits(), self.counters, seconds=self.seconds
            )
            self.assertEqual(client.frames, [])
            session.start()
            self.assertEqual(client.frames, [{"accept": True, "user": user}])
            self.assertEqual(client.closes, [])

    def test_not_authenticated(self) -> None:
        """protocol.md, profile awx, row "server, not authenticated": Close 1000 comes after."""
        client = self.connect(None)
        self.assertEqual(client.frames, [{"close": True}])
        self.assertEqual(client.closes, [(wire.CloseCode.NORMAL, "not authenticated")])
        self.assertEqual(client.read_at_close, 1)

    def test_not_authenticated_goes_on(self) -> None:
        """What a client sends that was turned away has no effect and no answer."""
        client = self.connect(None)
        client.take_frames()
        self.ask(client, {"jobs": ["summary"]})
        self.receive(client, b"?")
        self.assertEqual(client.frames, [])
        self.assertNotIn("jobs-summary", self.hub.heard)


class RequestTests(SessionTestCase):
    """A request replaces the groups of a client."""

    def test_result(self) -> None:
        """protocol.md, profile awx, rows "client" and "server, result": each list is sorted."""
        client = self.connect(FakeIdentity())
        self.ask(client, {"jobs": ["summary", "status_changed"], "job_events": [42]})
        names = ["job_events-42", "jobs-status_changed", "jobs-summary"]
        self.assertEqual(client.frames, [_result(current=names, joined=names)])
        self.assertEqual(self.counters.subscribed.value, 1)

    def test_event(self) -> None:
        """protocol.md, profile awx, row "server, event": the payload byte for byte."""
        client = self.connect(FakeIdentity())
        self.ask(client, {"job_events": [42]})
        client.messages.clear()
        payload = b'{"group_name":  "job_events", "x": "\\u00e4\xc3\xa4"}'
        self.publish("job_events-42", payload)
        self.publish("job_events-43", b"{}")
        self.assertEqual(client.messages, [payload])

    def test_replaces(self) -> None:
        """protocol.md, profile awx: a new dictionary replaces the old set."""
        client = self.connect(FakeIdentity())
        self.ask(client, {"a": [1, 2]})
        client.take_frames()
        self.ask(client, {"a": [2, 3]})
        self.assertEqual(
            client.take_frames(),
            [_result(current=["a-2", "a-3"], left=["a-1"], joined=["a-3"])],
        )
        self.ask(client, {"a": [2, 3]})
        self.assertEqual(client.take_frames(), [_result(current=["a-2", "a-3"])])

    def test_replaces_atomically(self) -> None:
        """protocol.md, profile awx: what is in both sets is never missed in between."""
        client = self.connect(FakeIdentity())
        self.ask(client, {"a": [1, 2]})
        self.source.is_prompt = False
        client.take_frames()
        self.ask(client, {"a": [2, 3]})
        self.publish("a-1", b'{"old": 1}')
        self.publish("a-2", b'{"kept": 1}')
        self.assertEqual(client.take_frames(), [{"kept": 1}])
        self.assertNotIn("a-2", [name for _, ended in self.source.changes for name in ended])
        self.source.confirm()
        self.assertEqual(
            client.take_frames(),
            [_result(current=["a-2", "a-3"], left=["a-1"], joined=["a-3"])],
        )

    def test_leaves_all(self) -> None:
        """protocol.md, profile awx: ``{"groups": {}}`` leaves all."""
        client = self.connect(FakeIdentity())
        self.ask(client, {"a": [1]})
        client.take_frames()
        for left in (["a-1"], []):
            self.ask(client, {})
            self.assertEqual(client.take_frames(), [_result(left=left)])
        self.assertEqual(self.publish("a-1", b"{}"), 0)

    def test_unknown_group(self) -> None:
        """protocol.md, profile awx: an unknown group is joined without complaint."""
        client = self.connect(FakeIdentity())
        self.ask(client, {"no_such": ["thing"]})
        self.assertEqual(
            client.frames, [_result(current=["no_such-thing"], joined=["no_such-thing"])]
        )

    def test_duplicates(self) -> None:
        """protocol.md, profile awx: numbers or strings are the same group; duplicates collapse."""
        identity = FakeIdentity()
        client = self.connect(identity)
        self.ask(client, {"job_events": [42, "42", 42]})
        self.assertEqual(
            client.frames, [_result(current=["job_events-42"], joined=["job_events-42"])]
        )
        self.assertEqual(identity.asked, [["job_events-42"]])

    def test_without_groups(self) -> None:
        """protocol.md, profile awx: a frame without ``groups`` is ignored."""
        identity = FakeIdentity()
        client = self.connect(identity)
        self.ask(client, hello="world")
        self.assertEqual((client.frames, identity.asked), ([], []))
        self.assertEqual(self.counters.ignored.value, 1)

    def test_not_understood(self) -> None:
        """protocol.md, profile awx: a frame that is not understood gets an error, no more.

        It changes neither the subscriptions nor the connection.
        """
        client = self.connect(FakeIdentity())
        self.ask(client, {"a": [1]})
        client.take_frames()
        frames = (
            b"{",
            b"[]",
            b'{"groups": []}',
            b'{"groups": {"a": 1}}',
            b'{"groups": {"a": [1.5]}}',
            b'{"groups": {"a": [null]}}',
            b'{"groups": {"a": ["' + b"x" * 99 + b'"]}}',
            b'{"groups": {"a": ["*"]}}',
            b'{"groups": {"$a": [1]}}',
            b"[" * 50_000,
            b"1" * 5000,
            rb'{"groups": {"\ud800": [1]}}',
        )
        for payload in frames:
            self.receive(client, payload)
            self.receive(client, b'{"groups": {}}', is_binary=True)
        answers = client.take_frames()
        self.assertEqual(len(answers), 2 * len(frames))
        for answer in answers:
            assert isinstance(answer, dict)
            self.assertEqual(list(answer), ["error"])
        self.assertEqual(self.counters.not_understood.value, 2 * len(frames))
        self.assertEqual(client.closes, [])
        self.assertEqual(self.publish("a-1", b"{}"), 1)

    def test_server_names(self) -> None:
        """protocol.md, profile awx: names that begin with ``$`` cannot be subscribed."""
        client = self.connect(FakeIdentity())
        self.ask(client, {"$sys": ["log"]})
        self.assertEqual(
            client.frames, [{"error": "group names that begin with $ belong to the server"}]
        )

    @given(st.lists(st.binary(max_size=20) | st.sampled_from([b'{"groups":{"a":[1]}}', b"{}"])))
    @PROPERTY
    def test_any_bytes(self, payloads: list[bytes]) -> None:
        """Whatever a client sends, each frame is counted once and the connection stays."""
        client = self.connect(FakeIdentity())
        before = self.counted()
        for payload in payloads:
            self.receive(client, payload)
        self.assertEqual(self.counted() - before, len(payloads))
        self.assertEqual(client.closes, [])
        self.end(client)

    def counted(self) -> int:
        """Give how many frames were counted."""
        counters = self.counters
        return sum(
            counter.value
            for counter in (
                counters.subscribed,
                counters.ignored,
                counters.not_understood,
                counters.bad_token,
                counters.over_limit,
            )
        )


class TokenTests(SessionTestCase):
    """A frame must carry the token of the handshake."""

    def test_right(self) -> None:
        """protocol.md, profile awx: ``xrftoken`` equals the CSRF token of the handshake."""
        for token in ("abc", "tökén", "\ud800", ""):
            client = self.connect(FakeIdentity(csrf_token=token))
            self.ask(client, {"a": [1]}, xrftoken=token)
            self.assertEqual(client.frames, [_result(current=["a-1"], joined=["a-1"])])
        self.assertEqual(self.counters.bad_token.value, 0)

    def test_wrong(self) -> None:
        """protocol.md, profile awx: otherwise an error, no effect, and the socket stays open."""
        identity = FakeIdentity(csrf_token="abc")
        client = self.connect(identity)
        self.ask(client, {"a": [1]}, xrftoken="abc")
        client.take_frames()
        wrong = ["", "ab", "abcd", "ABC", "äbc", "\ud800", None, 0, True, ["abc"], {"abc": 1}]
        for token in wrong:
            self.ask(client, {"b": [1]}, xrftoken=token)
        self.ask(client, {"b": [1]})
        self.ask(client, xrftoken="ab")
        self.assertEqual(client.take_frames(), [_DENIED] * (len(wrong) + 2))
        self.assertEqual(self.counters.bad_token.value, len(wrong) + 2)
        self.assertEqual((identity.asked, client.closes), ([["a-1"]], []))
        self.assertEqual(self.source.interests.wanted, {"a-1"})

    def test_empty(self) -> None:
        """An empty token is a token: a frame without one does not match it."""
        client = self.connect(FakeIdentity(csrf_token=""))
        self.ask(client, {"a": [1]})
        self.assertEqual(client.frames, [_DENIED])

    def test_not_ascii(self) -> None:
        """A token with other letters refuses wrong ones as well."""
        client = self.connect(FakeIdentity(csrf_token="tökén"))
        for token in ("token", "töken", "\udcf6", 1):
            self.ask(client, {"a": [1]}, xrftoken=token)
        self.assertEqual(client.frames, [_DENIED] * 4)

    def test_none_needed(self) -> None:
        """protocol.md, profile awx: only when the authenticator gave one."""
        client = self.connect(FakeIdentity(csrf_token=None))
        for token in ("abc", None, [1]):
            self.ask(client, {}, xrftoken=token)
        self.assertEqual(client.frames, [_result()] * 3)


class AccessTests(SessionTestCase):
    """Some groups are not for everybody."""

    def test_denied(self) -> None:
        """protocol.md, profile awx, row "server, refused object": the others still join."""
        client = self.connect(FakeIdentity(denied={"job_events-42", "job_events-44"}))
        self.ask(client, {"jobs": ["summary"], "job_events": [42, 43, "44"]})
        joined = ["job_events-43", "jobs-summary"]
        self.assertEqual(
            client.frames,
            [
                {"error": "access denied to channel job_events for resource id 42"},
                {"error": "access denied to channel job_events for resource id 44"},
                _result(current=joined, joined=joined),
            ],
        )
        self.assertEqual(self.counters.denied.value, 2)
        self.assertEqual(self.source.interests.wanted, set(joined))

    def test_all_denied(self) -> None:
        """The set is replaced even if nothing is left of the new one."""
        client = self.connect(FakeIdentity(denied={"a-2"}))
        self.ask(client, {"a": [1]})
        client.take_frames()
        self.ask(client, {"a": [2]})
        self.assertEqual(
            client.frames,
            [{"error": "access denied to channel a for resource id 2"}, _result(left=["a-1"])],
        )

    def test_no_effect_before_the_answer(self) -> None:
        """While access is being checked the old set stays, and nothing of the new one leaks."""
        identity = FakeIdentity()
        client = self.connect(identity)
        self.ask(client, {"a": [1]})
        client.take_frames()
        identity.is_prompt = False
        self.ask(client, {"a": [2]})
        self.publish("a-1", b"1")
        self.publish("a-2", b"2")
        self.assertEqual(client.take_frames(), [1])
        identity.answer()
        self.assertEqual(client.frames, [_result(current=["a-2"], left=["a-1"], joined=["a-2"])])

    def test_cut_by_refusals(self) -> None:
        """A slow reader that is cut by the refusals is not subscribed any more."""
        refusal = encode(wire.object_denied(Group("a", "1")), Variant.PLAIN)
        identity = FakeIdentity(denied={"a-1", "a-2"})
        client = self.connect(identity, budget=len(refusal))
        client.outbox.pause()
        self.ask(client, {"a": [1, 2, 3]})
        self.assertEqual(client.closes, [(wire.CloseCode.TRY_AGAIN_LATER, "reading too slowly")])
        self.assertNotIn("a-3", self.hub.heard)


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
        self.assertEqual(client.take_frames(), [_result(current=["a-1"], joined=["a-1"])])
        self.assertEqual(identity.asked, [["a-1"], ["a-2"]])
        identity.answer()
        self.assertEqual(
            client.take_frames(), [_result(current=["a-2"], left=["a-1"], joined=["a-2"])]
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
            client.take_frames(), [_result(current=both, joined=both), _result(left=both)]
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
        self.assertEqual(client.take_frames(), [_result(current=["a-1"])])

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
                _result(current=["a-1"], joined=["a-1"]),
                _NOT_JSON,
                _DENIED,
                {"error": "2 groups are too many: 1 are allowed"},
            ],
        )
        identity.answer()
        self.assertEqual(client.take_frames(), [_result(left=["a-1"])])

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
                _result(current=["a-0"], joined=["a-0"]),
                _result(current=["a-1"], left=["a-0"], joined=["a-1"]),
                _result(current=["a-2"], left=["a-1"], joined=["a-2"]),
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
        self.assertNotIn("a-1", self.hub.heard)

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
        self.assertNotIn("a-1", self.hub.heard)

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
        self.now += 0.5
        self.receive(client, b"{}")
        self.assertEqual(client.take_frames(), [])
        for _ in range(2):
            self.assertEqual(client.closes, [])
            self.receive(client, b"{}")
        self.assertEqual([code for code, _ in client.closes], [wire.CloseCode.POLICY])


class EndTests(SessionTestCase):
    """A client may leave at any time."""

    def test_leaves(self) -> None:
        """Its groups are forgotten, and nothing is sent any more."""
        client = self.connect(FakeIdentity())
        self.ask(client, {"a": [1]})
        client.take_frames()
        self.end(client)
        self.end(client)
        self.assertEqual(self.publish("a-1", b"{}"), 0)
        self.ask(client, {"a": [1]})
        self.assertEqual((client.frames, client.closes), ([], []))
        self.assertEqual(self.source.interests.wanted, set())

    def test_leaves_during_an_access_check(self) -> None:
        """A late answer to the check is dropped, and so is what waited behind it."""
        identity = FakeIdentity(is_prompt=False, denied={"a-1"})
        client = self.connect(identity)
        self.ask(client, {"a": [1, 2]})
        self.receive(client, b"{")
        self.end(client)
        identity.answer()
        self.assertEqual((client.frames, self.source.changes), ([], []))
        self.assertEqual(self.counters.denied.value, 0)

    def test_leaves_before_its_groups_are_in_force(self) -> None:
        """A late confirmation is dropped, although another client waits for the same."""
        self.source.is_prompt = False
        leaves, stays = self.connect(FakeIdentity()), self.connect(FakeIdentity())
        for client in (leaves, stays):
            self.ask(client, {"a": [1]})
            self.receive(client, b"{")
        self.end(leaves)
        self.source.confirm("a-1")
        self.assertEqual(leaves.frames, [])
        self.assertEqual(stays.frames, [_result(current=["a-1"], joined=["a-1"]), _NOT_JSON])

    def test_leaves_while_it_is_answered(self) -> None:
        """A client that is cut by an answer is not given the next one."""
        identity = FakeIdentity(is_prompt=False)
        client = self.connect(identity, budget=1)
        self.ask(client, {"a": [1]})
        self.receive(client, b"{")
        self.ask(client, {"a": [2]})
        client.outbox.pause()
        identity.answer()
        self.assertEqual([code for code, _ in client.closes], [wire.CloseCode.TRY_AGAIN_LATER])
        self.assertEqual(identity.asked, [["a-1"]])
        self.assertEqual(self.source.interests.wanted, set())

    def test_cut_by_an_event(self) -> None:
        """A client that is cut while events are delivered is gone; the others get theirs."""
        slow, good = self.connect(FakeIdentity(), budget=10), self.connect(FakeIdentity())
        for client in (slow, good):
            self.ask(client, {"a": [1]})
            client.take_frames()
        slow.outbox.pause()
        self.publish("a-1", b'{"long": "enough"}')
        self.assertEqual(self.publish("a-1", b"{}"), 1)
        self.assertEqual(good.take_frames(), [{"long": "enough"}, {}])
        self.assertEqual([code for code, _ in slow.closes], [wire.CloseCode.TRY_AGAIN_LATER])


class GapTests(SessionTestCase):
    """Clients of this profile cannot be told of a gap."""

    def assert_closed_soon(self, client: FakeClient, times: int = 1) -> None:
        """Expect that a client is closed so that it comes back, or that it is not."""
        expected = (wire.CloseCode.SERVICE_RESTART, "events may have been missed")
        self.assertEqual((client.closes_soon, client.closes), ([expected] * times, []))

    def test_promised(self) -> None:
        """protocol.md, profile awx: closed with 1012 within a spread of some seconds.

        Until then the connection stays as it is.
        """
        client = self.connect(FakeIdentity())
        self.ask(client, {"a": [1]})
        client.take_frames()
        self.hub.gap()
        self.assert_closed_soon(client)
        self.publish("a-1", b"{}")
        self.ask(client, {})
        self.assertEqual(client.frames, [{}, _result(left=["a-1"])])

    def test_not_promised_yet(self) -> None:
        """One that was never told that anything is in force missed nothing."""
        self.source.is_prompt = False
        client = self.connect(FakeIdentity())
        self.ask(client, {"a": [1]})
        self.source.lose()
        self.hub.gap()
        self.assert_closed_soon(client, times=0)
        self.source.confirm()
        self.assertEqual(len(client.frames), 1)
        self.hub.gap()
        self.assert_closed_soon(client)

    def test_promised_before(self) -> None:
        """One that is about to change its groups was promised the old ones."""
        client = self.connect(FakeIdentity())
        self.ask(client, {"a": [1]})
        self.source.is_prompt = False
        self.ask(client, {"a": [2]})
        self.hub.gap()
        self.assert_closed_soon(client)

    def test_no_groups(self) -> None:
        """One without groups has nothing to miss, even if its access is being checked."""
        identity = FakeIdentity()
        client = self.connect(identity)
        self.ask(client, {"a": [1]})
        self.ask(client, {})
        assert client.session is not None
        client.session.gap()
        identity.is_prompt = False
        self.ask(client, {"a": [1]})
        client.session.gap()
        self.assert_closed_soon(client, times=0)

    def test_gone(self) -> None:
        """One that is gone is left alone."""
        client = self.connect(FakeIdentity())
        self.ask(client, {"a": [1]})
        self.end(client)
        assert client.session is not None
        client.session.gap()
        self.assert_closed_soon(client, times=0)

    def test_kept(self) -> None:
        """protocol.md, profile awx: ``--on-gap keep`` leaves the connections open."""
        self.hub = Hub(self.metrics, tell_gaps=False)
        self.hub.attach(self.source)
        client = self.connect(FakeIdentity())
        self.ask(client, {"a": [1]})
        self.hub.gap()
        self.assert_closed_soon(client, times=0)


class CountersTests(SessionTestCase):
    """Operators see what clients send."""

    def test_names(self) -> None:
        """All kinds are shown from the start."""
        for result in ("subscribed", "ignored", "not_understood", "bad_token", "over_limit"):
            self.assertIn(f'towerws_frames_total{{result="{result}"}} 0\n', self.metrics.render())
        self.assertIn("towerws_groups_denied_total 0\n", self.metrics.render())
