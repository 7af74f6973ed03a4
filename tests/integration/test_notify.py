"""The publisher with a real RabbitMQ, real HTTP servers, and peers that do not answer."""

import contextlib
import http.server
import json
import os
import signal
import socket
import socketserver
import ssl
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Never
from unittest import mock

import pika
from twisted.trial.unittest import SynchronousTestCase

from tests.integration.certificates import make_server_certificate
from tests.integration.loopback import free_ports
from tests.integration.rabbitmq import RabbitMQNode, shared_node
from towerws.core.broker_url import BrokerURL
from towerws.notify import Busy, EmitError, Publisher, Refused, Unreachable
from towerws.notify.amqp import AMQPConnector
from towerws.notify.amqp_connection import AMQPConnection
from towerws.notify.errors import ConnectionLost, Unconfirmed

#: How much longer than its timeout an emit may take here, in seconds: two busy cores.
_TOLERANCE = 1.0


class Listener:
    """A queue of its own at the broker, bound to all groups."""

    def __init__(self, url: str, **arguments: object) -> None:
        """Declare and bind the queue, and the exchange as the server does.

        Args:
            url: The broker's.
            arguments: Of the queue, with ``_`` for ``-``.
        """
        parameters = pika.URLParameters(url)
        parameters.blocked_connection_timeout = 10
        self._connection = pika.BlockingConnection(parameters)
        self.channel = self._connection.channel()
        self.channel.exchange_declare("towerws.events", "topic", durable=True)
        queue = self.channel.queue_declare(
            "",
            exclusive=True,
            arguments={name.replace("_", "-"): value for name, value in arguments.items()},
        )
        self.queue: str = queue.method.queue
        self.channel.queue_bind(self.queue, "towerws.events", "#")

    def receive(self, count: int, timeout: float = 10.0) -> list[tuple[Any, Any, bytes]]:
        """Take events from the queue.

        Args:
            count: How many are expected.
            timeout: The longest wait for one more, in seconds.

        Returns:
            Delivery, properties and body of each; fewer than expected if no more came.
        """
        events: list[tuple[Any, Any, bytes]] = []
        found = self.channel.consume(self.queue, auto_ack=True, inactivity_timeout=timeout)
        while len(events) < count:
            event = next(found)
            if event[0] is None:
                break
            events.append(event)
        self.channel.cancel()
        return events

    def close(self) -> None:
        """Close the connection, which removes the queue; no matter if it is lost already."""
        if self._connection.is_open:
            self._connection.close()


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
                _bounded(0.5, lambda: publisher.emit("jobs-summary", {}, strict=True))
        with self.assertRaisesRegex(Unreachable, "the last attempt failed"):
            _bounded(0.0, lambda: publisher.emit("jobs-summary", {}, strict=True))
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
            with self.assertRaisesRegex(Refused, "the broker refused the event"):
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
            with self.assertRaisesRegex(Refused, "refused the event: ACCESS_REFUSED.*'secret-1'"):
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


class RestartTests(SynchronousTestCase):
    """A broker of our own, with TLS, that dies and comes back."""

    def test_killed_and_back(self) -> None:
        """While it is away events are dropped at once; then they flow again."""
        node = RabbitMQNode(tls=True)
        self.addCleanup(node.stop)
        node.start()
        url = f"amqps://localhost:{node.tls_port}?cacertfile={node.cafile}"
        publisher = Publisher(url, pause=0.1, longest_pause=0.1)
        self.addCleanup(publisher.close)
        publisher.emit("jobs-summary", {}, strict=True)

        node.kill()
        with self.assertLogs("towerws.notify", "WARNING") as logs:
            for _ in range(20):
                _bounded(0.0, lambda: publisher.emit("jobs-summary", {}))
        self.assertIn("Connection refused", logs.output[0])
        self.assertEqual((publisher.published, publisher.dropped), (1, 20))

        node.start()
        time.sleep(0.1)
        with self.assertLogs("towerws.notify", "WARNING") as logs:
            publisher.emit("jobs-summary", {}, strict=True)
        self.assertIn("publishing again (20 events dropped so far)", logs.output[0])
        stranger = Publisher(f"amqps://localhost:{node.tls_port}")
        with stranger, self.assertRaisesRegex(Unreachable, "CERTIFICATE_VERIFY_FAILED"):
            stranger.emit("jobs-summary", {}, strict=True)


class AwayTests(SynchronousTestCase):
    """Peers that are away, each in its own way, whatever the URL."""

    def _fails(self, url: str, reason: str, *, within: float) -> None:
        publisher = Publisher(url, timeout=0.5)
        with publisher, self.assertRaisesRegex(Unreachable, reason):
            _bounded(within, lambda: publisher.emit("jobs-summary", {}, strict=True))

    def test_refused(self) -> None:
        """Nobody listens on the port."""
        (port,) = free_ports(1)
        for scheme in ("amqp", "http"):
            self._fails(f"{scheme}://127.0.0.1:{port}", "Connection refused", within=0.0)

    def test_silent(self) -> None:
        """Somebody listens, and never says a word."""
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
            for scheme in ("amqp", "amqps", "http", "https"):
                self._fails(f"{scheme}://127.0.0.1:{port}", "", within=0.5)

    def test_black_hole(self) -> None:
        """Not even the connection is answered: the queue of the listening socket is full."""
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen(0)
            port = listening.getsockname()[1]
            waiting = [socket.socket() for _ in range(4)]
            for filler in waiting:
                self.addCleanup(filler.close)
                filler.setblocking(False)
                filler.connect_ex(("127.0.0.1", port))
            for scheme in ("amqp", "http"):
                self._fails(f"{scheme}://127.0.0.1:{port}", "", within=0.5)

    def test_interrupted(self) -> None:
        """A signal's exception ends the wait, wherever it strikes; a Celery time limit does so."""

        class TimeLimitError(Exception):
            """Raised by the signal."""

        def interrupt(*_: object) -> Never:
            raise TimeLimitError

        self.addCleanup(signal.signal, signal.SIGALRM, signal.signal(signal.SIGALRM, interrupt))
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
            for scheme in ("amqp", "amqps", "http", "https"):
                with Publisher(f"{scheme}://127.0.0.1:{port}", timeout=5.0) as publisher:
                    signal.setitimer(signal.ITIMER_REAL, 0.1)
                    with self.assertRaises(TimeLimitError):
                        publisher.emit("jobs-summary", {}, strict=True)

    def test_no_socket(self) -> None:
        """There is no such Unix socket."""
        self._fails("unix:///nonexistent/x.sock", "No such file", within=0.0)


class Site(http.server.BaseHTTPRequestHandler):
    """A tiny operators' site, which remembers what it was told.

    Attributes:
        requests: Path, headers and body of each request.
        connections: How many connections were accepted.
        status: What to answer.
        answer: The answer's body.
        delay: Seconds until the answer.
    """

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet for head and body
    requests: ClassVar[list[tuple[str, dict[str, str], bytes]]] = []
    connections: ClassVar[list[socket.socket]] = []
    status: ClassVar[int] = 202
    answer: ClassVar[bytes] = b'{"delivered": 0}'
    delay: ClassVar[float] = 0.0

    def setup(self) -> None:
        """Count the connection."""
        self.connections.append(self.request)
        super().setup()

    def handle(self) -> None:
        """Serve until the connection ends, in whichever way."""
        with contextlib.suppress(ConnectionError):
            super().handle()

    def do_POST(self) -> None:
        """Answer as told."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.requests.append((self.path, dict(self.headers), body))
        time.sleep(self.delay)
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.answer)))
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Log nothing."""


class HTTPTests(SynchronousTestCase):
    """Publishing over HTTP to a real server."""

    def setUp(self) -> None:
        """Forget the last test's requests."""

        class OwnSite(Site):
            """This test's alone."""

            requests: ClassVar[list[tuple[str, dict[str, str], bytes]]] = []
            connections: ClassVar[list[socket.socket]] = []

        self.site = OwnSite
        environment = mock.patch.dict(os.environ)
        environment.start()
        self.addCleanup(environment.stop)
        os.environ.pop("TOWERWS_TOKEN", None)

    def _serve(self, server: socketserver.BaseServer) -> None:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        self.addCleanup(thread.join, 10)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.addCleanup(self._disconnect)

    def _disconnect(self) -> None:
        for connection in self.site.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _serve_http(self, context: ssl.SSLContext | None = None) -> int:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.site)
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        self._serve(server)
        return int(server.server_address[1])

    def _publisher(self, url: str, **options: Any) -> Publisher:
        publisher = Publisher(url, timeout=5.0, **options)
        self.addCleanup(publisher.close)
        return publisher

    def test_request(self) -> None:
        """The group is in the path, the token in a header, the event in the body."""
        url = f"http://localhost:{self._serve_http()}/ops/"
        publisher = self._publisher(url, token="s3cret")
        publisher.emit("job_events-42", {"a": 1}, strict=True)
        ((path, headers, body),) = self.site.requests
        self.assertEqual((path, body), ("/ops/emit/job_events-42", b'{"a": 1}'))
        self.assertEqual(headers["Content-Type"], "application/json")
        self.assertEqual(headers["Authorization"], "Bearer s3cret")

    def test_keeps_the_connection(self) -> None:
        """Many events need one connection, and no time for Nagle's algorithm."""
        publisher = self._publisher(f"http://127.0.0.1:{self._serve_http()}")
        started = time.monotonic()
        for _ in range(50):
            publisher.emit("jobs-summary", {}, strict=True)
        # 40 ms each, were head and body to wait for an acknowledgement in between.
        self.assertLess(time.monotonic() - started, 1.5)
        self.assertEqual(len(self.site.connections), 1)
        self.assertNotIn("Authorization", self.site.requests[0][1])

    def test_stale(self) -> None:
        """A connection that the server closed while nothing happened is replaced."""
        publisher = self._publisher(f"http://127.0.0.1:{self._serve_http()}")
        publisher.emit("jobs-summary", {}, strict=True)
        self._disconnect()
        publisher.emit("jobs-summary", {}, strict=True)
        self.assertEqual(len(self.site.connections), 2)
        self.assertEqual(len(self.site.requests), 2)

    def test_refused(self) -> None:
        """The server's sentence is told, and the connection kept."""
        self.site.status, self.site.answer = 403, b'{"error": "The bearer token is wrong."}'
        publisher = self._publisher(f"http://127.0.0.1:{self._serve_http()}")
        for _ in range(2):
            with self.assertRaisesRegex(Refused, "answered 403: The bearer token is wrong."):
                publisher.emit("jobs-summary", {}, strict=True)
        self.assertEqual(len(self.site.connections), 1)

    def test_crowd(self) -> None:
        """A server that is well, but slow for so many threads: what does not fit is busy."""
        self.site.delay = 0.3
        publisher = Publisher(f"http://127.0.0.1:{self._serve_http()}", timeout=2.0)
        self.addCleanup(publisher.close)
        failures: list[type[EmitError]] = []

        def publish() -> None:
            try:
                publisher.emit("jobs-summary", {}, strict=True)
            except EmitError as error:
                failures.append(type(error))

        threads = [threading.Thread(target=publish) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        self.assertEqual(set(failures), {Busy})
        self.assertEqual(publisher.published, 12 - len(failures))
        publisher.emit("jobs-summary", {}, strict=True)
        self.assertEqual(len(self.site.requests), publisher.published)
        self.assertEqual(len(self.site.connections), 1)

    def test_unix_socket(self) -> None:
        """Both forms of the URL reach a Unix socket."""
        with tempfile.TemporaryDirectory(prefix="towerws-") as directory:
            path = f"{directory}/ops.sock"
            self._serve(socketserver.ThreadingUnixStreamServer(path, self.site))
            for url in (f"unix://{path}", f"http+unix://{path.replace('/', '%2F')}"):
                with Publisher(url) as publisher:
                    publisher.emit("jobs-summary", {}, strict=True)
        self.assertEqual([path for path, *_ in self.site.requests], ["/emit/jobs-summary"] * 2)

    def test_https(self) -> None:
        """TLS with an authority that the environment trusts, and only then."""
        with tempfile.TemporaryDirectory(prefix="towerws-") as directory:
            certificate = make_server_certificate(Path(directory))
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.certfile, certificate.keyfile)
            url = f"https://localhost:{self._serve_http(context)}"
            with self.assertRaisesRegex(Unreachable, "CERTIFICATE_VERIFY_FAILED"):
                self._publisher(url).emit("jobs-summary", {}, strict=True)
            os.environ["SSL_CERT_FILE"] = certificate.cafile
            self._publisher(url).emit("jobs-summary", {}, strict=True)
        self.assertEqual(len(self.site.requests), 1)


def _bounded(timeout: float, emit: Callable[[], None]) -> None:
    """Call a function, and fail if it takes much longer than a timeout."""
    started = time.monotonic()
    try:
        emit()
    finally:
        taken = time.monotonic() - started
        if taken > timeout + _TOLERANCE:
            raise AssertionError(f"took {taken:.1f} s instead of {timeout:g} s")
