"""`towerws.core.session`: messages in, frames and subscriptions out."""

from hypothesis import given
from hypothesis import strategies as st

from tests.core.session_case import SessionTestCase, result
from tests.fakes import FakeClient, FakeIdentity
from tests.properties import PROPERTY
from towerws.core import wire
from towerws.core.limits import Limits


class StartTests(SessionTestCase):
    """The first frame says whether the client is in."""

    def test_accepted(self) -> None:
        """protocol.md, profile awx, row "server, first frame": the user's id, whatever it is."""
        for user in (7, "alice", None):
            client = FakeClient()
            session = self.session(client, FakeIdentity(user), Limits())
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
        self.assertNotIn("jobs-summary", self.source.interests.wanted)


class RequestTests(SessionTestCase):
    """A request replaces the groups of a client."""

    def test_result(self) -> None:
        """protocol.md, profile awx, rows "client" and "server, result": each list is sorted."""
        client = self.connect(FakeIdentity())
        self.ask(client, {"jobs": ["summary", "status_changed"], "job_events": [42]})
        names = ["job_events-42", "jobs-status_changed", "jobs-summary"]
        self.assertEqual(client.frames, [result(current=names, joined=names)])
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
            [result(current=["a-2", "a-3"], left=["a-1"], joined=["a-3"])],
        )
        self.ask(client, {"a": [2, 3]})
        self.assertEqual(client.take_frames(), [result(current=["a-2", "a-3"])])

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
            [result(current=["a-2", "a-3"], left=["a-1"], joined=["a-3"])],
        )

    def test_leaves_all(self) -> None:
        """protocol.md, profile awx: ``{"groups": {}}`` leaves all."""
        client = self.connect(FakeIdentity())
        self.ask(client, {"a": [1]})
        client.take_frames()
        for left in (["a-1"], []):
            self.ask(client, {})
            self.assertEqual(client.take_frames(), [result(left=left)])
        self.assertEqual(self.publish("a-1", b"{}"), 0)

    def test_unknown_group(self) -> None:
        """protocol.md, profile awx: an unknown group is joined without complaint."""
        client = self.connect(FakeIdentity())
        self.ask(client, {"no_such": ["thing"]})
        self.assertEqual(
            client.frames, [result(current=["no_such-thing"], joined=["no_such-thing"])]
        )

    def test_duplicates(self) -> None:
        """protocol.md, profile awx: numbers or strings are the same group; duplicates collapse."""
        identity = FakeIdentity()
        client = self.connect(identity)
        self.ask(client, {"job_events": [42, "42", 42]})
        self.assertEqual(
            client.frames, [result(current=["job_events-42"], joined=["job_events-42"])]
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


class CountersTests(SessionTestCase):
    """Operators see what clients send."""

    def test_names(self) -> None:
        """All kinds are shown from the start."""
        for outcome in ("subscribed", "ignored", "not_understood", "bad_token", "over_limit"):
            self.assertIn(f'towerws_frames_total{{result="{outcome}"}} 0\n', self.metrics.render())
        self.assertIn("towerws_groups_denied_total 0\n", self.metrics.render())
