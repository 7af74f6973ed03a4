"""`towerws.operations.channel`: what every answer has."""

import json

from tests.operations.case import Response, SiteCase

_HEAD = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"


class ChannelTests(SiteCase):
    """Every answer, whoever gives it."""

    def _check(self, data: bytes, status: int) -> Response:
        transport = self.send(data)
        self.assertEqual(transport.value().count(b"HTTP/1.1 "), 1, data[:99])
        response = Response(transport.value())
        self.assertEqual(response.status, status)
        self.assertLessEqual(
            {
                "cache-control": "no-store",
                "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
                "cross-origin-resource-policy": "same-origin",
                "referrer-policy": "no-referrer",
                "x-content-type-options": "nosniff",
                "x-frame-options": "DENY",
            }.items(),
            response.headers.items(),
        )
        self.assertNotIn("server", response.headers)
        return response

    def test_answers(self) -> None:
        """Those of resources: good ones, refusals, and what is not there."""
        for request, status in (
            (b"GET /health", 200),
            (b"GET /metrics", 200),
            (b"GET /nothing", 404),
            (b"POST /health", 405),
            (b"POST /emit/jobs-1", 415),
        ):
            self._check(request + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", status)
        self._check(b"GET /health HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421)
        self._check(_HEAD + b"Origin: null\r\n\r\n", 403)

    def test_answers_of_twisted(self) -> None:
        """Those that never reach a resource."""
        self._check(b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", 200)
        self._check(b"GET * HTTP/1.1\r\nHost: localhost\r\n\r\n", 405)

    def test_fault(self) -> None:
        """That of a fault."""
        self.patch(self.emitter, "unready", lambda: 1 / 0)
        self._check(b"GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n", 500)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_bad_requests(self) -> None:
        """Those to what is no request; the connection ends."""
        chunked = _HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
        for data in (
            b"GET\r\n",
            b"\x16\x03\x01\x02\x00\x01\r\n",
            b"GET /health HTTP/9.9\r\n",
            _HEAD + b"no header\r\nA: b\r\n\r\n",
            _HEAD + b"A b: c\r\n\r\n",
            _HEAD + b"A: b\x00c\r\n\r\n",
            _HEAD + b"Content-Length: x\r\n\r\n",
            _HEAD + b"Content-Length: -1\r\n\r\n",
            _HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
            _HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            _HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
            _HEAD + b"Transfer-Encoding: gzip\r\n\r\n",
            _HEAD + b"A: " + b"b" * 17_000 + b"\r\n\r\n",
            _HEAD + b"A: " + b"b" * 17_000,
            _HEAD + b"A: b\r\n" * 501 + b"\r\n",
            chunked + b"x\r\n",
            chunked + b"1\r\nabc",
            chunked + b"-1\r\n",
        ):
            response = self._check(data, 400)
            self.assertEqual(
                json.loads(response.body),
                {"error": "This is not an HTTP request that can be understood."},
            )
            self.assertEqual(response.headers["connection"], "close")
            self.assertEqual(response.headers["content-length"], str(len(response.body)))
            self.assertTrue(self.channels[-1].transport.disconnecting, data)
        self.assertEqual(self.emitter.emitted, [])
