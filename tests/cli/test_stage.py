"""Processes and a listener that end together."""

import io
import signal
import socket
import sys
from contextlib import closing

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.cli.memory import Network, ProcessInMemory
from tests.client.ears import Ears
from tests.client.memory import ACCEPT, end
from towerws.cli import stage
from towerws.cli.errors import CommandError
from towerws.cli.stage import LateError, Stage, free_ports, is_free
from towerws.client import Target


class StageTests(SynchronousTestCase):
    """`Stage` notices when a part fails, and clears up."""

    def setUp(self) -> None:
        """Have an empty stage."""
        self.network = Network(self)
        self.reactor = self.network.reactor
        self.stderr = io.StringIO()
        self.patch(sys, "stderr", self.stderr)
        self.stage = Stage(self.reactor)
        self.ears = Ears()
        self.addCleanup(lambda: end(Deferred.fromCoroutine(self.stage.clear())))

    def start(self, name: str = "server", *, lasts: bool = True) -> ProcessInMemory:
        """Start a process."""
        self.stage.start(name, "-m", name, lasts=lasts)
        return self.reactor.processes[-1]

    def wait_for(self, event: Deferred[int], seconds: float | None = None) -> Deferred[int]:
        """Wait for something."""
        waiting = Deferred.fromCoroutine(self.stage.wait_for(event, seconds, "the wonder"))
        self.addCleanup(end, waiting)
        return waiting

    def test_wait(self) -> None:
        """What was waited for is returned, and leaves no timer behind."""
        event: Deferred[int] = Deferred()
        waiting = self.wait_for(event, 5)
        self.assertNoResult(waiting)
        event.callback(7)
        self.assertEqual(self.successResultOf(waiting), 7)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_late(self) -> None:
        """What takes too long is given up, and may happen later without harm."""
        event: Deferred[int] = Deferred()
        waiting = self.wait_for(event, 5)
        self.reactor.advance(5)
        error = self.failureResultOf(waiting, LateError).value
        self.assertEqual(str(error), "the wonder takes longer than 5 s")
        event.callback(7)

    def test_event_fails(self) -> None:
        """What was waited for may fail by itself."""
        event: Deferred[int] = Deferred()
        waiting = self.wait_for(event, 5)
        event.errback(Failure(ZeroDivisionError()))
        self.failureResultOf(waiting, ZeroDivisionError)

    def test_process_ends_meanwhile(self) -> None:
        """A process that should last ends the wait with its last words."""
        process = self.start()
        waiting = self.wait_for(Deferred())
        process.write(b"working\nport in use\x1b[2J\n")
        process.end(1)
        error = self.failureResultOf(waiting, CommandError).value
        self.assertEqual(str(error), "the server ended with status 1: port in use\\x1b[2J")

    def test_process_interrupted(self) -> None:
        """A terminal sends Ctrl-C to all its processes: who ends of it is not in trouble."""
        self.start("server").end(signal=signal.SIGINT)
        self.failureResultOf(self.wait_for(Deferred()), CancelledError)
        self.setUp()
        self.start("replay").end(130)
        self.failureResultOf(self.wait_for(Deferred()), CancelledError)

    def test_process_ended_before(self) -> None:
        """Trouble is not forgotten when nobody waits; the first counts."""
        first, second = self.start("server"), self.start("replay")
        first.end(0)
        second.end(3)
        error = self.failureResultOf(self.wait_for(Deferred()), CommandError).value
        self.assertEqual(str(error), "the server ended with status 0: no word")

    def test_process_that_need_not_last(self) -> None:
        """The good end of a process that was to end is no trouble; a bad one is."""
        self.start("replay", lasts=False).end(0)
        waiting = self.wait_for(Deferred())
        self.assertNoResult(waiting)
        self.start("replay", lasts=False).end(1)
        self.failureResultOf(waiting, CommandError)

    def test_process_waited_for_when_another_ends(self) -> None:
        """A process may end although the wait for its end is over."""
        self.start("server")
        child = self.stage.start("replay", "-m", "replay", lasts=False)
        waiting = self.wait_for(child.ended())
        self.reactor.processes[0].end(1)
        self.failureResultOf(waiting, CommandError)
        self.reactor.processes[1].end(0)

    def test_listener(self) -> None:
        """The audience hears the server."""
        self.stage.listen(Target.parse("ws+unix:///a"), ["a-b"], self.ears)
        self.network.accept().send(ACCEPT, b'{"a": 1}')
        self.assertEqual(self.ears.events, [b'{"a": 1}'])

    def test_listener_refused(self) -> None:
        """A server that refuses us is trouble, in one sentence."""
        self.stage.listen(Target.parse("ws+unix:///a"), ["a-b"], self.ears)
        self.network.accept().send(b'{"close": true}')
        error = self.failureResultOf(self.wait_for(Deferred()), CommandError).value
        self.assertIn("does not know us", str(error))

    def test_audience_fails(self) -> None:
        """What the audience raises comes out as it is."""
        self.ears.fault = BrokenPipeError()
        self.stage.listen(Target.parse("ws+unix:///a"), ["a-b"], self.ears)
        waiting = self.wait_for(Deferred())
        self.network.accept().send(ACCEPT, b'{"a": 1}')
        self.failureResultOf(waiting, BrokenPipeError)

    def test_accepting(self) -> None:
        """A port is tried until somebody accepts; that connection is closed."""
        accepting = Deferred.fromCoroutine(self.stage.accepting(8052))
        for attempt in range(1, 4):
            self.assertEqual(self.network.attempts, attempt)
            self.network.refuse()
            self.reactor.advance(1)
        self.assertEqual(self.reactor.tcpClients[-1][:2], ("127.0.0.1", 8052))
        transport = self.network.accept_silently()
        self.successResultOf(accepting)
        self.assertTrue(transport.disconnecting)

    def test_clear(self) -> None:
        """The listener says goodbye, then the processes end, the last one first."""
        first, second = self.start("server"), self.start("replay")
        second.deadly = set()
        self.stage.listen(Target.parse("ws+unix:///a"), ["a-b"], self.ears)
        server = self.network.accept()
        clearing = Deferred.fromCoroutine(self.stage.clear())
        self.assertEqual(second.signals, [])
        server.pump.flush()
        self.assertEqual(server.closed, 1000)
        self.assertEqual((first.signals, second.signals), ([], ["TERM"]))
        second.end(0)
        self.successResultOf(clearing)
        self.assertEqual(first.signals, ["TERM"])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_cancelled(self) -> None:
        """A wait may be cancelled."""
        waiting = self.wait_for(Deferred(), 5)
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_show_logs(self) -> None:
        """What the processes wrote is shown, harmless to a terminal."""
        self.start("server").write(b"one\n\x1b[2J\xff\n")
        self.stage.show_logs()
        self.assertEqual(
            self.stderr.getvalue(), "--- what the server wrote ---\none\n\\x1b[2J\ufffd\n"
        )


class PortTests(SynchronousTestCase):
    """Ports on loopback."""

    def test_is_free(self) -> None:
        """A port on which somebody listens is not free."""
        with closing(socket.create_server(("127.0.0.1", 0))) as listening:
            port = listening.getsockname()[1]
            self.assertFalse(is_free(port))
        self.assertTrue(is_free(port))

    def test_free_ports(self) -> None:
        """Free ports are different."""
        ports = free_ports(3)
        self.assertEqual(len(set(ports)), 3)
        self.assertTrue(all(is_free(port) for port in ports))

    def test_none(self) -> None:
        """Having none is told."""
        self.patch(stage, "is_free", lambda port: False)
        error = self.assertRaises(CommandError, free_ports, 2)
        self.assertEqual(str(error), "no 2 free ports on 127.0.0.1")
