"""`towerws.factory`: limits, timeouts and counters of a listener."""

import gc
from typing import Any

from twisted.internet.defer import succeed
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from tests.auth.fakes import FakeUser
from tests.hubs import publish
from tests.raw_websocket import REQUEST, frame
from tests.websocket_pair import FakeAuthenticator, ListenerCase, MemoryClient
from towerws.core.limits import Limits
from towerws.core.patterns import Patterns
from towerws.websocket.timeouts import GRAIN
from towerws.websocket.turns import FULL_COLLECTION, SLICE


class OriginTests(ListenerCase):
    """Which pages may connect, through the whole handshake."""

    def _status(self, *origins: str) -> int:
        lines = "".join(f"Origin: {origin}\r\n" for origin in origins).encode()
        response, wire = self.exchange(REQUEST.replace(b"Upgrade: w", lines + b"Upgrade: w"))
        wire.connectionLost(Failure(ConnectionDone()))
        return int(response.split()[1])

    def test_by_default(self) -> None:
        """Only pages of the host that the client asked for, as its Host header says it."""
        self.listener()
        self.assertEqual(self._status("http://localhost:8051"), 101)
        self.assertEqual(self._status("http://localhost"), 403)
        self.assertEqual(self._status("http://evil.example"), 403)
        self.assertEqual(self._status("null"), 403)
        self.assertEqual(self._status("http://evil.example", "http://localhost:8051"), 400)
        for nonsense in ("file:///etc/passwd", "garbage", "http://", "http://a:b"):
            self.assertIn(self._status(nonsense), (400, 403), nonsense)

    def test_allowed_ones(self) -> None:
        """Origins of the operator's list, in the form that browsers send."""
        self.listener(origins=frozenset({"https://ui.example", "null"}))
        for origin in ("https://ui.example", "null", "http://localhost:8051"):
            self.assertEqual(self._status(origin), 101, origin)
        self.assertEqual(self._status("https://ui.example:8443"), 403)


class KeepaliveTests(ListenerCase):
    """Pings find dead peers, and keep proxies from cutting live ones."""

    def setUp(self) -> None:
        """Connect a client."""
        super().setUp()
        self.listener()
        self.peer = self.subscriber("jobs-1")

    def test_ping(self) -> None:
        """After 20 s a Ping goes out, and again after the next 20 s."""
        for count in (1, 2, 3):
            self.reactor.advance(19)
            self.peer.pump()
            self.assertEqual(len(self.peer.pings), count - 1)
            self.reactor.advance(1)
            self.peer.pump()
            self.assertEqual(len(self.peer.pings), count)
        self.assertIsNone(self.peer.wire.closed)

    def test_not_early(self) -> None:
        """A Ping does not go out before its time, and hardly later, at whatever fraction it is."""
        self.reactor.advance(0.55)
        client = self.client()
        self.reactor.advance(19.9)
        client.pump()
        self.assertEqual(client.pings, [])
        self.reactor.advance(0.1 + GRAIN)
        client.pump()
        self.assertEqual(len(client.pings), 1)

    def test_dead_peer(self) -> None:
        """Whoever does not answer for 30 s more is dropped, and its groups with it."""
        self.peer.silent = True
        self.reactor.advance(20)
        self.peer.pump()
        self.reactor.advance(29)
        self.assertIsNone(self.peer.wire.closed)
        self.reactor.advance(1)
        self.reactor.advance(0)
        self.assertIsNotNone(self.peer.wire.closed)
        self.assertEqual(self.counted("towerws_connections"), 0)
        self.assertEqual(self.counted("towerws_groups"), 0)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_data_are_an_answer(self) -> None:
        """A peer that sends messages is alive, even if its Pong is stuck behind them."""
        self.peer.silent = True
        for _ in range(10):
            self.reactor.advance(20)
            self.peer.pump()
            self.peer.wire.deliver(frame(0x81, b"{}"))
        self.reactor.advance(0)
        self.assertIsNone(self.peer.wire.closed)

    def test_leaving_stops_the_clocks(self) -> None:
        """No timer stays behind a client that is gone, before and after a Ping."""
        for seconds in (0, 25):
            client = self.client()
            client.silent = True
            self.reactor.advance(seconds)
            client.leave()
        self.peer.leave()
        self.assertEqual(self.reactor.getDelayedCalls(), [])


class StartTests(ListenerCase):
    """What the first listener does for all that are to come."""

    def test_turns(self) -> None:
        """The turns of the reactor are made short."""
        self.addCleanup(gc.set_threshold, *gc.get_threshold())
        self.listener().doStart()
        self.assertEqual(gc.get_threshold()[2], FULL_COLLECTION)


class RevokeTests(ListenerCase):
    """Taking access away from users."""

    def setUp(self) -> None:
        """Connect two clients of one user, and one of another."""
        super().setUp()
        self.users: list[FakeUser] = []
        self.listener(FakeAuthenticator(self._next_user))
        self.user: object = 7
        self.first, self.second = self._subscriber(1), self._subscriber(2)
        self.user = "8"
        self.other = self._subscriber(1)

    def _next_user(self) -> Any:
        self.users.append(FakeUser(user=self.user))
        return succeed(self.users[-1])

    def _subscriber(self, job: int) -> MemoryClient:
        client = MemoryClient(self.reactor, self.factory).connect()
        client.send(f'{{"groups": {{"jobs": [{job}]}}}}')
        self.assertIn(b"groups_joined", client.texts()[1])
        return client

    def test_connections(self) -> None:
        """All connections of the user are closed, and no others."""
        self.assertEqual(self.factory.revoke("7", None), 2)
        for client in (self.first, self.second):
            client.pump()
            self.assertEqual(client.close_code, 1008)
            assert client.protocol.close_rcvd is not None
            self.assertEqual(client.protocol.close_rcvd.reason, "access was revoked")
        publish(self.hub, ("jobs-1", b"{}"))
        self.assertEqual(self.other.texts(), [b"{}"])
        self.assertEqual(self.factory.revoke("7", None), 0)

    def test_groups(self) -> None:
        """Only those who are in the groups lose anything; what is known of all is asked anew."""
        renewed: list[FakeUser] = []

        def renew(user: FakeUser) -> FakeUser:
            renewed.append(user)
            return user

        self.patch(FakeUser, "renew", renew)
        self.assertEqual(self.factory.revoke("7", Patterns(["jobs-1", "x-*"])), 1)
        self.assertIn(b"access denied to channel jobs for resource id 1", self.first.texts()[0])
        self.assertEqual(self.second.texts(), [])
        self.assertEqual(renewed, self.users[:2])
        publish(self.hub, ("jobs-1", b"{}"), ("jobs-2", b"[]"))
        self.assertEqual(self.first.texts(), [])
        self.assertEqual(self.second.texts(), [b"[]"])
        self.assertEqual(self.other.texts(), [b"{}"])

    def test_nobody(self) -> None:
        """A user who is not here has nothing to lose."""
        self.assertEqual(self.factory.revoke("9", None), 0)
        self.assertEqual(self.factory.revoke("9", Patterns(["*"])), 0)

    def test_in_slices(self) -> None:
        """However many there are, no turn of the reactor is long; all are counted."""
        closed = self.factory.protocol.send_close

        def slow(protocol: Any, code: int, reason: str) -> None:
            self.reactor.rightNow += SLICE
            closed(protocol, code, reason)

        self.patch(self.factory.protocol, "send_close", slow)
        self.assertEqual(self.factory.revoke("7", None), 2)
        codes = []
        for client in (self.first, self.second):
            client.wire.drain()
            codes.append(b"access was revoked" in client.wire.taken)
        self.assertEqual(codes, [True, False])
        self.reactor.advance(0)
        self.second.pump()
        self.assertEqual(self.second.close_code, 1008)

    def test_nothing_stays(self) -> None:
        """Who has left is not in the roster."""
        for client in (self.first, self.second, self.other):
            client.leave()
        self.assertEqual(self.factory.revoke("7", None), 0)
        self.assertEqual(self.factory.entrance.roster._connections, {})


class LimitTests(ListenerCase):
    """Limits of the session arrive at the session."""

    def test_groups(self) -> None:
        """More groups than allowed are refused, and who insists is closed with 1008."""
        self.listener(limits=Limits(groups=2, strikes=3))
        client = self.client()
        for _ in range(3):
            client.send('{"groups": {"jobs": [1, 2, 3]}}')
        self.assertEqual(client.texts(), [b'{"error": "3 groups are too many: 2 are allowed"}'] * 3)
        self.assertEqual(client.close_code, 1008)
        self.assertEqual(self.counted("towerws_connections"), 0)
