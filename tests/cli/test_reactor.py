"""Coroutines of commands in the reactor."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver, LogEvent, Logger, LogLevel, eventAsText
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.cli.memory import CommandReactor
from towerws.cli import reactor
from towerws.cli.errors import CommandError
from towerws.cli.reactor import run_in_reactor


class RunInReactorTests(SynchronousTestCase):
    """`run_in_reactor` hands out what the coroutine does."""

    def setUp(self) -> None:
        """Leave trial's logging alone."""
        self.patch(reactor, "_show_faults", lambda: None)

    def test_result(self) -> None:
        """What the coroutine returns is the status."""

        async def body(reactor: Any) -> int:
            return 7

        self.assertEqual(run_in_reactor(body, _reactor=CommandReactor()), 7)

    def test_error(self) -> None:
        """What it raises comes out as it is."""

        async def body(reactor: Any) -> int:
            raise CommandError("away")

        self.assertRaises(CommandError, run_in_reactor, body, _reactor=CommandReactor())

    def test_signal(self) -> None:
        """A signal cancels the coroutine, and its end is waited for."""
        goodbye: Deferred[None] = Deferred()

        async def body(reactor: Any) -> int:
            try:
                await Deferred()
            finally:
                reactor.callLater(0, goodbye.callback, None)
                reactor.advance(0)
                await goodbye
            return 0

        self.assertEqual(run_in_reactor(body, _reactor=CommandReactor()), 130)
        self.assertTrue(goodbye.called)

    def test_signal_as_usual_end(self) -> None:
        """A coroutine may take a signal for a good end."""

        async def body(reactor: Any) -> int:
            never: Deferred[int] = Deferred(lambda waiting: waiting.callback(0))
            return await never

        self.assertEqual(run_in_reactor(body, _reactor=CommandReactor()), 0)


class FaultsTests(SynchronousTestCase):
    """What Twisted logs is shown when it is a fault."""

    def test_levels(self) -> None:
        """Errors are shown; warnings are not, nor what Autobahn says of connections."""
        shown: list[str] = []

        @implementer(ILogObserver)
        def show(event: LogEvent) -> None:
            shown.append(eventAsText(event))

        faults = reactor.faults_only(show)
        for namespace, level in (
            ("twisted.internet", LogLevel.error),
            ("twisted.internet", LogLevel.warn),
            ("autobahn.websocket", LogLevel.error),
            ("autobahn.websocket", LogLevel.critical),
        ):
            Logger(namespace, observer=faults).emit(level, "{n} {l}", n=namespace, l=level.name)
        self.assertEqual(len(shown), 2)
        self.assertIn("twisted.internet error", shown[0])
        self.assertIn("autobahn.websocket critical", shown[1])
