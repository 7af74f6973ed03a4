"""A listener in memory, and what must be left when a client of whatever kind is gone."""

from collections.abc import Sequence

from twisted.internet.error import ConnectionLost
from twisted.logger import LogLevel, capturedLogs
from twisted.python.failure import Failure

from tests.expressions import logged
from tests.websocket_pair import ListenerCase, MemoryTransport

#: Longer than any timeout of a connection, in seconds.
LONG = 100


class OutsideCase(ListenerCase):
    """A test in which something comes from outside."""

    def converse(self, pieces: Sequence[bytes]) -> tuple[bytes, bool]:
        """Connect, send, wait, and leave; check that nothing stays and nothing is in the log.

        Args:
            pieces: What is sent, read by read.

        Returns:
            What the server sent, and whether it has closed the connection by itself.
        """
        with capturedLogs() as logs:
            wire = MemoryTransport(self.reactor, self.factory)
            for piece in pieces:
                wire.deliver(piece)
                wire.drain()
                self.reactor.advance(0)
            wire.drain()
            answer = bytes(wire.taken)
            closed = wire.closed is not None
            wire.connectionLost(Failure(ConnectionLost()))
            # Timeouts are cancelled without a search: what they run out of is empty by then.
            self.reactor.pump([0, 0, LONG])
        self.check_nothing_left()
        errors = [event for event in logs if event["log_level"] >= LogLevel.error]
        self.assertEqual(errors, [], logged(errors))
        return answer, closed

    def check_nothing_left(self) -> None:
        """Make sure that no connection, subscription, reader, writer or timer is left."""
        self.assertEqual(len(self.factory.crowd.connections), 0)
        self.assertEqual(vars(self.factory.entrance.roster)["_connections"], {})
        self.assertEqual(self.counted("towerws_groups"), 0)
        self.assertEqual(self.hub._subscriptions.connections, set())
        self.assertEqual((self.reactor.getReaders(), self.reactor.getWriters()), ([], []))
        self.assertEqual(self.reactor.getDelayedCalls(), [])
