"""`towerws.operations`: the operators' site, spoken to with raw HTTP."""

import json
import re
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from towerws.core.hub import Hub, SourceUnavailable
from towerws.core.metrics import Metrics
from towerws.embedded import EmbeddedSource
from towerws.operations import IDLE_TIMEOUT, OperationsSite

#: The text format of Prometheus, version 0.0.4: what a line may be.
_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
_VALUE = r"(?:[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|Inf)|NaN)"
_EXPOSITION = re.compile(
    rf"(?:# HELP {_NAME} [^\n]+\n# TYPE ({_NAME}) (?:counter|gauge)\n"
    rf"(?:\1(?:\{{{_LABEL}(?:,{_LABEL})*\}})? {_VALUE}\n)+)+"
)


class FakeEmitter:
    """A `towerws.operations.Emitter` that a test tells what to answer.

    Attributes:
        answer: What the next emits get.
        emitted: What was published.
        reason: Why it is not ready.
    """

    def __init__(self) -> None:
        """Take everything."""
        self.answer: Deferred[dict[str, object]] | None = None
        self.emitted: list[tuple[str, bytes]] = []
        self.reason: str | None = None

    def emit(self, group: str, payload: bytes) -> Deferred[dict[str, object]]:
        """See `towerws.operations.Emitter`."""
        self.emitted.append((group, payload))
        return succeed({"confirmed": True}) if self.answer is None else self.answer

    def unready(self) -> str | None:
        """See `towerws.operations.Emitter`."""
        return self.reason


class Response:
    """One answer, taken apart.

    Attributes:
        status: The status code.
        headers: By their names in lower case.
        body: What came behind them.
    """

    def __init__(self, data: bytes) -> None:
        """Take a whole response apart."""
        head, _, self.body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("ascii").split("\r\n")
        self.status = int(first.split()[1])
        self.headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in lines)
        }

    @property
    def json(self) -> Any:
        """The body, decoded; its framing is checked."""
        assert self.headers["content-type"] == "application/json"
        assert int(self.headers["content-length"]) == len(self.body)
        assert self.body.endswith(b"}\n")
        return json.loads(self.body)


class SiteCase(SynchronousTestCase):
    """A test with a site in memory."""

    token: str | None = None

    def setUp(self) -> None:
        """Set up the site."""
        self.reactor = MemoryReactorClock()
        self.metrics = Metrics()
        self.emitter = FakeEmitter()
        self.site = OperationsSite(self.emitter, self.metrics, token=self.token, max_event=1000)
        # The timeouts of Twisted's HTTP are the global reactor's otherwise.
        self.site.reactor = self.reactor
        self.channels: list[Any] = []

    def open(self) -> StringTransport:
        """Connect to the site."""
        channel = self.site.buildProtocol(None)
        transport = StringTransport()
        transport.protocol = channel  # type: ignore[attr-defined]
        channel.makeConnection(transport)
        self.channels.append(channel)
        return transport

    def send(self, data: bytes) -> StringTransport:
        """Send bytes on a new connection."""
        transport = self.open()
        self.channels[-1].dataReceived(data)
        return transport

    def request(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> Response:
        """Send a request and take its answer."""
        lines = {"host": "localhost"}
        if body is not None:
            lines |= {"content-type": "application/json", "content-length": str(len(body))}
        lines |= {name.replace("_", "-"): value for name, value in headers.items()}
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(
            f"{name}: {value}\r\n" for name, value in lines.items()
        )
        transport = self.send(head.encode("utf-8") + b"\r\n" + (body or b""))
        return Response(transport.value())

    def emit(self, group: str = "jobs-1", body: bytes = b'{"a": 1}', **headers: str) -> Response:
        """Publish an event."""
        return self.request("POST", f"/emit/{group}", body, **headers)

    def counted(self, result: str) -> float:
        """Read the counter of emits with a result."""
        name = f'towerws_emits_total{{result="{result}"}}'
        (line,) = (line for line in self.metrics.render().splitlines() if line.startswith(name))
        return float(line.rpartition(" ")[2])


class EmitTests(SiteCase):
    """``POST /emit/<group>``."""

    def test_accepted(self) -> None:
        """202, what became of it, and the payload goes on byte for byte."""
        payload = '{"ä" :1,\r\n "b": []}'.encode()
        response = self.emit("job_events-42", payload)
        self.assertEqual((response.status, response.json), (202, {"confirmed": True}))
        self.assertEqual(self.emitter.emitted, [("job_events-42", payload)])
        self.assertEqual(self.counted("accepted"), 1)
        self.assertEqual(response.headers["cache-control"], "no-store")
        self.assertEqual(response.headers["x-content-type-options"], "nosniff")

    def test_content_types(self) -> None:
        """Parameters and capitals do no harm; another type is refused."""
        for content_type in ("application/json; charset=utf-8", "Application/JSON"):
            self.assertEqual(self.emit(content_type=content_type).status, 202)
        for content_type in ("text/plain", "", "application/x-www-form-urlencoded", "text/json"):
            response = self.emit(content_type=content_type)
            self.assertEqual(response.status, 415)
            self.assertEqual(response.json, {"error": "The content type must be application/json."})
        self.assertEqual(len(self.emitter.emitted), 2)

    def test_without_content_type(self) -> None:
        """No type is not the right type."""
        transport = self.send(
            b"POST /emit/jobs-1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
        )
        self.assertEqual(Response(transport.value()).status, 415)

    def test_forms(self) -> None:
        """Bodies that Twisted parses by itself, as forms, are refused whatever is in them."""
        for content_type in (
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "multipart/form-data",
            "multipart/form-data; boundary=\xff",
        ):
            for body in (b"a=b", b"--x\r\n\r\n", b"\xff" * 2000, b""):
                with capturedLogs():
                    response = self.emit(body=body, content_type=content_type)
                self.assertIn(response.status, (400, 415), content_type)
        self.assertEqual(self.emitter.emitted, [])
        self.flushLoggedErrors()

    def test_bad_payloads(self) -> None:
        """What no client could read is refused with the reason."""
        for body, sentence in (
            (b"", "The payload is not JSON."),
            (b"{", "The payload is not JSON."),
            (b'{"a": NaN}', "The payload is not JSON."),
            (b"[1]", "The payload is not a JSON object."),
            (b"null", "The payload is not a JSON object."),
            (b'"\xff"', "The payload is not UTF-8."),
            ('{"a": 1}'.encode("utf-16"), "The payload is not UTF-8."),
            (b'{"a": ' + b"9" * 900 + b"}", None),
        ):
            response = self.emit(body=body)
            if sentence is None:
                self.assertEqual(response.status, 202)
                continue
            self.assertEqual((response.status, response.json), (400, {"error": sentence}))
        self.assertEqual(self.counted("refused"), 7)

    def test_too_large(self) -> None:
        """One byte over the limit is too much; the limit itself is not."""
        self.assertEqual(self.emit(body=b'{"a": "%s"}' % (b"x" * 991)).status, 202)
        response = self.emit(body=b'{"a": "%s"}' % (b"x" * 992))
        self.assertEqual(
            (response.status, response.json),
            (413, {"error": "The payload is larger than 1000 bytes."}),
        )

    def test_far_too_large(self) -> None:
        """A body of any size is read to its end without being kept."""
        transport = self.send(
            b"POST /emit/jobs-1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 10000000\r\n\r\n"
        )
        channel = self.channels[-1]._channel
        for number in range(100):
            (request,) = channel.requests
            self.assertEqual(len(request.content.getvalue()), 1001 if number else 0)
            channel.dataReceived(b"x" * 100_000)
        self.assertEqual(Response(transport.value()).status, 413)

    def test_chunked(self) -> None:
        """A body whose length nobody said is taken, and limited all the same."""
        head = (
            b"POST /emit/jobs-1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        transport = self.send(head + b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n")
        self.assertEqual(Response(transport.value()).status, 202)
        self.assertEqual(self.emitter.emitted, [("jobs-1", b"{}")])
        transport = self.send(head)
        channel = self.channels[-1]._channel
        for _ in range(100):
            channel.dataReceived(b"2710\r\n" + b"x" * 10_000 + b"\r\n")
            (request,) = channel.requests
            self.assertEqual(len(request.content.getvalue()), 1001)
        channel.dataReceived(b"0\r\n\r\n")
        self.assertEqual(Response(transport.value()).status, 413)

    def test_refused_bodies_are_not_kept(self) -> None:
        """What is refused for its headers costs no memory, and no parsing of forms."""
        for line in (
            b"Content-Type: application/x-www-form-urlencoded",
            b"Content-Type: multipart/form-data",
            b"Content-Type: application/json\r\nOrigin: http://evil.example",
        ):
            head = b"POST /emit/jobs-1 HTTP/1.1\r\nHost: x\r\n%s\r\nContent-Length: 800\r\n\r\n"
            transport = self.send(head % line)
            channel = self.channels[-1]._channel
            channel.dataReceived(b"a&" * 300)
            (request,) = channel.requests
            self.assertEqual(request.content.getvalue(), b"")
            channel.dataReceived(b"a&" * 100)
            self.assertIn(Response(transport.value()).status, (403, 415))
            self.assertEqual(request.args, {})

    def test_groups(self) -> None:
        """Names outside the grammar are refused, however they are spelled in the path."""
        for path, part in (
            ("", "The group name is empty."),
            ("jobs/1", "'jobs/1'"),
            ("jobs%2F1", "'jobs/1'"),
            ("..%2Fhealth", "'../health'"),
            ("%24server", "begin with $"),
            ("$server", "begin with $"),
            ("j%C3%B6bs-1", "'jöbs-1'"),
            ("%FF%FE", "has a character outside"),
            ("a%00b", "has a character outside"),
            ("a%0Ab", "has a character outside"),
            ("jobs-%2A", "'jobs-*'"),
            ("#", "'#'"),
            ("x" * 101, "longer than 100"),
        ):
            response = self.emit(path)
            self.assertEqual(response.status, 400, path)
            self.assertIn(part, response.json["error"])
        self.assertEqual(self.request("POST", "/emit", b"{}").status, 400)
        self.assertEqual(self.emitter.emitted, [])

    def test_odd_but_good_paths(self) -> None:
        """Percent-encoding of ordinary characters and a query change nothing."""
        for path in ("jobs%2D1", "jobs-1?x=y", "%6aobs-1", "x" * 100):
            self.assertEqual(self.emit(path).status, 202, path)
        self.assertEqual([group for group, _ in self.emitter.emitted][:3], ["jobs-1"] * 3)

    def test_web_pages(self) -> None:
        """Whatever names an origin comes from a browser and is refused first of all."""
        for origin in ("https://evil.example", "null", ""):
            response = self.emit(origin=origin)
            self.assertEqual(response.status, 403)
            self.assertEqual(response.json, {"error": "Web pages may not emit events."})

    def test_methods(self) -> None:
        """Only POST emits."""
        for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS", "post"):
            response = self.request(method, "/emit/jobs-1")
            self.assertEqual((response.status, response.headers["allow"]), (405, "POST"))

    def test_source_away(self) -> None:
        """503 with the source's sentence."""
        self.emitter.answer = fail(SourceUnavailable("The broker is away: it sleeps."))
        response = self.emit()
        self.assertEqual(
            (response.status, response.json), (503, {"error": "The broker is away: it sleeps."})
        )
        self.assertEqual(self.counted("failed"), 1)

    def test_fault(self) -> None:
        """A fault of ours is answered as well, and logged; nothing of its text leaves."""
        self.emitter.answer = fail(ZeroDivisionError("secret"))
        response = self.emit()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(response.status, 500)
        self.assertEqual(response.json, {"error": "A fault of the server; see its log."})
        self.assertEqual(self.counted("failed"), 1)

    def test_slow_source(self) -> None:
        """The answer waits for the source, beyond the idle timeout."""
        self.emitter.answer = Deferred()
        transport = self.send(
            b"POST /emit/jobs-1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 2\r\n\r\n{}"
        )
        self.reactor.advance(2 * IDLE_TIMEOUT)
        self.assertEqual(transport.value(), b"")
        self.emitter.answer.callback({"confirmed": True})
        self.assertEqual(Response(transport.value()).status, 202)

    def test_publisher_leaves(self) -> None:
        """A publisher that leaves before the answer leaves no error behind."""
        for outcome in ("callback", "errback"):
            self.emitter.answer = Deferred()
            self.send(
                b"POST /emit/jobs-1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Content-Length: 2\r\n\r\n{}"
            )
            self.channels[-1].connectionLost(Failure(ConnectionDone()))
            with capturedLogs() as logs:
                if outcome == "callback":
                    self.emitter.answer.callback({"confirmed": True})
                else:
                    self.emitter.answer.errback(SourceUnavailable("Away."))
            self.assertEqual([formatEvent(event) for event in logs], [])
        self.assertEqual((self.counted("accepted"), self.counted("failed")), (1, 1))

    def test_many_on_one_connection(self) -> None:
        """Publishers keep their connection; what is sent ahead is answered in order."""
        request = (
            b"POST /emit/jobs-1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 2\r\n\r\n"
        )
        transport = self.send((request + b"{}") * 2 + request + b"[]")
        statuses = re.findall(rb"HTTP/1.1 (\d+)", transport.value())
        self.assertEqual(statuses, [b"202", b"202", b"400"])
        self.assertFalse(transport.disconnecting)


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
        self.assertEqual(self.counted("refused"), 10)

    def test_probes_need_none(self) -> None:
        """What load balancers ask stays open: it tells nothing."""
        self.assertEqual(self.request("GET", "/health").status, 200)
        self.assertEqual(self.request("GET", "/ready").status, 200)


class ProbeTests(SiteCase):
    """``/health``, ``/ready`` and what is not there."""

    def test_health(self) -> None:
        """The process answers, ready or not."""
        self.emitter.reason = "not connected to the broker yet"
        response = self.request("GET", "/health")
        self.assertEqual((response.status, response.json), (200, {"healthy": True}))

    def test_ready(self) -> None:
        """200 when events flow."""
        response = self.request("GET", "/ready")
        self.assertEqual((response.status, response.json), (200, {"ready": True}))

    def test_not_ready(self) -> None:
        """503 and the reason when they do not."""
        self.emitter.reason = "not connected to the broker yet"
        response = self.request("GET", "/ready")
        self.assertEqual(
            (response.status, response.json),
            (503, {"ready": False, "reason": "not connected to the broker yet"}),
        )

    def test_head(self) -> None:
        """HEAD is answered as GET, without the body."""
        for path in ("/health", "/ready", "/metrics"):
            response = self.request("HEAD", path)
            self.assertEqual((response.status, response.body), (200, b""), path)

    def test_other_methods(self) -> None:
        """Nothing can be changed here."""
        for path in ("/health", "/ready", "/metrics"):
            response = self.request("POST", path, b"{}")
            self.assertEqual((response.status, response.headers["allow"]), (405, "GET"))
            self.assertEqual(response.json, {"error": "Only GET is allowed here."})

    def test_not_found(self) -> None:
        """Elsewhere is told what there is."""
        for path in ("/", "/nothing", "/emits/jobs-1", "/websocket/"):
            for method in ("GET", "POST"):
                response = self.request(method, path)
                self.assertEqual(response.status, 404, path)
                self.assertIn("POST /emit/<group>", response.json["error"])

    def test_no_traceback(self) -> None:
        """A fault in a resource shows nothing of the program."""
        self.patch(self.emitter, "unready", lambda: 1 / 0)
        response = self.request("GET", "/ready")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(response.status, 500)
        self.assertNotIn(b"ZeroDivisionError", response.body)

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


class MetricsTests(SiteCase):
    """``/metrics``."""

    def test_format(self) -> None:
        """The page is what Prometheus parses, with every kind of metric of the server."""
        EmbeddedSource(Hub(self.metrics))
        self.metrics.gauge("towerws_something", "A float.", lambda: 0.5)
        response = self.request("GET", "/metrics")
        self.assertEqual(
            response.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8"
        )
        self.assertIsNotNone(_EXPOSITION.fullmatch(response.body.decode()))
        self.assertIn(b'towerws_emits_total{result="accepted"} 0\n', response.body)

    def test_one_family_once(self) -> None:
        """No metric is announced twice, which Prometheus would refuse."""
        self.emit()
        page = self.request("GET", "/metrics").body.decode()
        types = re.findall(r"# TYPE (\S+)", page)
        self.assertEqual(len(types), len(set(types)))
