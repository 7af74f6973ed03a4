"""`towerws.core.session`: credentials that expire, and looking again at what a client may hear."""

from tests.core.session_case import SessionTestCase, result
from tests.fakes import FakeClient, FakeIdentity
from towerws.core.limits import Limits
from towerws.core.wire import CloseCode

_EXPIRED = [(CloseCode.EXPIRED, "the credentials are no longer valid")]


def _denied(group: str, element: object) -> dict[str, str]:
    return {"error": f"access denied to channel {group} for resource id {element}"}


def _recheck(client: FakeClient) -> None:
    assert client.session is not None
    client.session.recheck()


class ExpiryTests(SessionTestCase):
    """protocol.md: 4401, the credentials expired."""

    def test_expires(self) -> None:
        """At the time, and not before; what the client was in is left."""
        identity = FakeIdentity(expires=60.0)
        identity.is_valid = False
        client = self.connect(identity)
        self.ask(client, {"a": [1]})
        self.clock.advance(59.9)
        self.assertEqual((client.closes, identity.asked), ([], [["a-1"]]))
        self.clock.advance(0.1)
        self.assertEqual(client.closes, _EXPIRED)
        self.assertEqual(CloseCode.EXPIRED, 4401)
        self.assertEqual(self.source.interests.wanted, set())
        self.assertEqual(self.clock.timers, [])

    def test_is_renewed(self) -> None:
        """Sessions that are used are prolonged: who asks anew may learn of a later time."""
        identity = FakeIdentity(expires=60.0)
        client = self.connect(identity)
        identity.is_prompt = False
        self.clock.advance(60)
        identity.expires = 90.0
        identity.answer()
        identity.answer()
        self.assertEqual((client.closes, identity.asked), ([], ["renew", []]))
        self.assertEqual(self.clock.timers, [90.0])
        self.clock.advance(30)
        identity.answer()
        self.assertEqual(client.closes, _EXPIRED)

    def test_is_not_renewed(self) -> None:
        """Who is not told of a later time at the end of the time is closed, valid or not."""
        client = self.connect(FakeIdentity(expires=60.0))
        self.clock.advance(60)
        self.assertEqual(client.closes, _EXPIRED)

    def test_does_not_wait_for_the_broker(self) -> None:
        """A subscription that is not in force yet may never be: the time does not wait for it."""
        self.source.is_prompt = False
        client = self.connect(FakeIdentity(expires=60.0))
        self.ask(client, {"a": [1]})
        self.clock.advance(60)
        self.assertEqual(client.closes, _EXPIRED)

    def test_answer_after_the_end(self) -> None:
        """Who has left meanwhile is not closed."""
        identity = FakeIdentity(expires=60.0, is_prompt=False)
        client = self.connect(identity)
        self.clock.advance(60)
        self.end(client)
        identity.is_valid = False
        identity.answer()
        self.assertEqual((client.closes, client.frames), ([], []))


class RecheckTests(SessionTestCase):
    """What was allowed may not be any more."""

    def test_nothing_changed(self) -> None:
        """The client notices nothing."""
        identity = FakeIdentity()
        client = self.connect(identity)
        self.ask(client, {"a": [1], "b": [2]})
        client.take_frames()
        _recheck(client)
        self.assertEqual(identity.asked[1:], ["renew", ["a-1", "b-2"]])
        self.assertEqual((client.frames, client.closes), ([], []))
        self.assertEqual(self.publish("a-1", b"{}"), 1)

    def test_no_longer_valid(self) -> None:
        """The client is closed."""
        identity = FakeIdentity()
        client = self.connect(identity)
        identity.is_valid = False
        _recheck(client)
        self.assertEqual(client.closes, _EXPIRED)

    def test_denied(self) -> None:
        """A group is left at once, and the client told; the others stay."""
        identity = FakeIdentity()
        client = self.connect(identity)
        self.ask(client, {"job_events": [42, 43]})
        client.take_frames()
        identity.denied = {"job_events-42"}
        _recheck(client)
        self.assertEqual(
            client.frames,
            [
                _denied("job_events", 42),
                result(current=["job_events-43"], left=["job_events-42"]),
            ],
        )
        self.assertEqual(self.publish("job_events-42", b"{}"), 0)
        self.assertEqual(self.publish("job_events-43", b"{}"), 1)
        self.assertEqual(self.counters.withdrawn.value, 1)

    def test_unknown(self) -> None:
        """What cannot be found out stays: a backend that is away is no reason to be deaf."""
        identity = FakeIdentity()
        client = self.connect(identity)
        self.ask(client, {"a": [1]})
        client.take_frames()
        identity.denied = None
        _recheck(client)
        self.assertEqual((client.frames, self.publish("a-1", b"{}")), ([], 1))

    def test_takes_turns_with_messages(self) -> None:
        """A message that comes during the check is answered after it."""
        identity = FakeIdentity(denied={"a-1"})
        identity.denied = ()
        client = self.connect(identity)
        self.ask(client, {"a": [1]})
        client.take_frames()
        identity.is_prompt = False
        _recheck(client)
        identity.answer()
        self.ask(client, {"b": [1]})
        self.assertEqual(identity.asked, [["a-1"], "renew", ["a-1"]])
        identity.denied = {"a-1"}
        identity.answer()
        self.assertEqual(identity.asked[-1], ["b-1"])
        identity.answer()
        self.assertEqual(
            client.frames,
            [_denied("a", 1), result(left=["a-1"]), result(current=["b-1"], joined=["b-1"])],
        )

    def test_one_at_a_time(self) -> None:
        """Others while it is on its way may know better than its answer: it is asked once more."""
        identity = FakeIdentity(is_prompt=False)
        client = self.connect(identity)
        for _ in range(3):
            _recheck(client)
        self.assertEqual(identity.asked, ["renew"])
        identity.answer()
        self.assertEqual(identity.asked, ["renew", "renew"])
        identity.answer()
        self.assertEqual(identity.asked, ["renew", "renew", []])
        identity.answer()
        _recheck(client)
        self.assertEqual(identity.asked, ["renew", "renew", [], "renew"])

    def test_while_the_broker_is_away(self) -> None:
        """However often it was time meanwhile: one check, and all places for messages are left."""
        self.source.is_prompt = False
        identity = FakeIdentity()
        client = self.connect(identity, limits=Limits(subscribe_within=0, recheck_every=60))
        self.ask(client, {"a": [1]})
        for _ in range(200):
            self.clock.advance(60)
        self.ask(client, {"a": [2]})
        self.assertEqual(client.frames, [])
        asked = len(identity.asked)
        self.source.confirm()
        self.source.confirm()
        self.assertEqual(identity.asked[asked:], [["a-1"], ["a-2"]])
        self.assertEqual(
            client.frames,
            [result(current=["a-1"], joined=["a-1"]), result(["a-2"], ["a-1"], ["a-2"])],
        )

    def test_answer_from_before(self) -> None:
        """What was true when it was asked is not what counts."""
        identity = FakeIdentity(is_prompt=False)
        client = self.connect(identity)
        _recheck(client)
        _recheck(client)
        identity.answer()
        identity.is_valid = False
        identity.answer()
        self.assertEqual(client.closes, _EXPIRED)

    def test_after_the_end(self) -> None:
        """Who has left is not asked about, and an answer does no harm."""
        identity = FakeIdentity(is_prompt=False)
        client = self.connect(identity)
        _recheck(client)
        identity.answer()
        self.end(client)
        identity.answer()
        _recheck(client)
        self.assertEqual((client.frames, len(identity.asked)), ([], 2))

    def test_slow_reader(self) -> None:
        """Who is cut by the frame that tells of a refusal does not come back into a group."""
        identity = FakeIdentity()
        client = self.connect(identity)
        self.ask(client, {"a": [1, 2]})
        identity.denied = {"a-1"}
        client.stalled = True
        _recheck(client)
        self.assertEqual(client.closes[0][0], CloseCode.TRY_AGAIN_LATER)
        self.assertEqual(self.source.interests.wanted, set())


class PlanTests(SessionTestCase):
    """When it is looked at again."""

    def test_never(self) -> None:
        """By default not: no timer for an idle client."""
        client = self.connect(FakeIdentity())
        self.ask(client, {"a": [1]})
        self.assertEqual(self.clock.timers, [])

    def test_every(self) -> None:
        """Every so many seconds, if it is wanted."""
        identity = FakeIdentity()
        self.connect(identity, limits=Limits(subscribe_within=0, recheck_every=10))
        for times in (1, 2, 3):
            self.clock.advance(10)
            self.assertEqual(identity.asked, ["renew", []] * times)

    def test_whichever_comes_first(self) -> None:
        """Expiry does not wait for the next look."""
        limits = Limits(subscribe_within=0, recheck_every=10)
        client = self.connect(FakeIdentity(expires=15.0), limits=limits)
        self.clock.advance(10)
        self.assertEqual((client.closes, self.clock.timers), ([], [15.0]))
        self.clock.advance(5)
        self.assertEqual(client.closes, _EXPIRED)


class SubscribeTimeoutTests(SessionTestCase):
    """Who never subscribes takes a place from somebody who would."""

    def test_overdue(self) -> None:
        """protocol.md: 1008 policy; counted and reported."""
        client = self.connect(FakeIdentity(), limits=Limits(subscribe_within=30))
        self.receive(client, b"{}")
        self.clock.advance(29.9)
        self.assertEqual(client.closes, [])
        self.clock.advance(0.1)
        self.assertEqual(client.closes, [(CloseCode.POLICY, "no subscription in time")])
        self.assertEqual(self.reports, [("subscribe_timeout", "user 7", 0)])
        self.assertIn('towerws_limited_total{limit="subscribe_timeout"} 1', self.metrics.render())
        self.assertEqual(self.clock.timers, [])

    def test_in_time(self) -> None:
        """One subscription is enough, also one that waits for the broker."""
        self.source.is_prompt = False
        client = self.connect(FakeIdentity(), limits=Limits(subscribe_within=30))
        self.ask(client, {"a": [1]})
        self.assertEqual(self.clock.timers, [])

    def test_default(self) -> None:
        """Two minutes."""
        self.connect(FakeIdentity(), limits=Limits())
        self.assertEqual(self.clock.timers, [120])

    def test_not_authenticated(self) -> None:
        """Who is turned away is waited for no more."""
        self.connect(None, limits=Limits())
        self.assertEqual(self.clock.timers, [])

    def test_cut_by_the_greeting(self) -> None:
        """Who takes not even that is waited for no more."""
        client = FakeClient()
        client.stalled = True
        client.session = self.session(client, FakeIdentity(), Limits())
        client.session.start()
        self.assertEqual(client.closes[0][0], CloseCode.TRY_AGAIN_LATER)
        self.assertEqual(self.clock.timers, [])
