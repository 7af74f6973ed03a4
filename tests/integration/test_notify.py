"""`towerws.notify` with a real RabbitMQ that is there."""

import json
import os
import threading
import time

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.loopback import free_ports
from tests.integration.notify_case import Listener, bounded
from tests.integration.rabbitmq import shared_node
from towerws.core.broker_url import BrokerURL
from towerws.notify import Publisher, Refused, Unreachable
from towerws.notify.amqp import AMQPConnector
from towerws.notify.amqp_connection import AMQPConnection
from towerws.notify.errors import ConnectionLost, Unconfirmed


class RabbitMQTests(SynchronousTestCase):
    """Publishing to the shared broker."""

    def setUp(self) -> None:
        """Start the broker if this is the first test that needs it."""
        self.node = shared_node()
        self.publisher = Publisher(self.node.url, timeout=5.0)
        self.addCleanup(self.publisher.close)

    def _listen(self, **arguments: object) -> Listener:
        listener = Listener(self.node.url, **arguments)
        self.addCleanup(listener.close)
        return listener

    def _connect(self) -> AMQPConnection:
        connector = AMQPConnector(BrokerURL.parse(self.node.url), "towerws.events")
        connection = connector(time.monotonic() + 5)
        self.addCleanup(connection.abandon)
        return connection

    def test_as_published(self) -> None:
        """The group is the routing key; the body and properties are those of the protocol."""
        listener = self._listen()
        self.publisher.emit("job_events-42", {"name": "é"}, strict=True)
        ((delivery, properties, body),) = listener.receive(1)
        self.assertEqual(delivery.exchange, "towerws.events")
        self.assertEqual(delivery.routing_key, "job_events-42")
        self.assertEqual(body, b'{"name": "\\u00e9"}')
        self.assertEqual(properties.content_type, "application/json")
        self.assertEqual(properties.delivery_mode, 1)

    def test_connection(self) -> None:
        """One connection, named, without heartbeats."""
        for _ in range(3):
            self.publisher.emit("jobs-summary", {}, strict=True)
        listed = self.node.ctl("list_connections", "timeout", "channels", "client_properties")
        (ours,) = [line for line in listed.splitlines() if f":{os.getpid()}" in line]
        self.assertEqual(ours.split("\t")[:2], ["0", "1"])
        self.assertIn("towerws.notify", ours)

    def test_before_the_server(self) -> None:
        """A publisher that comes first declares the exchange as the server would."""
        listener = self._listen()
        listener.channel.exchange_delete("towerws.events")
        self.publisher.emit("jobs-summary", {}, strict=True)
        listed = self.node.ctl("list_exchanges", "name", "type", "durable")
        self.assertIn("towerws.events\ttopic\ttrue", listed)

    def test_exchange_deleted(self) -> None:
        """An exchange that disappears is declared anew, and the event is not lost."""
        self.publisher.emit("jobs-summary", {}, strict=True)
        kept = self.publisher._sender._connection
        self._listen().channel.exchange_delete("towerws.events")
        self.publisher.emit("jobs-summary", {}, strict=True)
        self.assertIs(self.publisher._sender._connection, kept)
        self.assertIn("towerws.events", self.node.ctl("list_exchanges", "name"))

    def test_wrong_exchange(self) -> None:
        """An exchange that may not be declared is a reason, and no endless attempt."""
        publisher = Publisher(self.node.url, exchange="amq.nothing")
        with publisher, self.assertRaisesRegex(Unreachable, "ACCESS_REFUSED"):
            publisher.emit("jobs-summary", {}, strict=True)

    def test_large(self) -> None:
        """A body of many frames."""
        listener = self._listen()
        payload = {"stdout": "x" * 2_000_000}
        self.publisher.emit("jobs-summary", payload, strict=True)
        ((_, _, body),) = listener.receive(1)
        self.assertEqual(json.loads(body), payload)

    def test_threads(self) -> None:
        """Threads lose and double nothing, and each one's events keep their order."""
        listener = self._listen()

        def publish(thread: int) -> None:
            for number in range(100):
                self.publisher.emit(f"thread-{thread}", {"n": number})

        threads = [threading.Thread(target=publish, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        received: dict[str, list[int]] = {}
        for delivery, _, body in listener.receive(800):
            received.setdefault(delivery.routing_key, []).append(json.loads(body)["n"])
        self.assertEqual(received, {f"thread-{n}": list(range(100)) for n in range(8)})
        self.assertEqual((self.publisher.published, self.publisher.dropped), (800, 0))

    def test_fork(self) -> None:
        """Parent and child both publish, each on a connection of its own."""
        listener = self._listen()
        self.publisher.emit("before-fork", {}, strict=True)
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                for number in range(50):
                    self.publisher.emit("child-x", {"n": number}, strict=True)
                self.publisher.close()
                status = 0
            finally:
                os._exit(status)
        for number in range(50):
            self.publisher.emit("parent-x", {"n": number}, strict=True)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)
        self.publisher.emit("after-fork", {}, strict=True)
        groups = [delivery.routing_key for delivery, _, _ in listener.receive(102)]
        for group, count in {
            "before-fork": 1,
            "child-x": 50,
            "parent-x": 50,
            "after-fork": 1,
        }.items():
            self.assertEqual(groups.count(group), count, group)
        self.assertEqual(self.publisher.published, 52)

    def test_connection_closed_by_the_broker(self) -> None:
        """A kept connection that was closed meanwhile is replaced: the event arrives, once."""
        self.publisher.emit("jobs-summary", {}, strict=True)
        self.node.ctl("close_all_connections", "for a test")
        listener = self._listen()
        with self.assertNoLogs("towerws.notify", "DEBUG"):
            self.publisher.emit("jobs-summary", {"second": True}, strict=True)
        self.assertEqual(len(listener.receive(2, timeout=0.5)), 1)

    def test_memory_alarm(self) -> None:
        """A broker that takes no events costs one timeout, then nothing until it does again."""
        publisher = Publisher(self.node.url, timeout=0.5, pause=0.3)
        self.addCleanup(publisher.close)
        self._raise_alarm()
        with self.assertRaisesRegex(Unreachable, "takes no events at the moment: low on memory"):
            # The alarm reaches the connection a moment later.
            for _ in range(1000):
                bounded(0.5, lambda: publisher.emit("jobs-summary", {}, strict=True))
        with self.assertRaisesRegex(Unreachable, "the last attempt failed"):
            bounded(0.0, lambda: publisher.emit("jobs-summary", {}, strict=True))
        self._end_alarm()
        time.sleep(0.3)
        with self.assertLogs("towerws.notify", "WARNING") as logs:
            publisher.emit("jobs-summary", {}, strict=True)
        self.assertIn("publishing again (2 events dropped so far)", logs.output[0])

    def test_short_memory_alarm(self) -> None:
        """An alarm that ends within the timeout delays events, and loses none."""
        self._raise_alarm()
        ending = threading.Timer(0.5, self._end_alarm)
        ending.start()
        while ending.is_alive():
            self.publisher.emit("jobs-summary", {}, strict=True)
        ending.join()
        self.publisher.emit("jobs-summary", {}, strict=True)
        self.assertEqual(self.publisher.dropped, 0)

    def _raise_alarm(self) -> None:
        self.addCleanup(self._end_alarm)
        self.node.ctl("set_vm_memory_high_watermark", "absolute", "1")

    def _end_alarm(self) -> None:
        self.node.ctl("set_vm_memory_high_watermark", "absolute", "512MB")

    def test_refused(self) -> None:
        """A queue that is full by its policy refuses; the connection is not to blame."""
        self._listen(x_max_length=1, x_overflow="reject-publish")
        self.publisher.emit("jobs-summary", {}, strict=True)
        for _ in range(2):
            with self.assertRaisesRegex(Refused, "the broker refused it"):
                self.publisher.emit("jobs-summary", {}, strict=True)

    def test_not_permitted(self) -> None:
        """A group that the user may not publish to concerns its events, and no others."""
        self.addCleanup(self.node.ctl, "delete_user", "limited")
        self.node.ctl("add_user", "limited", "pw")
        self.node.ctl("set_permissions", "limited", ".*", ".*", ".*")
        self.node.ctl("set_topic_permissions", "limited", "towerws.events", "^ok", ".*")
        listener = self._listen()
        publisher = Publisher(f"amqp://limited:pw@127.0.0.1:{self.node.port}", timeout=5.0)
        with publisher:
            publisher.emit("ok-1", {}, strict=True)
            kept = publisher._sender._connection
            with self.assertRaisesRegex(Refused, "refused it: ACCESS_REFUSED.*'secret-1'"):
                publisher.emit("secret-1", {}, strict=True)
            publisher.emit("ok-2", {}, strict=True)
            self.assertIs(publisher._sender._connection, kept)
        self.assertEqual((publisher.published, publisher.dropped), (2, 1))
        groups = [delivery.routing_key for delivery, _, _ in listener.receive(3, timeout=0.5)]
        self.assertEqual(groups, ["ok-1", "ok-2"])

    def test_too_large(self) -> None:
        """Nor does an event that is too large for the broker; it is sent once."""
        self._limit_messages(10_000)
        self.addCleanup(self._limit_messages, 134_217_728)  # RabbitMQ's default
        listener = self._listen()
        self.publisher.emit("jobs-summary", {}, strict=True)
        kept = self.publisher._sender._connection
        for _ in range(2):
            with self.assertRaisesRegex(Refused, "PRECONDITION_FAILED - message size"):
                self.publisher.emit("jobs-summary", {"stdout": "x" * 20_000}, strict=True)
            self.publisher.emit("jobs-summary", {}, strict=True)
        self.assertIs(self.publisher._sender._connection, kept)
        self.assertEqual(len(listener.receive(4, timeout=0.5)), 3)

    def _limit_messages(self, size: int) -> None:
        self.node.ctl("eval", f"application:set_env(rabbit, max_message_size, {size}).")

    def test_late_confirm(self) -> None:
        """After an event that is not confirmed in time the connection is good for the next."""
        listener = self._listen()
        connection = self._connect()
        self._raise_alarm()
        sent = 0
        with self.assertRaises(Unconfirmed):
            # The alarm reaches the connection a moment later.
            while sent < 1000:
                sent += 1
                connection.publish("late-1", b"{}", time.monotonic() + 0.3)
        self._end_alarm()
        connection.publish("late-2", b"{}", time.monotonic() + 5)
        groups = [event[0].routing_key for event in listener.receive(sent + 1)]
        self.assertEqual(groups, ["late-1"] * sent + ["late-2"])

    def test_doubtful_refusal(self) -> None:
        """A refusal that may be that of an earlier event is not held against the present one."""
        connection = self._connect()
        connection._overdue = True
        self._listen().channel.exchange_delete("towerws.events")
        with self.assertRaisesRegex(ConnectionLost, "NOT_FOUND"):
            connection.publish("jobs-summary", b"{}", time.monotonic() + 5)

    def test_no_time(self) -> None:
        """Nothing is sent when the time is over already."""
        listener = self._listen()
        connection = self._connect()
        with self.assertRaisesRegex(Unreachable, "did not answer in time"):
            connection.publish("too-late", b"{}", time.monotonic())
        connection.publish("in-time", b"{}", time.monotonic() + 5)
        groups = [event[0].routing_key for event in listener.receive(2, timeout=0.5)]
        self.assertEqual(groups, ["in-time"])

    def test_not_allowed_in(self) -> None:
        """Bad credentials are told, without the password."""
        url = f"amqp://guest:hunter2@127.0.0.1:{self.node.port}"
        with Publisher(url) as publisher, self.assertRaises(Unreachable) as caught:
            publisher.emit("jobs-summary", {}, strict=True)
        self.assertIn("ACCESS_REFUSED", str(caught.exception))
        self.assertNotIn("hunter2", str(caught.exception))

    def test_second_host(self) -> None:
        """With several hosts the first that answers will do."""
        (closed,) = free_ports(1)
        url = f"amqp://127.0.0.1:{closed},localhost:{self.node.port}"
        with Publisher(url) as publisher:
            publisher.emit("jobs-summary", {}, strict=True)
