"""The real server when the broker goes away, comes back, or is short of memory."""

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pika

from tests.integration.backend import Backend
from tests.integration.case import ServerCase
from tests.integration.clients import PATIENCE, Client
from tests.integration.loopback import wait_until
from tests.integration.rabbitmq import shared_node
from tests.integration.server import ServerProcess
from towerws.amqp.producer import PUBLISH_TIMEOUT
from towerws.factory import Settings

#: The longest time between the broker's return and the next event at a client, in seconds.
_BACK_WITHIN = 5.0

#: The longest time in seconds for an emit to be refused during an alarm, of which the broker tells.
_REFUSED_WITHIN = PUBLISH_TIMEOUT / 5

#: Over how many seconds the server closes its clients after a gap; and two seconds for it, since
#: the last one may be closed at the very end, on a machine that has much to do.
_CLOSED_WITHIN = Settings().close_spread + 2.0


class LossCase(ServerCase):
    """A test with a broker that may suffer."""

    def setUp(self) -> None:
        """Start the broker if this is the first test that needs it."""
        self.node = shared_node(breakable=True)

    def server(self, *options: str) -> ServerProcess:
        """Start a server that consumes from the broker."""
        return self.start_server(*options, broker=self.node.url)

    def subscriber(self, server: ServerProcess, *ids: object) -> Client:
        """Connect a client that listens to the groups ``loss-<id>``."""
        client = self.client(server)
        client.subscribe(loss=list(ids))
        return client

    def wait_unready(self, server: ServerProcess) -> str:
        """Wait until a server has noticed that the broker is away; give its reason."""
        wait_until(
            lambda: server.unready() is not None, PATIENCE, "the server has not noticed the loss"
        )
        return server.unready() or ""

    def wait_ready(self, server: ServerProcess) -> None:
        """Wait until a server is back at the broker."""
        wait_until(lambda: server.unready() is None, PATIENCE, "the server is not back")

    def interrupt(self, server: ServerProcess, interrupt: Callable[[], object]) -> None:
        """Do something to the broker, and wait until the server has had it and is back."""
        before = server.metric("towerws_broker_connections_total")
        interrupt()
        wait_until(
            lambda: server.metric("towerws_broker_connections_total") > before,
            PATIENCE,
            "the server did not connect anew",
        )


class KillTests(LossCase):
    """``kill -9`` of the broker."""

    def test_kill_and_return(self) -> None:
        """With ``--on-gap keep`` clients stay and go on; by default they are sent to reconnect."""
        keeping, closing = self.server("--on-gap", "keep"), self.server()
        kept, closed = self.subscriber(keeping, 1, 2), self.subscriber(closing, 1)
        idle = self.client(closing)
        backend = self.backend(self.node.url)
        backend.publish("loss-1", b'{"before": 1}')
        self.assertEqual([kept.receive(), closed.receive()], [b'{"before": 1}'] * 2)

        self.node.kill()
        for server in (keeping, closing):
            self.wait_unready(server)
        status, answer = keeping.emit("loss-1", b"{}")
        self.assertEqual(status, 503, answer)
        late = self.client(keeping)
        late.send({"groups": {"loss": [3]}})
        kept.send({"groups": {"loss": [1, 4]}})
        # Nothing is due; a subscription that is answered while the broker is away would be by now.
        self.assertRaises(TimeoutError, late.receive, 0.3)
        self.assertRaises(TimeoutError, kept.receive, 0.01)

        self.node.start()
        returned = time.monotonic()
        backend = self.backend(self.node.url)
        self.assertEqual(late.receive_json()["groups_joined"], ["loss-3"])
        reply = kept.receive_json()
        took = time.monotonic() - returned
        self.assertEqual(reply["groups_current"], ["loss-1", "loss-4"])
        for group in ("loss-1", "loss-4"):
            backend.publish(group, b'{"after": 1}')
            self.assertEqual(kept.receive(), b'{"after": 1}')
        self.assertLess(took, _BACK_WITHIN)
        self.tell(f"subscriptions in force {took:.2f} s after the broker's return")

        self.assertEqual(closed.wait_closed(_CLOSED_WITHIN), 1012)
        again = self.subscriber(closing, 1)
        # It was promised nothing, so it has missed nothing and was left alone.
        idle.subscribe(loss=[1])
        backend.publish("loss-1", b'{"again": 1}')
        for client in (kept, again, idle):
            self.assertEqual(client.receive(), b'{"again": 1}')
        for server in (keeping, closing):
            self.assertEqual(server.metric("towerws_gaps_total"), 1)
            self.assertEqual(server.metric("towerws_broker_connections_total"), 2)

    def test_frozen(self) -> None:
        """A broker that stands still is noticed by its missing heartbeats, and taken up again."""
        server = self.start_server("--on-gap", "keep", broker=f"{self.node.url}?heartbeat=1")
        client = self.subscriber(server, 1)
        backend = self.backend(self.node.url)
        broker = self.node.pids[-1]
        os.killpg(broker, signal.SIGSTOP)
        self.addCleanup(os.killpg, broker, signal.SIGCONT)
        self.assertIn("not even a heartbeat", self.wait_unready(server))
        os.killpg(broker, signal.SIGCONT)
        returned = time.monotonic()
        took = self._until_event(client, backend, returned)
        self.assertLess(took, _BACK_WITHIN)
        self.tell(f"first event {took:.2f} s after a frozen broker went on")

    def _until_event(self, client: Client, backend: Backend, since: float) -> float:
        while True:
            backend.publish("loss-1", b"{}")
            try:
                client.receive(0.05)
            except TimeoutError:
                if time.monotonic() - since > 2 * _BACK_WITHIN:
                    raise
            else:
                return time.monotonic() - since


class OperatorTests(LossCase):
    """What operators do to a broker that lives."""

    def _goes_on(self, server: ServerProcess, client: Client) -> None:
        self.wait_ready(server)
        self.backend(self.node.url).publish("loss-1", b'{"after": 1}')
        self.assertEqual(client.receive(), b'{"after": 1}')

    def test_connections_closed(self) -> None:
        """``rabbitmqctl close_all_connections``: the server comes back, and tells why it left."""
        server = self.server("--on-gap", "keep")
        client = self.subscriber(server, 1)
        self.interrupt(
            server, lambda: self.node.ctl("close_all_connections", "--", "maintenance of mine")
        )
        self._goes_on(server, client)
        self.assertIn("maintenance of mine", server.log())

    def test_queue_deleted(self) -> None:
        """A queue that is deleted under its consumer is replaced."""
        server = self.server("--on-gap", "keep")
        client = self.subscriber(server, 1)
        listed = self.node.ctl("list_queues", "name", "arguments").splitlines()
        (queue,) = [line.split()[0] for line in listed if "x-max-length-bytes" in line]
        self.interrupt(server, lambda: self.node.ctl("delete_queue", queue))
        self._goes_on(server, client)
        self.assertIn("lost the broker", server.log())


class MemoryAlarmTests(LossCase):
    """A broker that is short of memory and takes no events, but still has some to hand out."""

    def setUp(self) -> None:
        """Start a server with a client, and lay up events; more than the prefetch."""
        super().setUp()
        self.alarmed = self.server()
        self.listener = self.subscriber(self.alarmed, 1)
        self.store = _Store(self.node.url, 1200)
        self.addCleanup(self.store.close)
        self.assertEqual(self.alarmed.emit("loss-1", b'{"before": 1}')[0], 202)
        self.assertEqual(self.listener.receive(), b'{"before": 1}')

    def _alarm(self) -> None:
        self.addCleanup(self._all_clear)
        self.node.ctl("set_vm_memory_high_watermark", "absolute", "1MB")
        # Raised by another process of the broker; whoever is told of it is told before this is so.
        wait_until(
            lambda: "resource_limit" in self.node.ctl("eval", "rabbit_alarm:get_alarms()."),
            PATIENCE,
            "the broker raises no alarm",
        )

    def _all_clear(self) -> None:
        self.node.ctl("set_vm_memory_high_watermark", "absolute", "512MB")

    def _consumes(self) -> None:
        """See whether all that was laid up arrives: acknowledgements have to get through."""
        self.store.release()
        expected = [b'{"n": %d}' % n for n in range(self.store.count)]
        self.assertEqual([self.listener.receive() for _ in expected], expected)
        self.assertEqual(self.alarmed.metric("towerws_broker_connections_total"), 1)

    def test_consuming(self) -> None:
        """What the broker has arrives during the alarm."""
        self._alarm()
        self._consumes()

    def test_emitting(self) -> None:
        """An emit is told that the broker takes nothing, soon, and consuming goes on."""
        self._alarm()
        began = time.monotonic()
        status, answer = self.alarmed.emit("loss-1", b'{"in between": 1}')
        took = time.monotonic() - began
        self.tell(f"an emit during an alarm was answered after {took:.2f} s")
        self.assertEqual(status, 503, answer)
        self.assertLess(took, _REFUSED_WITHIN)
        self.assertIn("low on memory", str(answer))
        self.assertEqual(self.alarmed.metric("towerws_broker_blocked"), 1)
        self._consumes()
        self._all_clear()
        wait_until(
            lambda: self.alarmed.emit("loss-2", b"{}")[0] == 202,
            PATIENCE,
            "emits are refused after the alarm",
        )
        self.assertEqual(self.alarmed.metric("towerws_broker_blocked"), 0)
        log = self.alarmed.log()
        self.assertEqual(log.count("the broker takes no messages for now: low on memory"), 1)
        self.assertEqual(log.count("the broker takes messages again"), 1)


class _Store:
    """Events that a broker keeps, to be let go while it takes no new ones: by dying there."""

    def __init__(self, url: str, count: int) -> None:
        arguments: dict[str, Any] = {
            "x-dead-letter-exchange": "towerws.events",
            "x-dead-letter-routing-key": "loss-1",
        }
        # Another connection than the one that publishes, which the broker will not listen to.
        self._connection = pika.BlockingConnection(pika.URLParameters(url))
        self._channel = self._connection.channel()
        declared = self._channel.queue_declare("", exclusive=True, arguments=arguments)
        self._queue: str = declared.method.queue
        self.count = count
        # Without confirms, for which backends wait one by one; closing waits for all.
        publisher = pika.BlockingConnection(pika.URLParameters(url))
        channel = publisher.channel()
        for n in range(count):
            channel.basic_publish("", self._queue, b'{"n": %d}' % n)
        publisher.close()

    def release(self) -> None:
        """Let all of them go."""
        waiting = self._channel.consume(self._queue, inactivity_timeout=PATIENCE)
        last = [next(waiting)[0].delivery_tag for _ in range(self.count)][-1]
        self._channel.basic_nack(last, multiple=True, requeue=False)

    def close(self) -> None:
        """Remove the queue."""
        self._connection.close()
