"""`towerws.feeds.interfaces`: what the bridge promises to a feed, whatever that does."""

from collections.abc import Callable, Collection, Hashable

from twisted.internet.defer import Deferred

from tests.bridge_case import LOST, REFUSED, BridgeCase
from tests.fake_broker import delivery
from towerws.amqp.client import Client
from towerws.amqp.deliveries import Delivery
from towerws.amqp_bridge import BridgeSettings
from towerws.core.metrics import Metrics


class _Diary:
    """A feed that writes down what it is told.

    Attributes:
        entries: What it was told, in order.
        begun: What the next `begin` waits for.
        drained: What the next `drain` waits for.
    """

    def __init__(self) -> None:
        self.entries: list[object] = []
        self.begun: Deferred[None] = Deferred()
        self.drained: Deferred[None] = Deferred()

    def interest(self, started: Collection[str], ended: Collection[str]) -> None:
        """Write it down."""
        self.entries.append((started, ended))

    def when_in_force(
        self, waiter: Hashable, names: Collection[str], callback: Callable[[], None]
    ) -> None:
        """Write it down."""
        self.entries.append((waiter, names, callback))

    def forget(self, waiter: Hashable) -> None:
        """Write it down."""
        self.entries.append(waiter)

    async def begin(self, client: Client) -> None:
        """Write it down, and wait."""
        self.entries.append("begin")
        await self.begun

    def serving(self) -> None:
        """Write it down."""
        self.entries.append("serving")

    def delivered(self, deliveries: list[Delivery]) -> None:
        """Write it down."""
        self.entries.append(f"{len(deliveries)} delivered")

    def lost(self) -> None:
        """Write it down, and let the next one wait."""
        self.entries.append("lost")
        self.begun = Deferred()

    async def drain(self) -> None:
        """Write it down, and wait."""
        self.entries.append("drain")
        await self.drained


class FeedTests(BridgeCase):
    """Which calls a feed gets, in which order."""

    def setUp(self) -> None:
        """Start a bridge with a feed that can be read."""
        super().setUp()
        self.diary = _Diary()
        self.bridge = self.make_bridge(self.diary, BridgeSettings(), Metrics())
        self.bridge._retry_delay = self._delay
        self.bridge.startService()

    def _serve(self) -> None:
        self.accept()
        self.diary.begun.callback(None)

    def test_connections(self) -> None:
        """One connection after the other, each with its end, also those that came to nothing."""
        self.accept().lose(LOST)
        self.diary.begun.errback(LOST)
        self._serve()
        self.assertIsNone(self.bridge.unready())
        self.attempts[-1].deliver(delivery(1), delivery(2))
        self.consuming().lose(LOST)
        self.clock.advance(1)
        self.attempts[-1].outcome.errback(REFUSED)
        self._serve()
        once = ["begin", "lost", "begin", "serving", "2 delivered", "lost", "begin", "serving"]
        self.assertEqual(self.diary.entries, once)

    def test_ready_before_it_serves(self) -> None:
        """Who is promised something may ask whether the server is ready."""
        states: list[object] = []
        self.diary.serving = lambda: states.append(self.bridge.unready())  # type: ignore[method-assign]
        self._serve()
        self.assertEqual(states, [None])

    def test_stopped(self) -> None:
        """A connection that is given up while it is prepared is one that is lost."""
        self.accept()
        self.bridge.stopService()
        self.assertEqual(self.diary.entries, ["begin", "lost"])

    def test_source(self) -> None:
        """What the hub says and asks is the feed's affair, connected or not."""

        def nothing() -> None:
            pass

        self.bridge.interest({"a"}, {"b"})
        self.bridge.when_in_force(1, {"a"}, nothing)
        self.bridge.forget(1)
        self.assertEqual(self.diary.entries, [({"a"}, {"b"}), (1, {"a"}, nothing), 1])

    def test_drained(self) -> None:
        """It is drained while there is a connection, and nothing is emitted any more."""
        self._serve()
        drained = self.bridge.drain()
        self.assertEqual(self.diary.entries[-1], "drain")
        self.assertEqual(self.bridge.unready(), "the server stops")
        self.attempts[-1].deliver(delivery(1))
        self.assertNoResult(drained)
        self.diary.drained.callback(None)
        self.successResultOf(drained)
        self.assertEqual(self.consuming().closings, [])
        self.successResultOf(self.bridge.stopService())
        self.assertEqual(self.diary.entries[2:], ["drain", "1 delivered", "lost"])

    def test_lost_while_draining(self) -> None:
        """Nothing is begun anew then."""
        self._serve()
        self.bridge.drain()
        self.consuming().lose(LOST)
        self.clock.advance(60)
        self.assertEqual(self.diary.entries, ["begin", "serving", "drain", "lost"])
        self.assertEqual(len(self.attempts), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_not_drained(self) -> None:
        """Without a connection in service there is nothing to be drained, nor to be opened."""
        self.accept()
        self.successResultOf(self.bridge.drain())
        self.clock.advance(60)
        self.assertEqual(self.diary.entries, ["begin", "lost"])
        self.assertEqual(len(self.attempts), 1)
        self.successResultOf(self.bridge.stopService())
        self.bridge.startService()
        self._serve()
        self.assertIsNone(self.bridge.unready())
        self.consuming().lose(LOST)
        self.clock.advance(1)
        self.assertEqual(len(self.attempts), 3)
