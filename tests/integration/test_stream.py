"""Stream mode with RabbitMQ: what interrupts a node, and what is kept for clients."""

from typing import Any

from pika import BasicProperties
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from tests.integration.amqp import PATIENCE
from tests.integration.rabbitmq import shared_node
from tests.integration.stream import StreamCase
from towerws.core.archive import Archived
from towerws.core.history import Bounds
from towerws.core.revocation import Revocation
from towerws.feeds import stream, stream_reader
from towerws.feeds.archive import ArchiveSettings

#: A memory in which one event is kept.
_FORGETFUL = Bounds(events=1)


class SharedStreamCase(StreamCase):
    """Tests with a broker that nobody breaks."""

    def setUp(self) -> Deferred[None]:  # type: ignore[override]
        """Start the shared broker if need be."""
        super().setUp()
        return deferToThread(shared_node).addCallback(lambda node: self.begin(node.url))


class NodeTests(SharedStreamCase):
    """Events, and what interrupts them."""

    async def test_two_nodes(self) -> None:
        """Each gets all events, under the same positions; the second has the minute before it."""
        first = await self.start_node()
        self.publish_numbers(1, 2, 3)
        await first.wait_for([1, 2, 3])
        position = first.hub.history.position
        second = await self.start_node()
        self.assertEqual(second.numbers, [])
        start = second.hub.history.start(position, ["jobs-1"])
        self.assertEqual(start.kind.value, "memory")
        self.publish_numbers(4)
        await first.wait_for([1, 2, 3, 4])
        await second.wait_for([4])
        (event,) = second.hub.history.read(start.offset, ["jobs-1"], 1000)
        self.assertEqual(event.payload, b'{"n": 4}')

    async def test_cut(self) -> None:
        """What is published while a node is away reaches its clients, and nobody hears of it."""
        node = await self.start_node()
        self.publish_numbers(1, 2)
        await node.wait_for([1, 2])
        for round_ in range(3):
            node.cut()
            self.publish_numbers(3 + 2 * round_, 4 + 2 * round_)
            await node.wait_for(list(range(1, 5 + 2 * round_)))
        await node.in_service()
        self.assertEqual(node.connection.gaps, [])
        self.assertEqual(node.counted("towerws_stream_continued_total"), 3)

    async def test_deleted(self) -> None:
        """A stream that is deleted and declared anew makes a gap; events go on."""
        self.patch(stream, "SILENCE", 0.3)
        node = await self.start_node()
        self.publish_numbers(*range(1, 21))
        await node.wait_for(list(range(1, 21)))
        position = node.hub.history.position
        self.backend.channel.queue_delete(self.settings.queue)
        await node.wait_until(lambda: node.connection.gaps)
        (why,) = node.connection.gaps
        self.assertIn("not the one", why)
        self.publish_numbers(21)
        await node.wait_for(list(range(1, 22)))
        self.assertEqual(node.hub.history.start(position, ["jobs-1"]).kind.value, "elsewhere")
        self.patch(stream_reader, "PROOF_WITHIN", 0.3)
        self.assertIsNone(await node.read(position))

    async def test_other_arguments(self) -> None:
        """A stream that an operator has declared in their own way is used as it is."""
        self.backend.channel.queue_declare(
            self.settings.queue, durable=True, arguments={"x-queue-type": "stream"}
        )
        node = await self.start_node()
        self.publish_numbers(1)
        await node.wait_for([1])

    async def test_revocations(self) -> None:
        """Those before a node's first mark are of the past; it carries out what comes behind."""
        await self.start_node()
        self.backend.publish("$revoke", Revocation("6").encode())
        node = await self.start_node()
        self.backend.publish("$revoke", Revocation("7").encode())
        self.publish_numbers(1)
        await node.wait_for([1])
        self.assertEqual([each.user for each in node.revoking.asked], ["7"])

    async def test_forged_offsets(self) -> None:
        """Headers of publishers, whatever they are named, change no position."""
        node = await self.start_node()
        for headers in _forgeries():
            self.backend.channel.basic_publish(
                self.settings.exchange, "jobs-1", b'{"n": 1}', BasicProperties(headers=headers)
            )
        await node.wait_for([1] * len(_forgeries()))
        last = node.hub.history.last
        self.assertLess(last, 100)
        self.assertEqual(await node.read(node.hub.history.position), [])


class ArchiveTests(SharedStreamCase):
    """What is not in memory any more."""

    async def test_read(self) -> None:
        """All events of the groups behind a position are read, up to where the memory begins."""
        node = await self.start_node(_FORGETFUL)
        self.publish_numbers(0)
        await node.wait_for([0])
        position = node.hub.history.position
        for number in range(1, 2000):
            self.publish_numbers(number, group=f"jobs-{number % 3 + 1}")
        self.backend.publish("jobs-1", b"not JSON")
        await node.wait_for([0, *(each for each in range(1, 2000) if each % 3 != 2)])
        self.assertEqual(
            await node.read(position, "jobs-1", "jobs-3"),
            [each for each in range(1, 1999) if each % 3 != 1],
        )
        again = await self.start_node(_FORGETFUL)
        self.assertEqual(
            await again.read(position, "jobs-2"), [each for each in range(1, 2000) if each % 3 == 1]
        )

    async def test_ahead(self) -> None:
        """A position that this node has not come to is proven at once; one of no stream is not."""
        node, other = await self.start_node(), await self.start_node()
        self.publish_numbers(1)
        await other.wait_for([1])
        position = other.hub.history.position
        self.assertEqual(await node.read(position), [])
        self.patch(stream_reader, "PROOF_WITHIN", 0.3)
        self.assertIsNone(await node.read(f"{10**6}-{'0' * 16}"))
        self.assertIsNone(await node.read(f"{0}-{'0' * 16}"))

    async def test_expired(self) -> None:
        """What the broker has forgotten is not taken for what it still has; nor by a node."""
        self.backend.channel.queue_declare(
            self.settings.queue,
            durable=True,
            arguments={
                "x-queue-type": "stream",
                "x-max-length-bytes": 20_000,
                "x-stream-max-segment-size-bytes": 5_000,
            },
        )
        node = await self.start_node(_FORGETFUL)
        self.publish_numbers(1)
        await node.wait_for([1])
        position = node.hub.history.position
        await node.bridge.stopService()
        for number in range(2, 200):
            self.backend.publish("jobs-2", b'{"n": %d, "pad": "%s"}' % (number, b"x" * 400))
        self.assertIsNone(await node.read(position))
        node.bridge.startService()
        await node.in_service()
        (why,) = node.connection.gaps
        self.assertIn("does not keep", why)
        self.assertEqual(node.numbers[-1], 199)

    async def test_few_at_once(self) -> None:
        """No more connections than allowed; a place is given back when what was read is sent."""
        node = await self.start_node(_FORGETFUL, ArchiveSettings(max_replays=2))
        self.publish_numbers(1)
        await node.wait_for([1])
        position = node.hub.history.position
        self.publish_numbers(2, 3)
        await node.wait_for([1, 2, 3])
        answers: list[Deferred[Archived | None]] = [Deferred() for _ in range(5)]
        readings = [node.ask(position, answer) for answer in answers]
        for answer in answers[:2]:
            await answer.addTimeout(PATIENCE, self.reactor)
        await deferLater(self.reactor, 0.1)
        self.assertEqual([answer.called for answer in answers], [True] * 2 + [False] * 3)
        self.assertEqual(node.counted("towerws_archive_readings"), 2)
        self.assertEqual(node.counted("towerws_archive_waiting"), 3)
        readings[2].close()
        for done, following in ((0, 3), (1, 4)):
            readings[done].close()
            found = await answers[following].addTimeout(PATIENCE, self.reactor)
            assert found is not None
            self.assertEqual([each.payload for each in found.events], [b'{"n": 2}', b'{"n": 3}'])
        self.assertFalse(answers[2].called)


class _Headers(dict[str, Any]):
    """Headers that pika writes in this order, with names that repeat."""

    def __init__(self, *pairs: tuple[str, Any]) -> None:
        super().__init__(pairs)
        self._pairs = pairs

    def items(self) -> Any:
        """Give all of them."""
        return self._pairs


def _forgeries() -> list[dict[str, Any]]:
    """Give headers of a publisher who wants another offset."""
    name, far = "x-stream-offset", 1 << 40
    field = b"\x0fx-stream-offsetl" + far.to_bytes(8, "big")
    return [
        {name: far},
        _Headers((name, far), (name, far + 1)),
        _Headers((name, 0), (name, -1), (name, "text"), ("a", far), (name, [far])),
        {"a": field, "z": field.decode("latin-1")},
        {"a": {name: far}, "b": [{name: far}], "x-a": {name: far}},
    ]
