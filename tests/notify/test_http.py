"""Tests of publishing over HTTP: requests over one end of a socket pair."""

import json
import socket
import time
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from towerws.core.revocation import Revocation
from towerws.notify.errors import ConnectionLost, EmitError, Refused, Unreachable
from towerws.notify.http import HTTPConnection, HTTPConnector
from towerws.notify.site import Site

_ACCEPTED = b'HTTP/1.1 202 Accepted\r\nContent-Length: 16\r\n\r\n{"delivered": 1}'


class TokenTests(SynchronousTestCase):
    """The site's bearer token."""

    def test_refused(self) -> None:
        """One that would break the header is refused, and not repeated."""
        for token in ("hunter2\r\nX: y", "hunter2 x", "hünter2", ""):
            error = self.assertRaises(ValueError, HTTPConnector, Site("h", 80), token)
            self.assertNotIn("2", str(error))


class ConnectionTests(SynchronousTestCase):
    """A kept-alive connection, whose peer has sent its answers in advance."""

    def setUp(self) -> None:
        """Connect the two ends."""
        ours, self.peer = socket.socketpair()
        self.addCleanup(self.peer.close)
        self.peer.settimeout(5)
        self.connection = HTTPConnection(ours, "/ops", {"Host": "tower", "X-Y": "z"})
        self.addCleanup(self.connection.abandon)

    def _publish(self, *, seconds: float = 5.0) -> None:
        self.connection.publish("jobs-summary", b'{"a": 1}', time.monotonic() + seconds)

    def _failure(self, kind: type[EmitError], *, seconds: float = 5.0) -> str:
        return str(self.assertRaises(kind, self._publish, seconds=seconds))

    def test_request(self) -> None:
        """A POST with the headers given, and the body as it is; answered with 202."""
        self.peer.sendall(_ACCEPTED)
        self._publish()
        head, _, body = self.peer.recv(65536).partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        self.assertEqual(lines[0], "POST /ops/emit/jobs-summary HTTP/1.1")
        self.assertEqual(
            sorted(lines[1:]),
            ["Accept-Encoding: identity", "Content-Length: 8", "Host: tower", "X-Y: z"],
        )
        self.assertEqual(body, b'{"a": 1}')

    def test_revoke(self) -> None:
        """A revocation takes another path; what the server says became of it is given back."""
        for said in ({"connections": 3}, {"confirmed": True}):
            body = json.dumps(said).encode()
            self.peer.sendall(
                b"HTTP/1.1 202 Accepted\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
            )
            answer = self.connection.revoke(Revocation("7", "jobs-*"), time.monotonic() + 5)
            self.assertEqual(answer, said)
            request = self.peer.recv(65536)
            self.assertTrue(request.startswith(b"POST /ops/revoke HTTP/1.1\r\n"), request)
            self.assertTrue(request.endswith(b'{"user": "7", "group": "jobs-*"}'), request)

    def test_revoke_elsewhere(self) -> None:
        """What is not towerws's answer confirms nothing."""
        for body in (b"<html>", b"[]", b"3"):
            self.peer.sendall(
                b"HTTP/1.1 202 Accepted\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
            )
            deadline = time.monotonic() + 5
            self.assertRaises(Refused, self.connection.revoke, Revocation("7"), deadline)

    def test_keeps_alive(self) -> None:
        """Several events go over one connection."""
        for _ in range(3):
            self.peer.sendall(_ACCEPTED)
            self._publish()

    def test_closed_by_the_server(self) -> None:
        """After an answer that ends the connection the next event finds it lost."""
        self.peer.sendall(_ACCEPTED.replace(b"Content", b"Connection: close\r\nContent", 1))
        self._publish()
        self._failure(ConnectionLost)

    def test_stale(self) -> None:
        """A connection that the server has closed meanwhile is lost, whatever it was told."""
        self.peer.close()
        self.assertIn("the connection was lost", self._failure(ConnectionLost))

    def test_no_http(self) -> None:
        """What answers must be an HTTP server."""
        self.peer.sendall(b"220 mail.example.org ESMTP\r\n")
        self._failure(ConnectionLost)

    def test_silence(self) -> None:
        """Without an answer the wait ends in time."""
        started = time.monotonic()
        self.assertIn("in time", self._failure(Unreachable, seconds=0.05))
        self.assertLess(time.monotonic() - started, 2)

    def test_half_an_answer(self) -> None:
        """The time limit is for the whole answer, not for each piece of it."""
        self.peer.sendall(_ACCEPTED[:-1])
        self.assertIn("in time", self._failure(Unreachable, seconds=0.05))

    def test_no_time(self) -> None:
        """Nothing is sent when the time is over already."""
        self._failure(Unreachable, seconds=0.0)
        self.peer.setblocking(False)
        self.assertRaises(BlockingIOError, self.peer.recv, 1)

    def test_endless_answer(self) -> None:
        """An answer that nobody needs in full ends the connection, not the event."""
        self.peer.sendall(b"HTTP/1.1 202 OK\r\nContent-Length: 1000000\r\n\r\n" + b" " * 65536)
        self._publish()
        self._failure(ConnectionLost)

    def test_close(self) -> None:
        """Closing closes the socket; then the connection is lost."""
        self.connection.close(time.monotonic())
        self.assertEqual(self.peer.recv(1), b"")
        self._failure(ConnectionLost)


class RefusalTests(SynchronousTestCase):
    """The server's words, when it says no."""

    def _refusal(self, status: str, body: bytes) -> str:
        ours, peer = socket.socketpair()
        connection = HTTPConnection(ours, "", {"Host": "tower"})
        try:
            length = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n"
            peer.sendall(length.encode() + body)
            publish: Callable[..., None] = connection.publish
            deadline = time.monotonic() + 5
            return str(self.assertRaises(Refused, publish, "jobs-summary", b"{}", deadline))
        finally:
            connection.abandon()
            peer.close()

    def test_sentence(self) -> None:
        """The sentence of the JSON body is repeated."""
        self.assertEqual(
            self._refusal("400 Bad Request", b'{"error": "No such thing."}\n'),
            "the server answered 400: No such thing.",
        )

    def test_other_bodies(self) -> None:
        """With any other body it is the status."""
        for body in (b"<html>", b"[]", b"{}", b'{"error": 1}', b"\xff", b"", b"[" * 60000):
            self.assertEqual(self._refusal("404 Gone", body), "the server answered 404: Gone")

    def test_only_202(self) -> None:
        """What is not 202 did not come from towerws: another server's 200 is no success."""
        for status in ("200 OK", "204 No Content", "301 Moved", "503 Down"):
            self.assertIn(status.split()[0], self._refusal(status, b""))

    def test_fit_for_a_log(self) -> None:
        """Control characters and endless texts do not reach the log."""
        body = json.dumps({"error": "\x1b[31m\n" + "x" * 1000}).encode()
        refusal = self._refusal("400 Bad", body)
        self.assertTrue(refusal.isprintable())
        self.assertLess(len(refusal), 350)
