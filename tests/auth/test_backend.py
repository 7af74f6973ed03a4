"""Tests of `towerws.auth.backend`, over a network in memory; see also `test_backend_errors`."""

from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import capturedLogs

from tests.auth.backend_case import BackendCase
from tests.auth.memory_backend import MemoryBackend
from towerws.auth.backend import MAX_HEADERS, MAX_REQUESTS, Backend
from towerws.auth.errors import Unavailable


class GetTests(BackendCase):
    """Requests and their answers."""

    def test_answer(self) -> None:
        """A request has the client's headers; its answer has status and body."""
        asked = self.get("", {"Cookie": "sessionid=1", "Authorization": "Basic eA=="})
        connection = self.network.accept()
        target, headers = connection.request()
        self.assertEqual(target, "/towerws/")
        self.assertEqual(
            headers,
            {
                "host": "127.0.0.1:8000",
                "accept": "application/json",
                "user-agent": "towerws",
                "cookie": "sessionid=1",
                "authorization": "Basic eA==",
            },
        )
        connection.answer({"user": 1}, 201)
        reply = self.successResultOf(asked)
        self.assertEqual((reply.status, reply.json()), (201, {"user": 1}))

    def test_whole_network(self) -> None:
        """The connection goes to the URL's host and port."""
        self.get().addErrback(lambda _: None)
        host, port, *_ = self.network.reactor.tcpClients[0]
        self.assertEqual((host, port), ("127.0.0.1", 8000))

    def test_paths(self) -> None:
        """Paths are below the URL's, queries included; an empty one is the URL itself."""
        for url, path, target in (
            ("http://h/a/", "me/", "/a/me/"),
            ("http://h/a", "/jobs/42/?x=%20y", "/a/jobs/42/?x=%20y"),
            ("http://h/a", "", "/a"),
            ("http://h", "", "/"),
            ("http://h", "a", "/a"),
            ("http://h/a/", "?next=/../", "/a/?next=/../"),
        ):
            network = MemoryBackend()
            network.reactor.nameResolver = self.network.reactor.nameResolver
            backend = Backend(url.replace("//h", "//127.0.0.1"))
            backend.attach(network.reactor)
            Deferred.fromCoroutine(backend.get(path, {})).addErrback(lambda _: None)
            connection = network.accept()
            sent, headers = connection.request()
            self.assertEqual((sent, headers["host"]), (target, "127.0.0.1"))

    def test_paths_that_lead_elsewhere(self) -> None:
        """A path that could leave the URL's, or end the line, is a mistake of the caller's."""
        for path in ("../x", "a/../../x", "a/..", ".", "a/%2e%2E/b", "a b", "a\r\nb", "a#b", "ä"):
            self.failureResultOf(self.get(path), ValueError)
        self.assertEqual(self.network.knocking, 0)

    def test_redirects_are_answers(self) -> None:
        """Nobody is led elsewhere with a client's credentials."""
        asked = self.get("", {"Cookie": "sessionid=1"})
        connection = self.network.accept()
        connection.answer(b"", 302, "Location: http://evil.example/")
        self.assertEqual(self.successResultOf(asked).status, 302)
        self.assertEqual(self.network.knocking, 0)

    def test_kept_open(self) -> None:
        """The next request uses the same connection, one at the same time another."""
        first = self.get()
        connection = self.network.accept()
        connection.answer({})
        self.successResultOf(first)
        connection.request()
        second, third = self.get("second"), self.get("third")
        self.assertEqual(connection.request()[0], "/towerws/second")
        self.assertEqual(self.network.accept().request()[0], "/towerws/third")
        connection.answer({})
        self.successResultOf(second)
        self.assertNoResult(third)

    def test_closed_meanwhile(self) -> None:
        """A connection that turns out to be closed is replaced, and the request repeated."""
        asked = self.get()
        connection = self.network.accept()
        connection.answer({})
        self.successResultOf(asked)
        again = self.get("again")
        connection.close()
        replacement = self.network.accept()
        self.assertEqual(replacement.request()[0], "/towerws/again")
        replacement.answer({})
        self.successResultOf(again)

    def test_headers_that_cannot_be(self) -> None:
        """What HTTP cannot carry is refused as the client's fault, and nothing is sent."""
        for value in ("a\r\nX-Admin: 1", "a\nb", "a\x00", "a\x7f", "\u20ac", "\ud800"):
            reason = self.failureResultOf(self.get("", {"Cookie": value}), UnauthorizedLogin)
            self.assertNotIn(value, str(reason.value))
        self.assertEqual(self.network.knocking, 0)

    def test_bytes_beyond_ascii(self) -> None:
        """Headers reach the backend byte for byte: as Latin-1, as they were read."""
        asked = self.get("", {"Cookie": "a=\xe9\t\xff"})
        connection = self.network.accept()
        self.assertEqual(connection.request()[1]["cookie"], "a=\xe9\t\xff")
        asked.addErrback(lambda _: None)

    def test_without_length(self) -> None:
        """An answer that ends with the connection, as HTTP/1.0 has it, is whole."""
        asked = self.get()
        connection = self.network.accept()
        connection.send(b'HTTP/1.0 200 OK\r\n\r\n{"user"')
        connection.send(b": 1}")
        self.assertNoResult(asked)
        connection.close()
        self.assertEqual(self.successResultOf(asked).json(), {"user": 1})


class ExposedTests(BackendCase):
    """Whether others can read what is sent."""

    def test_exposed(self) -> None:
        """Without TLS and over a network; that is in the log when the server starts."""
        for url, exposed in (
            ("http://127.0.0.1/", False),
            ("http://[::1]:8000/", False),
            ("http://localhost/", False),
            ("https://app.example/", False),
            ("http://app.example/", True),
            ("http://10.0.0.1/", True),
        ):
            backend = Backend(url)
            with capturedLogs() as logs:
                backend.attach(self.network.reactor)
            self.addCleanup(backend.close)
            self.assertEqual((backend.is_exposed, len(logs)), (exposed, exposed), url)


class LimitTests(BackendCase):
    """Everything is bounded: time, bytes, and requests at once."""

    def test_timeout(self) -> None:
        """Whatever is missing in time, the request ends and its connection is gone."""
        stages = (b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")
        for sent in stages:
            asked = self.get("", {"Cookie": "secret"})
            connection = self.network.accept()
            if sent:
                connection.send(sent)
            self.network.reactor.advance(2.4)
            self.assertNoResult(asked)
            self.network.reactor.advance(0.1)
            self.assertEqual(
                self.refusal(asked), "http://127.0.0.1:8000 did not answer within 2.5 s"
            )
            self.network.reactor.advance(2)
            self.assertTrue(connection.aborted)
        self.assertEqual(self.network.reactor.getDelayedCalls(), [])

    def test_timeout_while_connecting(self) -> None:
        """A backend that does not even accept is given up."""
        asked = self.get()
        self.network.reactor.advance(2.5)
        self.assertIn("did not answer", self.refusal(asked))
        self.assertTrue(self.network.reactor.connectors[0].stoppedConnecting)

    def test_cancel(self) -> None:
        """Who loses interest leaves nothing behind."""
        asked = self.get()
        connection = self.network.accept()
        asked.cancel()
        self.failureResultOf(asked, CancelledError, Unavailable)
        self.assertTrue(connection.aborted)
        self.assertEqual(self.network.reactor.getDelayedCalls(), [])

    def test_large_body(self) -> None:
        """A body over the limit ends the request at once, however its length is told."""
        heads = (
            b"Content-Length: 5000\r\n\r\n",
            b"Transfer-Encoding: chunked\r\n\r\n7d0\r\n",
            b"\r\n",
        )
        for head in heads:
            asked = self.get()
            connection = self.network.accept()
            connection.send(b"HTTP/1.1 200 OK\r\n" + head + b"x" * 1000)
            self.assertNoResult(asked)
            connection.send(b"x")
            self.assertIn("more than an answer may have", self.refusal(asked))
            self.assertTrue(connection.closing)
            connection.send(b"x" * 500)
            connection.close()

    def test_largest_body(self) -> None:
        """A body of just the limit is an answer."""
        asked = self.get()
        self.network.accept().answer(b"x" * 1000)
        self.assertEqual(self.successResultOf(asked).body, b"x" * 1000)

    def test_endless_headers(self) -> None:
        """Headers without an end are cut off."""
        asked = self.get()
        connection = self.network.accept()
        connection.send(b"HTTP/1.1 200 OK\r\n")
        line = b"X: " + b"x" * 995 + b"\r\n"
        for _ in range((MAX_HEADERS + 2 * 1000) // len(line)):
            connection.send(line)
        self.assertNoResult(asked)
        connection.send(line)
        self.assertIn("more than an answer may have", self.refusal(asked))
        self.assertTrue(connection.aborted)

    def test_requests_at_once(self) -> None:
        """More requests than may be at once wait for their turn, within their time."""
        running = [self.get() for _ in range(MAX_REQUESTS)]
        self.assertEqual(self.network.knocking, MAX_REQUESTS)
        self.network.reactor.advance(1)
        waiting = self.get("waiting")
        impatient = self.get("impatient")
        impatient.cancel()
        self.failureResultOf(impatient, CancelledError)
        self.assertEqual(self.network.knocking, MAX_REQUESTS)
        self.network.reactor.advance(1.5)
        for each in running:
            self.refusal(each)
        self.assertEqual(self.network.knocking, MAX_REQUESTS + 1)
        self.network.reactor.advance(1)
        self.refusal(waiting)
