"""`towerws.sources`."""

from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from tests.revoking import Revoking
from towerws.amqp_bridge import AMQPBridge
from towerws.core.hub import Hub
from towerws.core.metrics import Metrics
from towerws.core.positions import LocalPositions, StreamPositions
from towerws.embedded import EmbeddedSource
from towerws.feeds.archive import StreamArchive
from towerws.feeds.classic import ClassicFeed
from towerws.feeds.stream import StreamFeed
from towerws.options import Options
from towerws.sources import attach_source, make_hub

_BROKER = "--broker=amqp://one,two/"


class SourceTests(SynchronousTestCase):
    """Which source a command line gives, and which history."""

    def make(self, *arguments: str) -> tuple[Hub, EmbeddedSource | AMQPBridge]:
        """Make hub and source of a command line."""
        self.options = Options({})
        self.options.parseOptions(list(arguments))
        self.reactor = MemoryReactorClock()
        self.metrics = Metrics()
        hub = make_hub(self.options, self.metrics, self.reactor.seconds)
        source = attach_source(
            self.options,
            hub,
            Revoking(self.metrics, self.reactor).revocations,
            self.metrics,
            self.reactor,
            on_resumed=lambda: None,
            emits=True,
        )
        self.assertIs(hub._source, source)
        return hub, source

    def feed(self, source: object) -> Any:
        """Give what a bridge does with its connections."""
        assert isinstance(source, AMQPBridge)
        return source._feed

    def test_embedded(self) -> None:
        """Without a broker: everything that is emitted is in the history."""
        hub, source = self.make()
        self.assertIsInstance(source, EmbeddedSource)
        self.assertIsInstance(hub.history.positions, LocalPositions)
        self.assertIsNone(hub.archive)
        self.assertEqual(hub.history.start(hub.history.position, ["a-1"]).why, "")

    def test_classic(self) -> None:
        """A queue: positions are this process's, and the history has what is bound."""
        hub, source = self.make(
            _BROKER, "--linger=7", "--queue-bytes=8", "--queue-seconds=9", "--prefetch=10"
        )
        feed = self.feed(source)
        self.assertIsInstance(feed, ClassicFeed)
        settings = feed._settings
        self.assertEqual((settings.linger, settings.queue_bytes), (7, 8))
        self.assertEqual((settings.queue_seconds, settings.prefetch), (9, 10))
        self.assertIsNone(hub.archive)
        self.assertNotEqual(hub.history.start(hub.history.position, ["a-1"]).why, "")

    def test_processes(self) -> None:
        """No two have the same positions."""
        (one, _), (two, _) = self.make(), self.make()
        self.assertNotEqual(one.history.position, two.history.position)

    def test_stream(self) -> None:
        """A stream: positions are the same everywhere, and what is forgotten can be read."""
        hub, source = self.make(
            _BROKER, "--queue-type=stream", "--stream-bytes=1048577", "--stream-seconds=8",
            "--warm-up=9", "--max-replays=10", "--replay-bytes=11", "--exchange=e", "--prefetch=12",
            "--max-event=13",
        )  # fmt: skip
        feed = self.feed(source)
        self.assertIsInstance(feed, StreamFeed)
        settings = feed._settings
        self.assertEqual((settings.stream_bytes, settings.stream_seconds), (1048577, 8))
        self.assertEqual((settings.warm_up, settings.queue), (9, "e.stream"))
        self.assertEqual(settings.prefetch, 12)
        self.assertIsInstance(hub.history.positions, StreamPositions)
        assert isinstance(hub.archive, StreamArchive)
        reader: Any = hub.archive._reader
        self.assertEqual(reader._queue, "e.stream")
        self.assertEqual(reader._connect.keywords["max_body"], 13)
        archive = hub.archive._settings
        self.assertEqual((archive.max_replays, archive.replay_bytes), (10, 11))

    def test_hosts(self) -> None:
        """Marks and replays go where the bridge found a host that works."""
        hub, source = self.make(_BROKER, "--queue-type=stream")
        assert isinstance(source, AMQPBridge)
        archive: Any = hub.archive
        for hosts in (archive._reader._hosts, self.feed(source)._marks._hosts):
            self.assertIs(hosts, source._hosts)

    def test_bounds(self) -> None:
        """Those of the history are those of the command line."""
        hub, _ = self.make("--history-bytes=1", "--history-events=2", "--history-seconds=3")
        bounds = hub.history._bounds
        self.assertEqual((bounds.bytes, bounds.events, bounds.seconds), (1, 2, 3))
