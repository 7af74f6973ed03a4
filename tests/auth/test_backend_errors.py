"""Tests of `towerws.auth.backend`: what goes wrong, and how it is told."""

from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.auth.backend_case import BackendCase
from tests.auth.memory_backend import MemoryBackend
from tests.certificates import make_server_certificate
from towerws.auth.backend import Backend, Reply
from towerws.auth.errors import Unavailable


class FailureTests(BackendCase):
    """What goes wrong is told in a sentence, without anything of what was sent or received."""

    def test_refused(self) -> None:
        """Nobody listens there."""
        asked = self.get()
        self.network.refuse()
        self.assertEqual(
            self.refusal(asked),
            "http://127.0.0.1:8000 cannot be reached: An error occurred while connecting: "
            "nobody listens",
        )

    def test_unknown_name(self) -> None:
        """The host's name is not known."""
        self.backend = Backend("http://no_such_host/")
        reactor = MemoryBackend().reactor
        reactor.nameResolver = _Nowhere()
        self.backend.attach(reactor)
        self.assertIn("http://no_such_host:80 cannot be reached: ", self.refusal(self.get()))

    def test_broken_off(self) -> None:
        """The backend closes the connection before its answer is whole."""
        for sent in (b"", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"):
            asked = self.get("", {"Cookie": "secret"})
            connection = self.network.accept()
            if sent:
                connection.send(sent)
            connection.close()
            self.assertEqual(
                self.refusal(asked),
                "http://127.0.0.1:8000 closed the connection before its answer was whole",
            )

    def test_not_http(self) -> None:
        """Something else answers there."""
        for sent in (
            b"SSH-2.0-OpenSSH_9.2 secret\r\n",
            b"HTTP/1.1 secret\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nsecret\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: secret\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: secret\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nsecret\r\n",
        ):
            asked = self.get()
            connection = self.network.accept()
            connection.send(sent)
            connection.close()
            self.assertEqual(
                self.refusal(asked), "http://127.0.0.1:8000 sent something that is not HTTP"
            )

    def test_not_json(self) -> None:
        """A body that is no JSON, or too deep for it, is no answer; and it is not shown."""
        for body in (b"<html>secret", b"", b"\xff", b"[" * 100_000, b"9" * 5000):
            reply = Reply(200, body)
            error = self.assertRaises(Unavailable, reply.json)
            self.assertEqual(str(error), "the backend's answer is not JSON")
            self.assertNotIn("secret", repr(reply))

    def test_detached(self) -> None:
        """A backend that is closed closes its connections and is asked no more."""
        asked = self.get()
        connection = self.network.accept()
        connection.answer({})
        self.successResultOf(asked)
        closing = self.backend.close()
        self.assertTrue(connection.closing)
        self.assertNoResult(closing)
        self.network.reactor.advance(2)
        self.assertTrue(connection.aborted)
        self.successResultOf(closing)
        self.assertEqual(self.refusal(self.get()), "http://127.0.0.1:8000 is not asked any more")
        self.successResultOf(self.backend.close())


class _Nowhere:
    """A resolver that knows no name."""

    def resolveHostName(self, receiver: Any, *_: Any, **__: Any) -> None:  # noqa: N802
        receiver.resolutionComplete()


class SettingsTests(SynchronousTestCase):
    """What is wrong with a URL or a file is said at the start."""

    def test_urls(self) -> None:
        """URLs that are none, or not for this, are refused without being repeated."""
        for url, text in (
            ("", "spaces"),
            ("http://secret host/", "spaces"),
            ("http://secret/\r\nX: 1", "spaces"),
            ("http://sécret/", "spaces"),
            ("ftp://secret/", "http:// or https://"),
            ("secret", "http:// or https://"),
            ("http://admin:secret@h/", "user or a password"),
            ("http://secret@h/", "user or a password"),
            ("http://h/?secret=1", "query or a fragment"),
            ("http://h/#secret", "query or a fragment"),
            ("http:///secret", "host or the port"),
            ("http://h:secret/", "host or the port"),
            ("http://h:0/secret", "host or the port"),
            ("http://h:65536/secret", "host or the port"),
            ("http://[secret/", "host or the port"),
            ("http://h!secret/", "host or the port"),
        ):
            error = self.assertRaises(ValueError, Backend, url)
            self.assertIn(text, str(error))
            self.assertNotIn("secret", str(error))

    def test_good_urls(self) -> None:
        """Names as Docker's, addresses of both kinds, and default ports are fine."""
        for url in ("https://h", "HTTP://web_1:8000/a", "http://[::1]:8000/", "https://127.0.0.1/"):
            self.assertEqual(Backend(url).url, url)

    def test_authorities(self) -> None:
        """A file of authorities must be there, have some, and be of use."""
        directory = Path(self.mktemp())
        directory.mkdir()
        files = make_server_certificate(directory)
        Backend("https://h/", ca=files.cafile)
        broken = directory / "broken.pem"
        broken.write_text("-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n")
        for url, ca, text in (
            ("https://h/", "/nowhere/ca.pem", "/nowhere/ca.pem cannot be read: No such file"),
            ("https://h/", files.keyfile, "server.key has no PEM certificate"),
            ("https://h/", str(broken), "broken.pem has a broken certificate"),
            ("http://h/", files.cafile, "https URL only"),
        ):
            with self.assertRaisesRegex(ValueError, text):
                Backend(url, ca=ca)
