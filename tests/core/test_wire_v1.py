"""`towerws.core.wire_v1`: what the frames look like, word for word as protocol.md has them."""

import json

from twisted.trial.unittest import SynchronousTestCase

from towerws.core import wire_v1
from towerws.core.event import Event
from towerws.core.wire import FrameError


class FrameTests(SynchronousTestCase):
    """What the server says."""

    def test_accept(self) -> None:
        """protocol.md, towerws.v1, row 1."""
        self.assertEqual(
            wire_v1.accept(1, "p", 15),
            b'{"accept": true, "user": 1, "position": "p", "heartbeat": 15}',
        )

    def test_subscribed(self) -> None:
        """Without `since`: as profile awx, and where the log stands."""
        self.assertEqual(
            json.loads(wire_v1.subscribed({"b", "a"}, {"c"}, {"a"}, "p")),
            {
                "groups_current": ["a", "b"],
                "groups_left": ["c"],
                "groups_joined": ["a"],
                "position": "p",
            },
        )

    def test_resumed(self) -> None:
        """protocol.md, towerws.v1, row 3."""
        self.assertEqual(
            wire_v1.resumed({"a"}, (), {"a"}, "p", replayed=3),
            b'{"groups_current": ["a"], "groups_left": [], "groups_joined": ["a"], '
            b'"resumed": true, "replayed": 3, "position": "p"}',
        )
        refused = json.loads(wire_v1.resumed({"a"}, (), {"a"}, "p", replayed=None))
        self.assertEqual((refused["resumed"], refused["replayed"]), (False, 0))
        nothing = json.loads(wire_v1.resumed({"a"}, (), {"a"}, "p", replayed=0))
        self.assertEqual((nothing["resumed"], nothing["replayed"]), (True, 0))

    def test_envelope(self) -> None:
        """The payload is in it byte for byte, whatever white space it has."""
        envelope = wire_v1.enveloping(lambda event: f"at-{event.offset}")
        payload = ' {"ä" :1.0} \n'.encode()
        self.assertEqual(
            envelope(Event("job_events-42", payload, 7)),
            b'{"group": "job_events-42", "position": "at-7", "event": ' + payload + b"}",
        )

    def test_others(self) -> None:
        """protocol.md, towerws.v1, rows 5 to 7."""
        self.assertEqual(wire_v1.heartbeat("p"), b'{"heartbeat": "p"}')
        self.assertEqual(wire_v1.gap("why", "p"), b'{"gap": "why", "position": "p"}')
        self.assertEqual(wire_v1.reconnect(1700), b'{"reconnect": {"after_ms": 1700}}')


class SinceTests(SynchronousTestCase):
    """Where a client wants to go on."""

    def test_read(self) -> None:
        """Any text may be a position, as long as it is short; none is none."""
        self.assertIsNone(wire_v1.read_since(None))
        for text in ("", "p", "x" * wire_v1.MAX_POSITION):
            self.assertEqual(wire_v1.read_since(text), text)

    def test_not_understood(self) -> None:
        """What is no text, or a long one, is refused with a sentence that does not repeat it."""
        positions: list[object] = [0, 7, True, [], {}, 1.5, "x" * (wire_v1.MAX_POSITION + 1)]
        for since in positions:
            error = self.assertRaises(FrameError, wire_v1.read_since, since)
            self.assertEqual(str(error), "'since' is not a position that this server gave")
