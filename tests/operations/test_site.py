"""`towerws.operations.site`: tokens, and what all requests have in common."""

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure

from tests.operations.case import Response, SiteCase
from towerws.operations.site import IDLE_TIMEOUT, MAX_CONNECTIONS


class TokenTests(SiteCase):
    """A site with a bearer token."""

    token = "s3cret-token"

    def test_right(self) -> None:
        """Who sends it may emit and read the metrics."""
        authorization = "Bearer s3cret-token"
        self.assertEqual(self.emit(authorization=authorization).status, 202)
        response = self.request("GET", "/metrics", authorization=authorization)
        self.assertEqual(response.status, 200)

    def test_wrong(self) -> None:
        """Anything else is refused with a sentence that does not help to guess."""
        for authorization in (
            "",
            "Bearer",
            "Bearer ",
            "Bearer s3cret-toke",
            "Bearer s3cret-token2",
            "Bearer S3CRET-TOKEN",
            "Basic s3cret-token",
            "s3cret-token",
            "Bearer s3cret-tok\xe9n",
        ):
            for response in (
                self.emit(authorization=authorization),
                self.request("GET", "/metrics", authorization=authorization),
            ):
                self.assertEqual(response.status, 403, authorization)
                self.assertEqual(response.json, {"error": "The bearer token is missing or wrong."})
        self.assertEqual(self.emit().status, 403)
        self.assertEqual(self.emitter.emitted, [])
        self.assertEqual(self.metric('towerws_operations_refused_total{reason="token"}'), 19)

    def test_everything_else_needs_it(self) -> None:
        """Who does not have it cannot even find out what there is."""
        for path in ("/", "/nothing", "/revoke", "/emit", "/healthy", "/x/health", "//health"):
            for method in ("GET", "POST", "OPTIONS"):
                self.assertEqual(self.request(method, path).status, 403, path)

    def test_probes_need_none(self) -> None:
        """What load balancers ask stays open, and tells them yes or no."""
        self.assertEqual(self.request("GET", "/health").status, 200)
        self.assertEqual(self.request("GET", "/ready").status, 200)
        self.emitter.reason = "amqp.example.org refused the connection"
        response = self.request("GET", "/ready")
        self.assertEqual((response.status, response.json), (503, {"ready": False}))

    def test_reason_needs_it(self) -> None:
        """Why no events flow is told to operators."""
        self.emitter.reason = "amqp.example.org refused the connection"
        response = self.request("GET", "/ready", authorization="Bearer s3cret-token")
        self.assertEqual(
            (response.status, response.json),
            (503, {"ready": False, "reason": "amqp.example.org refused the connection"}),
        )

    def test_any_host(self) -> None:
        """Who has the token may have come by any name."""
        headers = {"host": "towerws.example", "authorization": "Bearer s3cret-token"}
        response = self.request("GET", "/metrics", None, **headers)
        self.assertEqual(response.status, 200)
        self.assertEqual(self.request("GET", "/health", host="towerws.example").status, 200)

    def test_repr(self) -> None:
        """The token is not shown by what has it."""
        self.assertNotIn("s3cret", repr(self.site))


class PageTests(SiteCase):
    """A site without a token, and web pages that would like to speak with it."""

    _PATHS = ("/health", "/ready", "/metrics", "/emit/jobs-1", "/revoke", "/", "/nothing")

    def test_rebinding(self) -> None:
        """A page whose name was made to point here reads nothing and changes nothing."""
        for host in ("evil.example:8052", "localhost.evil.example", "127.0.0.1.evil.example", ""):
            for path in self._PATHS:
                for method, body in (("GET", None), ("HEAD", None), ("POST", b'{"a": 1}')):
                    response = self.request(method, path, body, host=host)
                    self.assertEqual(response.status, 421, (method, path, host))
        self.assertEqual(self.emitter.emitted, [])
        self.assertEqual(self.metric('towerws_operations_refused_total{reason="host"}'), 84)

    def test_rebinding_sentence(self) -> None:
        """An operator who came by a name of their own learns what to do."""
        self.assertEqual(
            self.request("GET", "/metrics", host="tower.internal").json,
            {
                "error": "Without a token, ask for localhost or an IP address: the Host header "
                "names something else."
            },
        )

    def test_local_hosts(self) -> None:
        """Names and addresses of this machine are what programs on it ask for."""
        for host in ("localhost:8052", "127.0.0.1:8052", "[::1]:8052", "192.0.2.1", "a.localhost"):
            self.assertEqual(self.request("GET", "/metrics", host=host).status, 200, host)

    def test_no_host(self) -> None:
        """A probe of HTTP/1.0 names no host; a browser always does."""
        transport = self.send(b"GET /health HTTP/1.0\r\n\r\n")
        self.assertEqual(Response(transport.value()).status, 200)

    def test_unix_socket(self) -> None:
        """No browser connects to one, and what programs send as ``Host`` is up to them."""
        request = b"GET /metrics HTTP/1.1\r\nHost: towerws\r\n\r\n"
        transport = self.send(request, UNIXAddress("/run/towerws.sock"))
        self.assertEqual(Response(transport.value()).status, 200)

    def test_origin(self) -> None:
        """What a page of whatever origin asks for is refused, before anything else is looked at."""
        for origin in ("https://evil.example", "http://localhost:8052", "null", ""):
            for path in self._PATHS:
                for method in ("GET", "OPTIONS", "POST"):
                    response = self.request(method, path, origin=origin)
                    self.assertEqual(response.status, 403, (method, path, origin))
                    self.assertNotIn("access-control-allow-origin", response.headers)
        self.assertEqual(self.metric('towerws_operations_refused_total{reason="origin"}'), 84)

    def test_log(self) -> None:
        """Each kind of refusal is logged once a minute, with how many there were."""
        with capturedLogs() as logs:
            for _ in range(3):
                self.request("GET", "/metrics", host="evil.example")
                self.request("GET", "/metrics", origin="null")
            self.reactor.advance(60)
            self.request("GET", "/metrics", host="evil.example")
        start = "refused a request of 192.168.1.1 to the operators' site: "
        lines = [str(formatEvent(event)) for event in logs]
        told = [line.removeprefix(start) for line in lines if line.startswith(start)]
        self.assertEqual(len(told), 3, lines)
        self.assertEqual(told[1], "Web pages may ask for nothing here.")
        self.assertTrue(told[2].endswith("names something else. (2 such lines held back)"))

    def test_log_of_a_unix_socket(self) -> None:
        """Where the client has no address, none is shown."""
        with capturedLogs() as logs:
            request = b"GET /metrics HTTP/1.1\r\nOrigin: null\r\n\r\n"
            transport = StringTransport(UNIXAddress("/run/s"), UNIXAddress(""))
            channel = self.site.buildProtocol(None)
            channel.makeConnection(transport)
            channel.dataReceived(request)
        self.assertIn("refused a request of a local program to", str(formatEvent(logs[0])))


class ConnectionTests(SiteCase):
    """What costs nothing."""

    def test_idle_connections(self) -> None:
        """A connection on which nothing comes is closed after a while."""
        transport = self.open()
        self.reactor.advance(IDLE_TIMEOUT - 1)
        self.assertFalse(transport.disconnecting)
        self.reactor.advance(1)
        self.assertTrue(transport.disconnecting)

    def test_requests_are_not_logged(self) -> None:
        """Emits are as frequent as events."""
        with capturedLogs() as logs:
            self.request("GET", "/health")
            self.emit()
        self.assertEqual(logs, [])

    def test_too_many(self) -> None:
        """There is an end to how many may be there, and it is told; who leaves makes room."""
        transports = [self.open() for _ in range(MAX_CONNECTIONS)]
        with capturedLogs() as logs:
            peer = IPv4Address("TCP", "192.0.2.1", 1)
            self.assertEqual([self.site.buildProtocol(peer) for _ in range(2)], [None, None])
        lines = [str(formatEvent(event)) for event in logs]
        self.assertEqual(len(lines), 1)
        self.assertIn("a request of 192.0.2.1", lines[0])
        self.assertTrue(lines[0].endswith(f": There are {MAX_CONNECTIONS} connections."))
        self.assertEqual(self.metric('towerws_operations_refused_total{reason="connections"}'), 2)
        self.channels[0].connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.site.connections, len(transports) - 1)
        self.assertEqual(self.request("GET", "/health").status, 200)

    def test_one_protocol(self) -> None:
        """HTTP/2, which has rules of its own, is not offered over TLS whatever is installed."""
        self.assertEqual(self.site.acceptableProtocols(), [b"http/1.1"])

    def test_one_resource_one_path(self) -> None:
        """Nothing is found below what is not there."""
        for path in ("//metrics", "/nothing/metrics", "/nothing/emit/jobs-1"):
            self.assertEqual(self.request("GET", path).status, 404, path)
