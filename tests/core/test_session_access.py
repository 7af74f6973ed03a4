"""`towerws.core.session`: tokens and refusals."""

from collections.abc import Callable, Collection, Sequence

from tests.core.session_case import DENIED, SessionTestCase, result
from tests.fakes import FakeIdentity
from towerws.core import wire
from towerws.core.groups import Group


class TokenTests(SessionTestCase):
    """A frame must carry the token of the handshake."""

    def test_right(self) -> None:
        """protocol.md, profile awx: ``xrftoken`` equals the CSRF token of the handshake."""
        for token in ("abc", "tökén", "\ud800", ""):
            client = self.connect(FakeIdentity(csrf_token=token))
            self.ask(client, {"a": [1]}, xrftoken=token)
            self.assertEqual(client.frames, [result(current=["a-1"], joined=["a-1"])])
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
        self.assertEqual(client.take_frames(), [DENIED] * (len(wrong) + 2))
        self.assertEqual(self.counters.bad_token.value, len(wrong) + 2)
        self.assertEqual((identity.asked, client.closes), ([["a-1"]], []))
        self.assertEqual(self.source.interests.wanted, {"a-1"})

    def test_empty(self) -> None:
        """An empty token is a token: a frame without one does not match it."""
        client = self.connect(FakeIdentity(csrf_token=""))
        self.ask(client, {"a": [1]})
        self.assertEqual(client.frames, [DENIED])

    def test_not_ascii(self) -> None:
        """A token with other letters refuses wrong ones as well."""
        client = self.connect(FakeIdentity(csrf_token="tökén"))
        for token in ("token", "töken", "\udcf6", 1):
            self.ask(client, {"a": [1]}, xrftoken=token)
        self.assertEqual(client.frames, [DENIED] * 4)

    def test_none_needed(self) -> None:
        """protocol.md, profile awx: only when the authenticator gave one."""
        client = self.connect(FakeIdentity(csrf_token=None))
        for token in ("abc", None, [1]):
            self.ask(client, {}, xrftoken=token)
        self.assertEqual(client.frames, [result()] * 3)


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
                result(current=joined, joined=joined),
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
            [{"error": "access denied to channel a for resource id 2"}, result(left=["a-1"])],
        )

    def test_however_it_is_divided(self) -> None:
        """Who decides by the half before the hyphen is asked about the same group each time."""
        identity = FakeIdentity(denied={"a-b-1"})
        client = self.connect(identity)
        groups: list[Sequence[Group]] = []
        check = identity.check_access

        def keep(
            asked: Sequence[Group], answer: Callable[[Collection[Group] | None], None]
        ) -> None:
            groups.append(asked)
            check(asked, answer)

        self.patch(identity, "check_access", keep)
        self.ask(client, {"a-b": [1], "a": ["b-1", "b-2"]})
        self.assertEqual(groups, [[Group("a", "b-1"), Group("a", "b-1"), Group("a", "b-2")]])
        self.assertEqual(
            client.frames,
            [
                {"error": "access denied to channel a-b for resource id 1"},
                {"error": "access denied to channel a for resource id b-1"},
                result(current=["a-b-2"], joined=["a-b-2"]),
            ],
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
        self.assertEqual(client.frames, [result(current=["a-2"], left=["a-1"], joined=["a-2"])])

    def test_cut_by_refusals(self) -> None:
        """A slow reader that is cut by the refusals is not subscribed any more."""
        identity = FakeIdentity(denied={"a-1", "a-2"})
        client = self.connect(identity)
        client.stalled = True
        self.ask(client, {"a": [1, 2, 3]})
        self.assertEqual(client.closes, [(wire.CloseCode.TRY_AGAIN_LATER, "reading too slowly")])
        self.assertNotIn("a-3", self.source.interests.wanted)
