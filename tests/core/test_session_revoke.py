"""`towerws.core.session`: access that is taken away."""

from tests.core.session_case import SessionTestCase, result
from tests.fakes import FakeClient, FakeIdentity
from towerws.core.patterns import Patterns
from towerws.core.wire import CloseCode


def _revoke(client: FakeClient, *patterns: str) -> bool:
    assert client.session is not None
    return client.session.revoke(Patterns(patterns) if patterns else None)


def _denied(element: object) -> dict[str, str]:
    return {"error": f"access denied to channel a for resource id {element}"}


class RevokeTests(SessionTestCase):
    """``towerws revoke``."""

    def test_everything(self) -> None:
        """protocol.md: 1008 policy (limits, revoked)."""
        client = self.connect(FakeIdentity())
        self.ask(client, {"a": [1]})
        self.assertTrue(_revoke(client))
        self.assertEqual(client.closes, [(CloseCode.POLICY, "access was revoked")])
        self.assertEqual(self.publish("a-1", b"{}"), 0)
        self.assertFalse(_revoke(client))

    def test_a_group(self) -> None:
        """It is left at once and the client told; the others stay."""
        client = self.connect(FakeIdentity())
        self.ask(client, {"a": [1, 2, 3], "b": [1]})
        client.take_frames()
        self.assertTrue(_revoke(client, "a-1", "a-3*", "c-*"))
        self.assertEqual(
            client.frames,
            [_denied(1), _denied(3), result(current=["a-2", "b-1"], left=["a-1", "a-3"])],
        )
        self.assertEqual([self.publish(f"a-{n}", b"{}") for n in (1, 2, 3)], [0, 1, 0])
        self.assertEqual(self.counters.withdrawn.value, 2)

    def test_nothing_to_lose(self) -> None:
        """A group that it is not in."""
        client = self.connect(FakeIdentity())
        self.ask(client, {"a": [1]})
        client.take_frames()
        self.assertFalse(_revoke(client, "a-2"))
        self.assertEqual(client.frames, [])

    def test_before_any_subscription(self) -> None:
        """A client that is in no group yet has nothing to lose but the connection."""
        client = self.connect(FakeIdentity())
        self.assertFalse(_revoke(client, "a-1"))
        self.assertTrue(_revoke(client))

    def test_during_the_check(self) -> None:
        """A check that is on its way may not know: what was revoked meanwhile is refused."""
        identity = FakeIdentity()
        client = self.connect(identity)
        self.ask(client, {"a": [1]})
        client.take_frames()
        identity.is_prompt = False
        self.ask(client, {"a": [1, 2, 3]})
        self.assertTrue(_revoke(client, "a-1", "a-2"))
        self.assertEqual(self.publish("a-1", b"{}"), 0)
        identity.answer()
        self.assertEqual(
            client.frames,
            [
                _denied(1),
                _denied(1),
                _denied(2),
                result(current=["a-3"], left=["a-1"], joined=["a-3"]),
            ],
        )

    def test_only_during_the_check(self) -> None:
        """The next check is asked anew, and knows."""
        identity = FakeIdentity(is_prompt=False)
        client = self.connect(identity)
        self.ask(client, {"a": [1]})
        self.assertFalse(_revoke(client, "a-1"))
        identity.answer()
        client.take_frames()
        self.ask(client, {"a": [1]})
        identity.answer()
        self.assertEqual(client.frames, [result(current=["a-1"], joined=["a-1"])])

    def test_while_it_waits_for_the_broker(self) -> None:
        """The promise is made for what remains, and never for what was revoked."""
        self.source.is_prompt = False
        client = self.connect(FakeIdentity())
        self.ask(client, {"a": [1, 2]})
        self.assertTrue(_revoke(client, "a-1"))
        self.assertEqual(self.source.interests.wanted, {"a-2"})
        self.assertEqual(client.take_frames(), [_denied(1)])
        self.source.confirm("a-2")
        self.assertEqual(client.frames, [result(current=["a-2"], joined=["a-2"])])

    def test_messages_go_on(self) -> None:
        """What the client asks for meanwhile is answered behind it."""
        self.source.is_prompt = False
        client = self.connect(FakeIdentity())
        self.ask(client, {"a": [1, 2]})
        self.source.confirm()
        client.take_frames()
        self.source.lose()
        _revoke(client, "a-1")
        self.ask(client, {"a": [3]})
        self.source.confirm()
        self.source.confirm()
        self.assertEqual(
            client.frames,
            [
                _denied(1),
                result(current=["a-2"], left=["a-1"]),
                result(current=["a-3"], left=["a-2"], joined=["a-3"]),
            ],
        )

    def test_during_a_recheck(self) -> None:
        """The client is told when the check is over, also if that refuses nothing."""
        identity = FakeIdentity()
        client = self.connect(identity)
        self.ask(client, {"a": [1, 2]})
        client.take_frames()
        identity.is_prompt = False
        assert client.session is not None
        client.session.recheck()
        identity.answer()
        self.assertTrue(_revoke(client, "a-1"))
        self.assertEqual(self.publish("a-1", b"{}"), 0)
        identity.answer()
        self.assertEqual(client.frames, [_denied(1), result(current=["a-2"], left=["a-1"])])

    def test_slow_reader(self) -> None:
        """Who is cut by the frame that tells is not put into groups again."""
        client = self.connect(FakeIdentity())
        self.ask(client, {"a": [1, 2]})
        client.stalled = True
        _revoke(client, "a-1")
        self.assertEqual(client.closes[0][0], CloseCode.TRY_AGAIN_LATER)
        self.assertEqual(self.source.interests.wanted, set())
