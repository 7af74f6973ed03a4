"""One connection of the websocket client, with Autobahn's server at the other end."""

import json

from tests.client.memory import ACCEPT, joined
from tests.client.protocol_case import ProtocolCase
from tests.client.v1 import V1
from towerws.client.protocol import (
    HANDSHAKE_TIMEOUT,
    MAX_EVENT_BYTES,
    MAX_HANDSHAKE_BYTES,
    PING_INTERVAL,
    Lost,
)
from towerws.client.subscription import Subscription
from towerws.client.target import Target


class ListenProtocolTests(ProtocolCase):
    """The protocol subscribes, hears, and tells how it ended."""

    def test_subscribes(self) -> None:
        """The subscribe frame is sent as soon as the websocket is open, elements by group."""
        server = self.network.accept()
        (frame,) = server.frames
        self.assertEqual(
            json.loads(frame),
            {"groups": {"jobs": ["summary", "status_changed"], "job_events": ["42"]}},
        )
        self.assertEqual(server.request.headers["host"], "localhost:80")
        self.assertEqual(server.request.headers["user-agent"], "towerws")
        self.assertNotIn("origin", server.request.headers)
        self.assertEqual(server.request.protocols, [V1])

    def test_hears(self) -> None:
        """Events reach the audience byte for byte, in order; the server's own frames do not."""
        events = [b'{"a": 1}', b'{ "b":"\\u00e9\xc3\xa9" }', b"[1]"]
        self.greet().send(joined("jobs-summary"), *events)
        self.assertEqual(self.ears.groups, [["jobs-summary"]])
        self.assertEqual(self.ears.events, events)
        self.assertEqual(self.ears.notices, [])

    def test_events_in_disguise(self) -> None:
        """Only the first frame can greet or turn away; later ones of that look are events."""
        events = [
            ACCEPT,
            b'{"close": true}',
            b'{"accept": false, "x": 1}',
            b'{"groups_current": 7, "groups_left": [], "groups_joined": []}',
        ]
        self.greet().send(*events)
        self.assertEqual(self.ears.events, events)

    def test_server_without_greeting(self) -> None:
        """A server whose first frame is an event is heard, too."""
        self.network.accept().send(b'{"a": 1}')
        self.assertEqual(self.ears.events, [b'{"a": 1}'])

    def test_error(self) -> None:
        """What the server objects to is passed on, and the connection lives."""
        server = self.greet()
        server.send(b'{"error": "access denied to channel"}', b'{"a": 1}')
        self.assertEqual(self.ears.notices, ["the server says: access denied to channel"])
        self.assertEqual(self.ears.events, [b'{"a": 1}'])

    def test_no_group(self) -> None:
        """A server that lets us into no group at all has nothing to tell."""
        self.greet().send(joined())
        self.assertEqual(self.refusal(), "the server lets us into none of the groups")

    def test_not_json(self) -> None:
        """A frame that is not JSON is dropped, with a notice."""
        self.greet().send(b"oops", b"[" * 100_000, b'{"a": 1}')
        self.assertEqual(
            self.ears.notices,
            [
                "a frame of 4 bytes that is not JSON was dropped",
                "a frame of 100000 bytes that is not JSON was dropped",
            ],
        )
        self.assertEqual(self.ears.events, [b'{"a": 1}'])

    def test_turned_away(self) -> None:
        """``{"close": true}`` as the first frame means that nobody knows us."""
        server = self.network.accept()
        server.send(b'{"close": true}')
        self.assertIn("does not know us", self.refusal())
        server.close(1000)
        self.successResultOf(self.client.gone)

    def test_refused_over_http(self) -> None:
        """A 4xx answer to the handshake is final, and shown."""
        self.network.answer(b"HTTP/1.1 403 Access denied\r\n\r\n")
        self.assertEqual(self.refusal(), "the server refuses the handshake: HTTP 403 Access denied")
        self.successResultOf(self.client.gone)

    def test_put_off_over_http(self) -> None:
        """Any other answer may change: 5xx of a proxy, 429, and what is hardly HTTP."""
        for response, reason in (
            (b"HTTP/1.1 503 Later\r\n\r\n", "[503]: Later"),
            (b"HTTP/1.1 429 Slowly\r\n\r\n", "[429]: Slowly"),
            (b"HTTP/1.1 4xx\r\n\r\n", "Bad HTTP status code"),
            (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "Bad HTTP response status line"),
            (b"\x15\x03\xff\r\n\r\n", "the answer is not HTTP"),
            (b"x" * (MAX_HANDSHAKE_BYTES + 1), "an HTTP head of more than 65536 bytes"),
        ):
            self.setUp()
            self.network.answer(response)
            lost = self.lost()
            self.assertIn(reason, lost.reason)
            self.assertEqual(lost.lived, 0.0)

    def test_close_codes(self) -> None:
        """A policy, expired credentials or a limit will not change; a restart will."""
        for code in (1008, 1009, 4401):
            self.setUp()
            self.greet().close(code, "so it is")
            self.assertEqual(self.refusal(), f"the server closed the connection: {code} so it is")
        for code, reason in ((1000, ""), (1012, "restart"), (1013, "")):
            self.setUp()
            server = self.greet()
            self.network.reactor.advance(3)
            server.close(code, reason)
            self.assertEqual(
                self.lost(), Lost(f"the server closed the connection: {code} {reason}".rstrip(), 3)
            )

    def test_close_without_a_code(self) -> None:
        """A Close frame may be empty."""
        server = self.greet()
        server.sendCloseFrame()
        server.pump.flush()
        self.assertEqual(self.lost().reason, "the server closed the connection: no reason given")

    def test_dropped(self) -> None:
        """A connection that breaks off is lost."""
        self.greet().drop()
        self.assertEqual(
            self.lost().reason,
            "the connection is lost: peer dropped the TCP connection without previous WebSocket "
            "closing handshake",
        )

    def test_half_open(self) -> None:
        """A server that answers no Ping is given up."""
        server = self.greet()
        self.network.reactor.pump([1.0] * (2 * PING_INTERVAL + 1))
        server.pump.flush()
        self.assertIn("ping timeout", self.lost().reason)

    def test_silence_is_no_fault(self) -> None:
        """A server that has nothing to tell but answers Pings is kept."""
        server = self.greet()
        for _ in range(5 * PING_INTERVAL):
            self.network.reactor.advance(1)
            server.pump.flush()
        self.assertNoResult(self.client.lost)

    def test_no_handshake(self) -> None:
        """A server that does not answer the handshake is given up."""
        transport = self.network.accept_silently()
        self.network.reactor.advance(HANDSHAKE_TIMEOUT + 1)
        self.assertTrue(transport.disconnecting)

    def test_too_large(self) -> None:
        """An event over the limit costs the connection, and the reason is told."""
        server = self.greet()
        server.transport.write(b"\x81\x7f" + (MAX_EVENT_BYTES + 1).to_bytes(8))
        server.pump.flush()
        self.assertIn("exceeds payload limit", self.lost().reason)

    def test_audience_fails(self) -> None:
        """What the audience raises ends the listening; the rest of the frames is not told."""
        self.ears.fault = BrokenPipeError()
        server = self.greet()
        server.send(b'{"a": 1}', b'{"error": "x"}')
        self.failureResultOf(self.client.lost, BrokenPipeError)
        self.assertEqual(self.ears.notices, [])

    def test_leave(self) -> None:
        """Leaving closes the websocket with 1000."""
        server = self.greet()
        gone = self.client.leave()
        server.pump.flush()
        self.successResultOf(gone)
        self.assertEqual(server.closed, 1000)

    def test_leave_during_handshake(self) -> None:
        """Leaving before the websocket is open drops the connection."""
        transport = self.network.accept_silently()
        self.client.leave()
        self.assertTrue(transport.disconnecting)

    def test_leave_a_dead_server(self) -> None:
        """Leaving takes 2 s at most where nobody answers."""
        self.greet()
        self.client.leave()
        self.assertFalse(self.client.transport.disconnecting)
        self.network.reactor.pump([0.5] * 4)
        self.assertTrue(self.client.transport.disconnecting)


class HeaderTests(ListenProtocolTests):
    """The handshake over TCP, with headers: every test above holds for it, too."""

    subscription = Subscription(["jobs-summary"], {"Cookie": 'awx_sessionid="k";csrftoken=t'})
    target = Target.parse("ws://[::1]:8051/websocket/?x=1")

    def test_subscribes(self) -> None:
        """Host, path and headers are as given."""
        request = self.network.accept().request
        self.assertEqual(request.headers["host"], "[::1]:8051")
        self.assertEqual(request.headers["cookie"], 'awx_sessionid="k";csrftoken=t')
        self.assertEqual((request.path, request.params), ("/websocket/", {"x": ["1"]}))
