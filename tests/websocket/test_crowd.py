"""`towerws.websocket.crowd`: what is done to all clients, at the pace that it is done."""

from functools import partial
from itertools import pairwise
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from websockets.typing import Subprotocol

from tests.auth.fakes import FakeUser
from tests.hubs import publish
from tests.websocket_pair import FakeAuthenticator, ListenerCase, MemoryClient
from towerws.core.wire import CloseCode
from towerws.websocket.crowd import COME_BACK_AFTER, RECHECK_SPREAD, STEP, Crowd
from towerws.websocket.turns import SLICE, Slices

_FAREWELL = (CloseCode.SERVICE_RESTART, "the server stops")


class _Protocol:
    """In place of a client's protocol: takes note of what is done to it, and how long that takes.

    Attributes:
        done: What was done, in order, and at what time.
    """

    def __init__(self, clock: Clock, takes: float = 0.0) -> None:
        self.done: list[tuple[object, ...]] = []
        self.at: float | None = None
        self._clock = clock
        self._takes = takes

    def _note(self, *what: object) -> None:
        self.done.append(what)
        self.at = self._clock.seconds()
        self._clock.rightNow += self._takes

    def recheck(self) -> None:
        """Take note."""
        self._note("recheck")

    def announce(self, after_ms: int) -> None:
        """Take note."""
        self._note("announce", after_ms)

    def finish(self, code: CloseCode, reason: str) -> None:
        """Take note."""
        self._note("finish", code, reason)

    def send_close(self, code: CloseCode, reason: str) -> None:
        """Take note."""
        self._note("close", code, reason)


class CrowdCase(SynchronousTestCase):
    """A test with a crowd."""

    def setUp(self) -> None:
        """Have nobody in it."""
        self.clock = Clock()
        self.crowd = Crowd(self.clock, Slices(self.clock), lambda: 0.5)

    def enter(self, count: int, takes: float = 0.0) -> list[_Protocol]:
        """Let clients in."""
        protocols: Any = [_Protocol(self.clock, takes) for _ in range(count)]
        for protocol in protocols:
            self.crowd.add(protocol)
        return list(protocols)

    def drain(self, seconds: float) -> Deferred[None]:
        """Send all away."""
        return self.crowd.drain(seconds, *_FAREWELL)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, a step at a time."""
        for _ in range(round(seconds / STEP)):
            self.clock.advance(STEP)


class RecheckTests(CrowdCase):
    """Looking again at everybody."""

    def count(self, protocols: list[_Protocol]) -> int:
        """Tell how often they were looked at, all together."""
        return sum(len(protocol.done) for protocol in protocols)

    def test_spread(self) -> None:
        """Many are looked at over some time, evenly, each once."""
        protocols = self.enter(3000)
        self.crowd.recheck_all()
        self.assertEqual(self.count(protocols), 10)
        self.pass_time(RECHECK_SPREAD / 2)
        self.assertEqual(self.count(protocols), 10 + 1500)
        self.pass_time(RECHECK_SPREAD / 2)
        self.assertEqual([protocol.done for protocol in protocols], [[("recheck",)]] * 3000)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_meanwhile(self) -> None:
        """Once more meanwhile, it begins anew with all, and no faster."""
        protocols = self.enter(3000)
        self.crowd.recheck_all()
        self.pass_time(1)
        seen = self.count(protocols)
        self.assertEqual(seen, 110)
        self.crowd.recheck_all()
        self.assertEqual(self.count(protocols), seen)
        self.pass_time(RECHECK_SPREAD)
        self.assertEqual(self.count(protocols), seen + 3000)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_nobody(self) -> None:
        """Without clients there is nothing to do."""
        self.crowd.recheck_all()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class DrainTests(CrowdCase):
    """Sending everybody away."""

    def gone(self, protocols: list[_Protocol]) -> int:
        """Tell how many have been sent away."""
        return sum(bool(protocol.done) for protocol in protocols)

    def test_each(self) -> None:
        """A client hears when to come back, and then the Close that waits for all before it."""
        (protocol,) = self.enter(1)
        drained = self.drain(10)
        # Nobody is kept waiting for the sake of a crowd that is not there.
        self.successResultOf(drained)
        self.assertEqual(protocol.done, [("announce", 2500), ("finish", *_FAREWELL)])

    def test_spread(self) -> None:
        """Many go evenly over the time, each once."""
        protocols = self.enter(1000)
        drained = self.drain(10)
        self.assertEqual(self.gone(protocols), 10)
        self.pass_time(5)
        self.assertEqual(self.gone(protocols), 510)
        self.assertNoResult(drained)
        self.pass_time(4.9)
        self.successResultOf(drained)
        self.assertEqual({len(protocol.done) for protocol in protocols}, {2})
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_few(self) -> None:
        """A few go faster than that, one after the other."""
        protocols = self.enter(3)
        drained = self.drain(10)
        self.pass_time(2 * STEP)
        self.successResultOf(drained)
        times = sorted(protocol.at or 0.0 for protocol in protocols)
        for earlier, later in pairwise(times):
            self.assertAlmostEqual(later - earlier, STEP)

    def test_at_once(self) -> None:
        """With no time all go at once; but no turn of the reactor is long."""
        for seconds in (0, STEP / 2):
            protocols = self.enter(100)
            self.successResultOf(self.drain(seconds))
            self.assertEqual(self.gone(protocols), 100)
            self.setUp()
        protocols = self.enter(4, takes=SLICE / 4)
        drained = self.drain(0)
        self.assertEqual(self.gone(protocols), 2)
        self.assertNoResult(drained)
        self.clock.advance(0)
        self.successResultOf(drained)
        self.assertEqual(self.gone(protocols), 4)

    def test_nobody(self) -> None:
        """Nobody is waited for."""
        self.successResultOf(self.drain(10))

    def test_newcomers(self) -> None:
        """Whose handshake was under way leaves behind the others."""
        protocols = self.enter(2)
        drained = self.drain(10)
        late = self.enter(1)
        self.pass_time(STEP)
        self.assertEqual((self.gone(protocols), self.gone(late)), (2, 0))
        self.assertNoResult(drained)
        self.pass_time(STEP)
        self.successResultOf(drained)
        self.assertEqual(late[0].done[1], ("finish", *_FAREWELL))

    def test_many_newcomers(self) -> None:
        """However many they are, the end is not put off by more than the time for all."""
        self.enter(2)
        drained = self.drain(10)
        late = self.enter(1000)
        self.pass_time(10)
        self.successResultOf(drained)
        self.assertEqual(self.gone(late), 1000)

    def test_cancelled(self) -> None:
        """When it is cancelled the others stay, and nothing more happens."""
        protocols = self.enter(2)
        drained = self.drain(10)
        drained.cancel()
        self.failureResultOf(drained, CancelledError)
        self.assertEqual(self.gone(protocols), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_random(self) -> None:
        """Each comes back at a time of its own, from the shortest to the longest."""
        for number, expected in zip((0.0, 0.9999), COME_BACK_AFTER, strict=True):
            self.crowd = Crowd(self.clock, Slices(self.clock), partial(float, number))
            (protocol,) = self.enter(1)
            self.drain(10)
            self.assertAlmostEqual(protocol.done[0][1], expected, delta=1)


class CloseAllTests(CrowdCase):
    """Closing all connections."""

    def test_all(self) -> None:
        """Each is told when to come back, and closed at once."""
        protocols = self.enter(100)
        self.successResultOf(self.crowd.close_all(*_FAREWELL))
        for protocol in protocols:
            self.assertEqual(protocol.done, [("announce", 2500), ("close", *_FAREWELL)])

    def test_slices(self) -> None:
        """No turn of the reactor is long, however many there are."""
        protocols = self.enter(4, takes=SLICE / 4)
        closed = self.crowd.close_all(*_FAREWELL)
        self.assertEqual(sum(bool(protocol.done) for protocol in protocols), 2)
        self.assertNoResult(closed)
        self.clock.advance(0)
        self.successResultOf(closed)

    def test_gone(self) -> None:
        """Who has left is not told anything."""
        (protocol,) = self.enter(1)
        gone: Any = protocol
        self.crowd.discard(gone)
        self.successResultOf(self.crowd.close_all(*_FAREWELL))
        self.assertEqual(protocol.done, [])


class ClientsTests(ListenerCase):
    """With real clients."""

    def test_recheck(self) -> None:
        """Who may not be here any more is closed; the others stay."""
        stays, goes = FakeUser(), FakeUser(renewed=lambda: None)
        users = [stays, goes]
        self.listener(FakeAuthenticator(lambda: succeed(users.pop(0))))
        clients = [MemoryClient(self.reactor, self.factory).connect() for _ in range(2)]
        self.factory.crowd.recheck_all()
        self.reactor.advance(STEP)
        for client in clients:
            client.pump()
        self.assertEqual([client.close_code for client in clients], [None, 4401])

    def test_drain(self) -> None:
        """Until its turn comes a client is served, and then it is closed with 1012."""
        self.listener()
        clients = [self.subscriber("jobs-1") for _ in range(3)]
        self.factory.crowd.drain(10, *_FAREWELL)
        publish(self.hub, ("jobs-1", b'{"n": 1}'))
        texts = [client.texts() for client in clients]
        self.assertEqual(sorted(texts), [[], [b'{"n": 1}'], [b'{"n": 1}']])
        self.reactor.pump([STEP] * 2)
        for client in clients:
            client.pump()
        self.assertEqual([client.close_code for client in clients], [1012] * 3)
        self.assertEqual(self.counted('towerws_connections_closed_total{cause="1012"}'), 3)

    def test_slow_reader(self) -> None:
        """What waits for a client that reads slowly comes before the Close, nothing behind it."""
        self.listener()
        client = self.subscriber("jobs-1")
        client.wire.stalled = True
        event = b'{"x": "' + b"x" * 100_000 + b'"}'
        for _ in range(3):
            publish(self.hub, ("jobs-1", event))
        self.factory.crowd.drain(0, *_FAREWELL)
        publish(self.hub, ("jobs-1", b'{"n": 2}'))
        self.assertEqual(client.texts(), [])
        self.assertIsNone(client.close_code)
        client.wire.stalled = False
        self.assertEqual(client.texts(), [event] * 3)
        self.assertEqual(client.close_code, 1012)

    def test_told(self) -> None:
        """A client of profile "towerws.v1" is told when to come back, whichever way it goes."""
        for goes in ("drain", "close_all"):
            self.listener()
            client = MemoryClient(self.reactor, self.factory)
            client.protocol.available_subprotocols = [Subprotocol("towerws.v1")]
            client.connect()
            client.texts()
            if goes == "drain":
                self.factory.crowd.drain(0, *_FAREWELL)
            else:
                self.factory.crowd.close_all(*_FAREWELL)
            (told,) = client.texts()
            self.assertRegex(told.decode(), r'^\{"reconnect": \{"after_ms": [0-9]{3,4}\}\}$')
            self.assertEqual(client.close_code, 1012)
