"""`towerws.notify` over HTTP, with a real server."""

import contextlib
import http.server
import os
import socket
import socketserver
import ssl
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from tests.certificates import make_server_certificate
from towerws.notify import Busy, EmitError, Publisher, Refused, Unreachable


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
