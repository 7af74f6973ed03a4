"""`towerws.operations.publishing`: events that come over HTTP."""

import re

from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionDone
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure

from tests.operations.case import Response, SiteCase
from towerws.core.hub import SourceUnavailable
from towerws.operations.site import IDLE_TIMEOUT


class EmitTests(SiteCase):
    """``POST /emit/<group>``."""

    def test_accepted(self) -> None:
        """202, what became of it, and the payload goes on byte for byte."""
        payload = '{"ä" :1,\r\n "b": []}'.encode()
        response = self.emit("job_events-42", payload)
        self.assertEqual((response.status, response.json), (202, {"confirmed": True}))
        self.assertEqual(self.emitter.emitted, [("job_events-42", payload)])
        self.assertEqual(self.counted("accepted"), 1)

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
            b"POST /emit/jobs-1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"
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
            b"POST /emit/jobs-1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 10000000\r\n\r\n"
        )
        channel = self.channels[-1]
        for number in range(100):
            (request,) = channel.requests
            self.assertEqual(len(request.content.getvalue()), 1001 if number else 0)
            channel.dataReceived(b"x" * 100_000)
        self.assertEqual(Response(transport.value()).status, 413)

    def test_chunked(self) -> None:
        """A body whose length nobody said is taken, and limited all the same."""
        head = (
            b"POST /emit/jobs-1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        transport = self.send(head + b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n")
        self.assertEqual(Response(transport.value()).status, 202)
        self.assertEqual(self.emitter.emitted, [("jobs-1", b"{}")])
        transport = self.send(head)
        channel = self.channels[-1]
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
            head = b"POST /emit/jobs-1 HTTP/1.1\r\nHost: [::1]\r\n%s\r\nContent-Length: 800\r\n\r\n"
            transport = self.send(head % line)
            channel = self.channels[-1]
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
            self.assertEqual(response.json, {"error": "Web pages may ask for nothing here."})

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
            b"POST /emit/jobs-1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
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
                b"POST /emit/jobs-1 HTTP/1.1\r\nHost: localhost\r\n"
                b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
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
            b"POST /emit/jobs-1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 2\r\n\r\n"
        )
        transport = self.send((request + b"{}") * 2 + request + b"[]")
        statuses = re.findall(rb"HTTP/1.1 (\d+)", transport.value())
        self.assertEqual(statuses, [b"202", b"202", b"400"])
        self.assertFalse(transport.disconnecting)
