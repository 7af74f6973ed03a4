"""`towerws.core.session`: clients that leave, and events that may have been missed."""

from tests.core.session_case import NOT_JSON, SessionTestCase, result
from tests.fakes import FakeClient, FakeIdentity
from towerws.core import wire


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
        self.assertEqual(stays.frames, [result(current=["a-1"], joined=["a-1"]), NOT_JSON])

    def test_leaves_while_it_is_answered(self) -> None:
        """A client that is cut by an answer is not given the next one."""
        identity = FakeIdentity(is_prompt=False)
        client = self.connect(identity)
        self.ask(client, {"a": [1]})
        self.receive(client, b"{")
        self.ask(client, {"a": [2]})
        client.stalled = True
        identity.answer()
        self.assertEqual([code for code, _ in client.closes], [wire.CloseCode.TRY_AGAIN_LATER])
        self.assertEqual(identity.asked, [["a-1"]])
        self.assertEqual(self.source.interests.wanted, set())

    def test_cut_by_an_event(self) -> None:
        """A client that is cut while events are delivered is gone; the others get theirs."""
        slow, good = self.connect(FakeIdentity()), self.connect(FakeIdentity())
        for client in (slow, good):
            self.ask(client, {"a": [1]})
            client.take_frames()
        slow.stalled = True
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
        self.hub.gap("why")
        self.assert_closed_soon(client)
        self.publish("a-1", b"{}")
        self.ask(client, {})
        self.assertEqual(client.frames, [{}, result(left=["a-1"])])

    def test_not_promised_yet(self) -> None:
        """One that was never told that anything is in force missed nothing."""
        self.source.is_prompt = False
        client = self.connect(FakeIdentity())
        self.ask(client, {"a": [1]})
        self.source.lose()
        self.hub.gap("why")
        self.assert_closed_soon(client, times=0)
        self.source.confirm()
        self.assertEqual(len(client.frames), 1)
        self.hub.gap("why")
        self.assert_closed_soon(client)

    def test_promised_before(self) -> None:
        """One that is about to change its groups was promised the old ones."""
        client = self.connect(FakeIdentity())
        self.ask(client, {"a": [1]})
        self.source.is_prompt = False
        self.ask(client, {"a": [2]})
        self.hub.gap("why")
        self.assert_closed_soon(client)

    def test_no_groups(self) -> None:
        """One without groups has nothing to miss, even if its access is being checked."""
        identity = FakeIdentity()
        client = self.connect(identity)
        self.ask(client, {"a": [1]})
        self.ask(client, {})
        assert client.session is not None
        client.session.gap("why")
        identity.is_prompt = False
        self.ask(client, {"a": [1]})
        client.session.gap("why")
        self.assert_closed_soon(client, times=0)

    def test_gone(self) -> None:
        """One that is gone is left alone."""
        client = self.connect(FakeIdentity())
        self.ask(client, {"a": [1]})
        self.end(client)
        assert client.session is not None
        client.session.gap("why")
        self.assert_closed_soon(client, times=0)

    def test_kept(self) -> None:
        """protocol.md, profile awx: ``--on-gap keep`` leaves the connections open."""
        self.closes_on_gap = False
        client = self.connect(FakeIdentity())
        self.ask(client, {"a": [1]})
        self.hub.gap("why")
        self.assert_closed_soon(client, times=0)
