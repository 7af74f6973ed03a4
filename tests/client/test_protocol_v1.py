"""One connection of the websocket client, to a server of profile "towerws.v1"."""

import json

from tests.client.memory import ServerEnd
from tests.client.protocol_case import ProtocolCase
from tests.client.v1 import ACCEPT_V1, V1, enveloped, gap, heartbeat, reply
from towerws.client.audience import Bookmark
from towerws.client.protocol import HANDSHAKE_TIMEOUT, Lost
from towerws.client.watch import GRACE


class V1Tests(ProtocolCase):
    """A server that has selected profile "towerws.v1"."""

    def accept(self, *frames: bytes) -> ServerEnd:
        """Accept, and send the first frames."""
        server = self.network.accept(subprotocol=V1)
        server.send(ACCEPT_V1, *frames)
        return server

    def wait(self, seconds: float, server: ServerEnd) -> None:
        """Let time pass, in which Pings are answered."""
        for _ in range(round(seconds)):
            self.network.reactor.advance(1)
            server.pump.flush()

    def test_hears(self) -> None:
        """Events are taken out of their envelopes; the audience is where the last one was."""
        self.accept(reply("p1"), enveloped("p2", b'{"a": 1}'), gap("why", "p3"))
        (event,) = self.ears.heard
        self.assertEqual((event.group, event.payload), ("jobs-summary", b'{"a": 1}'))
        self.assertEqual((event.position, event.value), ("p2", {"a": 1}))
        self.assertEqual(self.ears.gaps, ["why"])
        self.assertEqual(self.bookmark, Bookmark("p3", joined=True))

    def test_goes_on(self) -> None:
        """The position of before is sent, in the first frame and no other."""
        self.bookmark.position = "p7"
        server = self.accept(reply("p9", replayed=0))
        (frame,) = server.frames
        self.assertEqual(json.loads(frame)["since"], "p7")
        self.assertEqual(self.bookmark.position, "p9")

    def test_silence(self) -> None:
        """A server of which nothing is heard for two intervals is given up, whatever it pongs."""
        server = self.accept(reply("p1"))
        self.wait(30, server)
        self.assertNoResult(self.client.lost)
        self.network.reactor.advance(GRACE)
        server.pump.flush()
        lost = self.lost()
        self.assertEqual(lost.reason, "the connection is lost: no sign of life for 30 s")
        self.assertEqual(lost.lived, 31)
        self.successResultOf(self.client.gone)
        self.assertEqual(self.network.reactor.getDelayedCalls(), [])

    def test_signs_of_life(self) -> None:
        """Any frame is one: a heartbeat, an event, a part of a large one."""
        server = self.accept(reply("p1"))
        beat, event = heartbeat("p1"), enveloped("p2", b'{"a": 1}')
        # In fragments, between which there may be Pongs.
        for first, part in (
            (0x81, beat),
            (0x01, event[:9]),
            (0x00, event[9:20]),
            (0x80, event[20:]),
        ):
            self.wait(29, server)
            server.transport.write(bytes((first, len(part))) + part)
            server.pump.flush()
        self.wait(29, server)
        self.assertNoResult(self.client.lost)
        self.assertEqual(self.bookmark.position, "p2")

    def test_no_greeting(self) -> None:
        """A server that does not even greet is given up earlier."""
        server = self.network.accept(subprotocol=V1)
        self.wait(HANDSHAKE_TIMEOUT + GRACE, server)
        self.assertIn("no sign of life for 10 s", self.lost().reason)

    def test_no_heartbeats(self) -> None:
        """A server that promises none is trusted as long as it answers Pings."""
        server = self.network.accept(subprotocol=V1)
        server.send(b'{"accept": true, "user": 1, "position": "p0"}')
        self.wait(100, server)
        self.assertNoResult(self.client.lost)

    def test_reconnect(self) -> None:
        """The server's own delay is passed on when it has closed, not before."""
        server = self.accept(reply("p1"), b'{"reconnect": {"after_ms": 1700}}')
        server.send(enveloped("p2", b"{}"))
        self.assertNoResult(self.client.lost)
        server.close(1012, "restart")
        self.assertEqual(
            self.lost(), Lost("the server closed the connection: 1012 restart", 0.0, 1.7)
        )
        self.assertEqual(self.bookmark.position, "p2")

    def test_audience_fails(self) -> None:
        """What the audience raises ends the listening, and the event counts as not told."""
        server = self.accept(reply("p1"))
        self.ears.fault = BrokenPipeError()
        server.send(enveloped("p2", b"{}"), heartbeat("p2"))
        self.failureResultOf(self.client.lost, BrokenPipeError)
        self.assertEqual(self.bookmark.position, "p1")

    def test_dropped(self) -> None:
        """Nobody waits for a server that is gone."""
        self.accept(reply("p1")).drop()
        self.assertIn("dropped the TCP connection", self.lost().reason)
        self.assertEqual(self.network.reactor.getDelayedCalls(), [])

    def test_leave(self) -> None:
        """Leaving leaves no timer behind."""
        server = self.accept(reply("p1"))
        gone = self.client.leave()
        server.pump.flush()
        self.successResultOf(gone)
        self.assertEqual(self.network.reactor.getDelayedCalls(), [])
