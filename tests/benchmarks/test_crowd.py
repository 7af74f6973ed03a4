"""Quiet clients, whatever the reads look like."""

import socket

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.crowd import Crowd
from benchmarks.rivals import Step
from benchmarks.subscribers import Joining
from benchmarks.websocket import ACCEPT

_GREETING = b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: " + ACCEPT + b"\r\n\r\n"


class CrowdTests(SynchronousTestCase):
    """A client of `Crowd` on a pair of sockets; we are the server."""

    def setUp(self) -> None:
        """Connect."""
        self.client, self.server = socket.socketpair()
        for each in (self.client, self.server):
            self.addCleanup(each.close)
            each.settimeout(5)
        self.crowd = Crowd(0)
        self.crowd.sockets[self.client.fileno()] = self.client

    def _say(self, data: bytes) -> None:
        self.server.sendall(data)
        self.crowd._read(self.client.fileno())

    def test_frames_that_reads_cut(self) -> None:
        """A Ping and a Close are answered once they have come, and only then."""
        frames = b"\x81\x7e\x01\x00" + b"e" * 256 + b"\x89\x02ab" + b"\x88\x04\x03\xe9by"
        for byte in frames:
            self._say(bytes([byte]))
        self.assertEqual(self.server.recv(100), b"\x8a\x82\0\0\0\0ab" + b"\x88\x82\0\0\0\0\x03\xe9")

    def test_end(self) -> None:
        """A client whose server has gone is gone, and so is the frame that it waited for."""
        self._say(b"\x89")
        self.server.close()
        self.crowd._read(self.client.fileno())
        self.assertEqual((self.crowd.sockets, self.crowd._rests), ({}, {}))

    def test_what_comes_after_the_last_step(self) -> None:
        """Joining takes nothing away from what follows its last answer."""
        joining = Joining(self.client, [Step(b"GET", b""), Step(b"", b"hello"), Step(b"a", b"yes")])
        self.server.sendall(_GREETING + b"\x81\x05hello")
        self.assertFalse(joining.proceed())
        self.server.sendall(b"\x81\x03yes" + b"\x89")
        self.assertTrue(joining.proceed())
        self.assertEqual(joining.received, b"\x89")
        self.assertEqual(self.server.recv(10), b"GETa")
