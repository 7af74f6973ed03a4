"""The real server with a real RabbitMQ: the promise, hostile publishers, several servers."""

import datetime
import decimal
import json
from typing import Any

import pika

from tests.integration.case import ServerCase
from tests.integration.clients import Client
from tests.integration.loopback import wait_until
from tests.integration.rabbitmq import shared_node
from tests.integration.server import SHARED_EXCHANGE, shared_broker_server

#: In every event that must not be found in a log.
_SECRET = "s3cr3t"


class BrokerCase(ServerCase):
    """A test with the shared broker. Each test has groups of its own."""

    def setUp(self) -> None:
        """Start broker and server if this is the first test that needs them."""
        self.node = shared_node()
        self.server = self.use(shared_broker_server())
        self.pika = self.backend(self.node.url, SHARED_EXCHANGE)


class PromiseTests(BrokerCase):
    """What is published after the reply reaches the client."""

    def test_new_groups(self) -> None:
        """Two hundred times in a row, each time with a new group and two clients."""
        clients = [self.client(self.server) for _ in range(2)]
        for n in range(200):
            for client in clients:
                client.send({"groups": {"promise": [n]}})
            for client in clients:
                self.assertEqual(client.receive_json()["groups_current"], [f"promise-{n}"])
            payload = b'{"n": %d}' % n
            self.pika.publish(f"promise-{n}", payload)
            for client in clients:
                self.assertEqual(client.receive(), payload, f"round {n}")

    def test_back_again(self) -> None:
        """The same for a group that is joined, left and joined again without a pause."""
        client = self.client(self.server)
        for n in range(50):
            for ids in ([1], [], [1]):
                client.send({"groups": {"again": ids}})
            for _ in range(3):
                self.assertIn("groups_current", client.receive_json())
            payload = b'{"n": %d}' % n
            self.pika.publish("again-1", payload)
            self.assertEqual(client.receive(), payload, f"round {n}")

    def test_many_groups(self) -> None:
        """A thousand groups in one frame are all in force when they are answered."""
        client = self.client(self.server)
        reply = client.subscribe(wide=list(range(1000)))
        self.assertEqual(len(reply["groups_joined"]), 1000)
        for n in (0, 500, 999):
            self.pika.publish(f"wide-{n}", b"{}")
            self.assertEqual(client.receive(), b"{}")

    def test_order(self) -> None:
        """Two thousand events of two groups arrive once, in the order of their publication."""
        client = self.client(self.server)
        client.subscribe(order=[1, 2])
        # Without waiting for the broker after each one, to have many of them in one read.
        quick = self.backend(self.node.url, SHARED_EXCHANGE)
        quick.channel = quick.channel.connection.channel()
        published = [b'{"n": %d}' % n for n in range(2000)]
        for n, payload in enumerate(published):
            quick.publish(f"order-{1 + n % 2}", payload)
        self.assertEqual([client.receive() for _ in published], published)


class HostilePublisherTests(BrokerCase):
    """Whatever a publisher sends, the connection to the broker is the same afterwards."""

    def setUp(self) -> None:
        """Note the connections before, and subscribe a client."""
        super().setUp()
        self.listener = self.client(self.server)
        self.listener.subscribe(hostile=[1])
        self._before = self._connections()
        # Trial runs cleanups before tearDown.
        self.addCleanup(self._check_connection)

    def _check_connection(self) -> None:
        """See whether a good event arrives by the same connection."""
        self.pika.publish("hostile-1", b'{"good": true}')
        self.assertEqual(self.listener.receive(), b'{"good": true}')
        self.assertEqual(self._connections(), self._before)
        self.assertEqual(self.server.metric("towerws_broker_connections_total"), 1)
        self.assertNotIn(_SECRET, self.server.log())

    def _connections(self) -> list[str]:
        """List the broker's connections that are a server's."""
        listed = self.node.ctl("list_connections", "pid", "client_properties").splitlines()
        return sorted(line.split("\t")[0] for line in listed if '"product","towerws"' in line)

    def _dropped(self, reason: str) -> float:
        return self.server.metric(f'towerws_events_dropped_total{{reason="{reason}"}}')

    def _delivered(self, payload: bytes, **properties: Any) -> None:
        self.pika.publish("hostile-1", payload, **properties)
        self.assertEqual(self.listener.receive(), payload)

    def test_bodies(self) -> None:
        """Bodies that are no JSON object in UTF-8 are counted, logged and dropped."""
        secret = _SECRET.encode()
        bodies = [
            b"",
            b" ",
            secret,
            b'{"unfinished": "' + secret,
            b'["' + secret + b'"]',
            b'"' + secret + b'"',
            b'{"n": NaN}',
            b'{"n": -Infinity}',
            b'{"latin": "\xe9"}',
            b"\xff\xfe{\x00}\x00",
            b"\xef\xbb\xbf{}",
            b"\x00" * 1000,
            b"[" * 100_000,
            b'{"n": ' + b"9" * 10_000 + b"}",
            b'{"stdout": "' + secret * 1_000_000,
            b"\x80" * 5_000_000,
        ]
        before = self._dropped("invalid")
        for body in bodies:
            self.pika.publish("hostile-1", body)
        self._delivered(b'{"behind": "them"}')
        self.assertEqual(self._dropped("invalid") - before, len(bodies))
        self.assertIn("dropped an event for 'hostile-1'", self.server.log())

    def test_large(self) -> None:
        """5 MB, not ASCII, is delivered; what is above the limit is counted and dropped."""
        self._delivered(json.dumps({"stdout": "høst ✓ " * 500_000}, ensure_ascii=False).encode())
        before = self._dropped("too_large")
        self.pika.publish("hostile-1", b'{"stdout": "' + b"x" * (1 << 24) + b'"}')
        self._delivered(b'{"behind": "it"}')
        self.assertEqual(self._dropped("too_large") - before, 1)

    def test_headers(self) -> None:
        """Headers of every type that pika can write, and properties of all kinds."""
        values = {
            "text": "é",
            "bytes": b"\x00\xff",
            "true": True,
            "int": -1,
            "long": -(1 << 62),
            "decimal": decimal.Decimal("-3.14"),
            "time": datetime.datetime(2262, 1, 1, tzinfo=datetime.UTC),
            "nothing": None,
            "list": [1, "two", None, [3], {"four": 4}],
            "": {"": {"": {}}},
            "é" * 127: "",
        }
        for name, value in values.items():
            self._delivered(b'{"header": 1}', headers={name: value})
        self._delivered(b'{"header": 2}', headers=values | {f"x{n}": "y" * 50 for n in range(2000)})
        properties: list[dict[str, Any]] = [
            {"content_type": "text/plain; charset=utf-16", "content_encoding": "gzip"},
            {"content_type": "\n" * 255},
            {"priority": 255, "delivery_mode": 2, "expiration": "60000"},
            {"timestamp": (1 << 64) - 1, "type": "é", "app_id": "", "cluster_id": "x" * 255},
            {"reply_to": "x", "correlation_id": "y", "message_id": "z", "user_id": "guest"},
        ]
        for each in properties:
            self._delivered(b'{"properties": 1}', **each)

    def test_routing_keys(self) -> None:
        """Keys that are no group's come along by way of RabbitMQ's CC header, and reach nobody."""
        keys = [b"", b"#", b"*", b"a.#", b"\xff\x00\n", "é".encode(), b"$sys", b"x" * 255]
        dropped = 'towerws_events_dropped_total{reason="name"}'
        before = self.server.metric(dropped)
        for key in keys:
            self.pika.publish(key, b'{"key": 1}', headers={"CC": ["hostile-1"]})
            self.pika.publish(key, _SECRET.encode(), headers={"CC": ["hostile-1"]})
        self._delivered(b'{"behind": "them"}')
        self.assertEqual(self.server.metric(dropped) - before, 2 * len(keys))

    def test_odd_ways(self) -> None:
        """Messages that died elsewhere, with RabbitMQ's own headers, and that may not wait."""
        arguments = {
            "x-dead-letter-exchange": SHARED_EXCHANGE,
            "x-dead-letter-routing-key": "hostile-1",
        }
        channel = self.pika.channel
        queue = channel.queue_declare("", exclusive=True, arguments=arguments).method.queue
        properties = pika.BasicProperties(expiration="0", headers={"é": [{}]})
        channel.basic_publish("", queue, b'{"died": true}', properties)
        self.assertEqual(self.listener.receive(), b'{"died": true}')
        # These come if the server is waiting for them, or do not come.
        for n in range(20):
            self.pika.publish("hostile-1", b'{"n": %d}' % n, expiration="0")
        self.pika.publish("hostile-1", b'{"behind": "them"}')
        while self.listener.receive() != b'{"behind": "them"}':
            pass


class SeveralServersTests(BrokerCase):
    """Servers side by side at one broker."""

    def setUp(self) -> None:
        """Start a second server."""
        super().setUp()
        self.other = self.start_server("--exchange", SHARED_EXCHANGE, broker=self.node.url)
        self.listeners = [self.client(self.server), self.client(self.other)]
        for listener in self.listeners:
            listener.subscribe(several=[1])

    def _receive(self) -> list[bytes]:
        return [listener.receive() for listener in self.listeners]

    def test_publish(self) -> None:
        """One event reaches the clients of both, once."""
        for n in range(10):
            payload = b'{"n": %d}' % n
            self.pika.publish("several-1", payload)
            self.assertEqual(self._receive(), [payload, payload])

    def test_emit(self) -> None:
        """An event that one server takes over HTTP reaches the clients of both."""
        payload = '{"stdout": "høst"}'.encode()
        self.assertEqual(self.other.emit("several-1", payload), (202, {"confirmed": True}))
        self.assertEqual(self._receive(), [payload, payload])
        self.assertEqual(self.other.emit("nobody-1", b"{}"), (202, {"confirmed": True}))

    def test_stop(self) -> None:
        """One server's end leaves the other and its clients alone."""
        self.other.stop()
        self.assertEqual(self.listeners[1].wait_closed(), 1012)
        self.pika.publish("several-1", b"{}")
        self.assertEqual(self.listeners[0].receive(), b"{}")

    def test_interest(self) -> None:
        """A server gets only what its clients want."""
        before = self.other.metric("towerws_events_total")
        reader: Client = self.client(self.server)
        reader.subscribe(elsewhere=[1])
        for _ in range(10):
            self.pika.publish("elsewhere-1", b"{}")
            reader.receive()
        self.pika.publish("several-1", b"{}")
        self._receive()
        wait_until(
            lambda: self.other.metric("towerws_events_total") >= before + 1, 5, "nothing came"
        )
        self.assertEqual(self.other.metric("towerws_events_total"), before + 1)
