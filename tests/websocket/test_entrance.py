"""`towerws.websocket.entrance`: limits of addresses and users, and who is asked about."""

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import capturedLogs

from tests.auth.fakes import FakeUser
from tests.expressions import logged
from tests.raw_websocket import REQUEST
from tests.websocket.entrance_case import HOME, EntranceCase
from tests.websocket_pair import MemoryClient, MemoryTransport
from towerws.auth.errors import Unavailable
from towerws.auth.handshake import Handshake
from towerws.auth.interfaces import IUser
from towerws.core.quota import BURST
from towerws.websocket import handshake
from towerws.websocket.handshake import AUTHENTICATION_TIMEOUT

_ELSEWHERE = IPv4Address("TCP", "198.51.100.7", 40_000)


class AddressTests(EntranceCase):
    """Connections that come directly."""

    def test_connections(self) -> None:
        """As many as allowed from an address; when one leaves there is room again."""
        self.listen(max_connections_per_address=2)
        self.assertEqual([self.status() for _ in range(2)], [101, 101])
        first = self.wire
        with capturedLogs() as logs:
            self.assertEqual([self.status() for _ in range(3)], [429] * 3)
        self.assertEqual(self.body, b"Too many connections from this address.\n")
        self.assertEqual(self.status(_ELSEWHERE), 101)
        self.assertEqual(self.limited("connections_per_address"), 3)
        self.assertEqual(self.counted('towerws_handshakes_refused_total{status="429"}'), 3)
        (line,) = [line for line in logged(logs).splitlines() if "over the limit" in line]
        self.assertIn("connections_per_address: address 203.0.113.9", line)
        first.abortConnection()
        self.reactor.advance(0)
        self.assertEqual(self.status(), 101)

    def test_before_the_handshake(self) -> None:
        """Who says nothing counts as well, and who is over the limit is not waited for."""
        self.listen(max_connections_per_address=2)
        silent = [MemoryTransport(self.reactor, self.factory, HOME) for _ in range(4)]
        for wire in silent:
            wire.drain()
        self.assertEqual([wire.closed is None for wire in silent], [True, True, False, False])
        self.assertTrue(bytes(silent[2].taken).startswith(b"HTTP/1.1 429 "))
        self.assertIn(b"\r\nRetry-After: 10\r\n", silent[2].taken)
        self.reactor.advance(handshake.SEND_TIMEOUT + 1)
        self.reactor.advance(0)
        self.assertEqual(self.status(), 101)
        self.assertEqual(self.authenticator.shown[0].address, "203.0.113.9")

    def test_rate(self) -> None:
        """Who comes too often is refused before anybody is asked, with a line a minute."""
        self.listen(max_handshakes=2)
        statuses = []
        with capturedLogs() as logs:
            for _ in range(2 * BURST + 100):
                statuses.append(self.status())
                if self.wire.closed is None:
                    self.wire.abortConnection()
                    self.reactor.advance(0)
        self.assertEqual(statuses, [101] * 2 * BURST + [429] * 100)
        self.assertEqual(self.body, b"Too many connections a second from this address.\n")
        self.assertEqual(len(self.authenticator.shown), 2 * BURST)
        self.assertEqual(self.limited("handshakes"), 100)
        self.assertEqual(logged(logs).count("over the limit handshakes: address 203.0.113.9"), 1)
        self.assertEqual(self.status(_ELSEWHERE), 101)
        self.reactor.advance(0.5)
        self.assertEqual([self.status(), self.status()], [101, 429])
        self.assertEqual(self.factory.countConnections, 2)

    def test_blocks(self) -> None:
        """All addresses of an IPv6 network of 64 bits are one."""
        self.listen(max_connections_per_address=1)
        statuses = [
            self.status(IPv6Address("TCP", f"2001:db8:{network}::{host}", 1))
            for network, host in ((1, 1), (1, 2), (2, 1))
        ]
        self.assertEqual(statuses, [101, 429, 101])

    def test_this_machine(self) -> None:
        """Its own programs, and proxies on it, are not limited by address."""
        self.listen(max_connections_per_address=1, max_handshakes=1)
        for peer in (
            IPv4Address("TCP", "127.0.0.1", 1),
            IPv6Address("TCP", "::1", 1),
            IPv6Address("TCP", "::ffff:127.0.0.1", 1),
            UNIXAddress(None),
        ):
            self.assertEqual([self.status(peer) for _ in range(20)], [101] * 20)

    def test_no_limits(self) -> None:
        """Zero stands for none."""
        self.listen(max_connections_per_address=0, max_handshakes=0)
        self.assertEqual([self.status() for _ in range(50)], [101] * 50)

    def test_all_connections(self) -> None:
        """The limit of the server is counted like the others; its answer is a 503."""
        self.listen(max_connections=1)
        self.assertEqual([self.status(_ELSEWHERE), self.status()], [101, 503])
        self.assertEqual(self.body, b"All connections of this server are taken.\n")
        self.assertEqual(self.limited("connections"), 1)
        self.assertEqual(len(self.authenticator.shown), 1)


class UserTests(EntranceCase):
    """Connections of one user."""

    def _come(self, user: object) -> int:
        self.authenticator.answer = lambda: succeed(FakeUser(user=user))
        return self.status()

    def test_limit(self) -> None:
        """As many as allowed, whatever the type of the id; when one leaves there is room again."""
        self.listen(max_connections_per_user=2)
        self.assertEqual([self._come(7), self._come("7")], [101, 101])
        last = self.wire
        with capturedLogs() as logs:
            self.assertEqual([self._come(7), self._come(8)], [429, 101])
        self.assertIn("over the limit connections_per_user: user 7", logged(logs))
        self.assertEqual(self.limited("connections_per_user"), 1)
        last.abortConnection()
        self.reactor.advance(0)
        self.assertEqual([self._come(7), self._come(7)], [101, 429])
        self.assertEqual(self.body, b"This user has too many connections.\n")

    def test_nobody(self) -> None:
        """There may be any number of anonymous users, and of those who are nobody."""
        self.listen(max_connections_per_user=1)
        self.assertEqual([self._come(None) for _ in range(3)], [101] * 3)
        self.authenticator.answer = lambda: succeed(None)
        self.assertEqual([self.status() for _ in range(3)], [101] * 3)

    def test_guard(self) -> None:
        """Where everybody may connect, pages of names that are not ours may not."""
        self.listen(guard_rebinding=True, origins=frozenset({"http://ui.example:8051"}))
        rebound = REQUEST.replace(b"localhost:8051", b"evil.example:8051")
        rebound = rebound.replace(b"Upgrade: w", b"Origin: http://evil.example:8051\r\nUpgrade: w")
        self.assertTrue(self.exchange(rebound)[0].startswith(b"HTTP/1.1 403 "))
        named = rebound.replace(b"evil", b"ui")
        self.assertTrue(self.exchange(named)[0].startswith(b"HTTP/1.1 101 "))
        self.assertEqual(self.status(HOME, "Origin: http://localhost:8051"), 101)
        self.listen()
        self.assertTrue(self.exchange(rebound)[0].startswith(b"HTTP/1.1 101 "))


class UnavailableTests(EntranceCase):
    """Nobody can be asked who it is."""

    def test_answer(self) -> None:
        """The client is told to come back; the log has the reason, once a minute."""
        self.listen()
        self.authenticator.answer = lambda: fail(Unavailable("the backend is away"))
        with capturedLogs() as logs:
            statuses = [self.status() for _ in range(100)]
        self.assertEqual(statuses, [503] * 100)
        self.assertEqual(self.body, b"Nobody can be authenticated at the moment.\n")
        self.assertEqual(logged(logs).count("the backend is away"), 1)
        self.assertEqual(self.flushLoggedErrors(), [])
        self.reactor.advance(61)
        with capturedLogs() as logs:
            self.status()
        self.assertIn("the backend is away (99 such lines held back)", logged(logs))


class RevokedMeanwhileTests(EntranceCase):
    """A revocation comes while a client is being authenticated."""

    def setUp(self) -> None:
        """Let the test answer."""
        super().setUp()
        self.answers: list[Deferred[IUser | None]] = []
        self.authenticator.answer = self._ask
        self.listen()
        self.client_ = MemoryClient(self.reactor, self.factory).connect()

    def _ask(self) -> "Deferred[IUser | None]":
        self.answers.append(Deferred())
        return self.answers[-1]

    def _status(self) -> int | None:
        self.client_.pump()
        response = self.client_.response
        return None if response is None else response.status_code

    def test_asked_again(self) -> None:
        """What was found out of that user is not believed, but found out again."""
        self.factory.revoke("7", None)
        self.answers[0].callback(FakeUser())
        self.assertIsNone(self._status())
        self.answers[1].callback(FakeUser(user=8))
        self.assertEqual(self.client_.texts(), [b'{"accept": true, "user": 8}'])
        self.assertEqual(len(self.authenticator.shown), 2)
        self.assertIsInstance(self.authenticator.shown[1], Handshake)

    def test_again_and_again(self) -> None:
        """That is not repeated for ever."""
        for answer in range(2):
            self.factory.revoke("7", None)
            self.answers[answer].callback(FakeUser())
        self.assertEqual(self._status(), 503)
        self.assertEqual(len(self.answers), 2)

    def test_others(self) -> None:
        """A revocation of somebody else, or from before, changes nothing."""
        self.factory.revoke("8", None)
        self.answers[0].callback(FakeUser())
        self.assertEqual(self.client_.texts(), [b'{"accept": true, "user": 7}'])
        self.factory.revoke("7", None)
        self.client_ = MemoryClient(self.reactor, self.factory).connect()
        self.answers[1].callback(FakeUser())
        self.assertEqual(self.client_.texts(), [b'{"accept": true, "user": 7}'])

    def test_nobody(self) -> None:
        """Who is nobody, or anonymous, is not asked about again."""
        self.factory.revoke("None", None)
        self.answers[0].callback(FakeUser(user=None))
        self.assertEqual(self.client_.texts(), [b'{"accept": true, "user": null}'])

    def test_time(self) -> None:
        """Both questions together have the time of one."""
        self.reactor.advance(AUTHENTICATION_TIMEOUT - 0.5)
        self.factory.revoke("7", None)
        self.answers[0].callback(FakeUser())
        self.reactor.advance(0.4)
        self.assertIsNone(self._status())
        self.reactor.advance(0.2)
        self.assertEqual(self._status(), 503)
