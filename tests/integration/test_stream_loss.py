"""Stream mode when the broker dies and returns, or is short of memory."""

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from tests.integration.backend import Backend
from tests.integration.rabbitmq import shared_node
from tests.integration.stream import StreamCase


class LossTests(StreamCase):
    """A broker that suffers."""

    def setUp(self) -> Deferred[None]:  # type: ignore[override]
        """Start the broker if need be."""
        super().setUp()
        return deferToThread(self._start)

    def _start(self) -> None:
        self.node = shared_node(breakable=True)
        self.begin(self.node.url)

    def _kill_and_return(self) -> None:
        self.node.kill()
        self.node.start()
        self.backend = Backend(self.node.url, self.settings.exchange)

    async def test_kill_and_return(self) -> None:
        """After ``kill -9`` of the broker a node goes on in the stream; nobody has missed any."""
        node = await self.start_node()
        # A broker that is killed within a second of its first stream does not find that again.
        await deferLater(self.reactor, 2)
        self.publish_numbers(*range(100))
        # Some of these are still on their way to the node, or have not been acknowledged by it.
        await deferToThread(self._kill_and_return)
        self.publish_numbers(*range(100, 200))
        await node.wait_for(list(range(200)))
        self.assertEqual(node.connection.gaps, [])
        await node.wait_until(lambda: node.bridge.unready() is None)
        self.assertEqual(node.counted("towerws_stream_continued_total"), 1)

    async def test_alarm(self) -> None:
        """An alarm stops publishers; a node that is in service stays so, one that starts waits."""
        node = await self.start_node()
        self.publish_numbers(1)
        await node.wait_for([1])
        await deferToThread(self.node.ctl, "set_vm_memory_high_watermark", "absolute", "1")
        try:
            node.cut()
            await node.wait_until(lambda: "takes no messages" in (node.bridge.unready() or ""))
        finally:
            await deferToThread(self.node.ctl, "set_vm_memory_high_watermark", "absolute", "512MB")
        await node.in_service()
        self.publish_numbers(2)
        await node.wait_for([1, 2])
        self.assertEqual(node.connection.gaps, [])
