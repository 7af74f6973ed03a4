"""Whatever is sent to the operators' site."""

import json
import re

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.error import ConnectionLost
from twisted.logger import LogLevel, capturedLogs
from twisted.python.failure import Failure

from tests.expressions import logged
from tests.fuzz.mutations import CUTS, cut, mutated
from tests.operations.case import SiteCase
from tests.properties import CONVERSATION
from towerws.operations.site import IDLE_TIMEOUT

_STATUSES = {200, 202, 400, 403, 404, 405, 413, 415, 421}

_EMIT = (
    b"POST /emit/jobs-1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b'Content-Length: 8\r\n\r\n{"a": 1}'
)
_CHUNKED = (
    b"POST /emit/jobs-1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b'Transfer-Encoding: chunked\r\n\r\n4\r\n{"a"\r\n4;x=y\r\n: 1}\r\n0\r\nT: x\r\n\r\n'
)
_REVOKE = (
    b"POST /revoke HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b'Content-Length: 36\r\n\r\n{"user": "7", "group": "jobs-*"}    '
)
_FORM = (
    b"POST /emit/jobs-1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 7\r\n"
    b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n\r\n"
)
_GET = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nCookie: a=b; c\r\n\r\n"

_LINES = st.sampled_from(
    [
        b"Host: evil.example",
        b"Host: localhost",
        b"Origin: null",
        b"Authorization: Bearer",
        b"Authorization: Bearer \xff\x00",
        b"Content-Type: application/json",
        b"Content-Type: multipart/form-data; boundary=",
        b"Content-Type: application/x-www-form-urlencoded",
        b"Content-Length: 3",
        b"Content-Length: 99999999999999999999",
        b"Content-Length: " + b"9" * 5000,
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: gzip, chunked",
        b"Expect: 100-continue",
        b"Connection: close",
        b"Upgrade: h2c",
        b"Cookie: " + b"a=b;" * 400,
        b"X: " + b"y" * 20_000,
        b" continued",
        b": no name",
        b"no colon",
        b"",
    ]
) | st.binary(max_size=12)
_REQUESTS = st.builds(
    lambda method, path, version, lines, body: b"\r\n".join(
        [b" ".join([method, path, version]), *lines, b"", body]
    ),
    st.sampled_from([b"GET", b"POST", b"HEAD", b"OPTIONS", b"TRACE", b"CONNECT", b"\xff", b""]),
    st.sampled_from(
        b"/emit/jobs-1 /emit/%ff /emit /revoke /revoke/x /metrics?a=%&b /ready /health / * // "
        b"/%2e%2e/emit http://[/ \xff".split(b" ")
    ),
    st.sampled_from([b"HTTP/1.1"] * 5 + [b"HTTP/1.0", b"HTTP/3", b""]),
    st.lists(_LINES, max_size=5),
    st.sampled_from([b"", b"{}", b'{"a": 1}', b"2\r\n{}\r\n0\r\n\r\n", b"x" * 2000]),
)
_GOOD = st.sampled_from([_EMIT, _CHUNKED, _REVOKE, _FORM, _GET])


class SiteTests(SiteCase):
    """Each answer is a documented one and has a length; nothing is in the log, nothing stays."""

    def _converse(self, pieces: list[bytes]) -> bytes:
        with capturedLogs() as logs:
            transport = self.open()
            channel = self.channels.pop()
            for piece in pieces:
                if not transport.disconnecting:
                    channel.dataReceived(piece)
            if not transport.disconnecting:
                # Whoever says no more is sent away.
                self.reactor.pump([IDLE_TIMEOUT])
            self.assertTrue(transport.disconnecting)
            channel.connectionLost(Failure(ConnectionLost()))
            self.reactor.pump([20])
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(self.site.connections, 0)
        errors = [event for event in logs if event["log_level"] >= LogLevel.error]
        self.assertEqual(errors, [], logged(errors))
        sent: bytes = transport.value()
        return sent

    def _check(self, answers: bytes) -> None:
        """Take one answer after the other off the connection."""
        while answers:
            head, separator, rest = answers.partition(b"\r\n\r\n")
            self.assertTrue(separator, answers)
            found = re.match(rb"HTTP/1\.[01] (\d{3}) [A-Za-z -]+\r\n", head + b"\r\n")
            assert found is not None, answers
            if found[1] == b"100":
                answers = rest
                continue
            self.assertIn(int(found[1]), _STATUSES)
            self.assertIn(b"\r\nX-Content-Type-Options: nosniff", head)
            self.assertNotIn(b"\r\nServer:", head)
            length = re.search(rb"\r\nContent-Length: (\d+)", head)
            assert length is not None, answers
            # HEAD has the length of the body that GET would have.
            body = b"" if rest[:7] in (b"", b"HTTP/1.") else rest[: int(length[1])]
            if body and b"application/json" in head:
                self.assertIsInstance(json.loads(body), dict)
            answers = rest[len(body) :]

    @given(st.lists(_REQUESTS | _GOOD, min_size=1, max_size=3).map(b"".join), CUTS)
    @CONVERSATION
    def test_requests(self, stream: bytes, shares: list[float]) -> None:
        """Requests of all kinds, one behind the other on one connection."""
        self._check(self._converse(cut(stream, shares)))

    @given(mutated(st.lists(_GOOD, min_size=1, max_size=3).map(b"".join)), CUTS)
    @CONVERSATION
    def test_damaged(self, stream: bytes, shares: list[float]) -> None:
        """Good requests that were damaged on their way."""
        self._check(self._converse(cut(stream, shares)))

    @given(st.binary(max_size=200), CUTS)
    @CONVERSATION
    def test_anything(self, stream: bytes, shares: list[float]) -> None:
        """Something that is no HTTP at all."""
        self._check(self._converse(cut(stream + b"\r\n\r\n", shares)))
