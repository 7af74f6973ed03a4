"""`towerws.intake`: what publishers send that no client could take."""

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.fake_broker import delivery
from tests.revoking import Revoking
from towerws.core.metrics import Metrics
from towerws.core.revocation import Revocation
from towerws.core.throttle import Throttle
from towerws.intake import Intake


class IntakeTests(SynchronousTestCase):
    """What passes, and what becomes of the rest."""

    def setUp(self) -> None:
        """Number events as the broker does."""
        self.clock = Clock()
        self.metrics = Metrics()
        self.revoking = Revoking(self.metrics, self.clock)
        self.intake = Intake(
            lambda each: each.delivery_tag,
            self.revoking.revocations,
            self.metrics,
            Throttle(self.clock.seconds),
        )

    def _dropped(self, reason: str, *bodies: bytes | None) -> str:
        with capturedLogs() as logs:
            events = self.intake.events(delivery(1, body=body) for body in bodies)
        self.assertEqual(events, [])
        self.assertIn(
            f'towerws_events_dropped_total{{reason="{reason}"}} {len(bodies)}\n',
            self.metrics.render(),
        )
        (line,) = (formatEvent(event) for event in logs)
        self.assertIn("'jobs-1'", line)
        return line

    def test_events(self) -> None:
        """Objects pass byte for byte, in order."""
        bodies = ('{"ä" :1}'.encode(), b"{}", b'\n{"a": [1, null]} ')
        events = self.intake.events(delivery(tag, body=body) for tag, body in enumerate(bodies))
        self.assertEqual([event.payload for event in events], [*bodies])
        self.assertEqual({event.group for event in events}, {"jobs-1"})

    def test_invalid(self) -> None:
        """What is no JSON object is dropped, counted, and logged without its content."""
        line = self._dropped(
            "invalid",
            b"s3cret",
            b'"s3cret"',
            b'{"s3cret": NaN}',
            b"s3cret\xff",
            b"",
            b"[" * 100_000,
        )
        self.assertIn("the payload is not JSON", line)
        self.assertNotIn("s3cret", line)

    def test_too_large(self) -> None:
        """What was too large to be kept is dropped the same way."""
        line = self._dropped("too_large", None, None)
        self.assertIn(f"it has {1 << 30} bytes", line)

    def test_too_large_for_nobody(self) -> None:
        """It is dropped whether anybody listens or not: the body is gone."""
        self.assertEqual(self.intake.events([delivery(1, "jobs-2", None)]), [])

    def test_log_is_throttled(self) -> None:
        """A stream of bad events fills no disk; each kind is told once a minute, with a count."""
        with capturedLogs() as logs:
            for _ in range(3):
                for _ in range(100):
                    self.intake.events([delivery(1, body=b"x"), delivery(2, body=None)])
                self.clock.advance(60)
        lines = [formatEvent(event) for event in logs]
        self.assertEqual(len(lines), 6)
        self.assertNotIn("held back", lines[0] + lines[1])
        self.assertTrue(lines[2].endswith(" (99 such lines held back)"), lines[2])

    def test_names(self) -> None:
        """What no client can subscribe to is dropped: it would only take a place in the history."""
        for key in ("$mark", "", "a b", "é", "x" * 101):
            self.assertEqual(self.intake.events([delivery(1, key, b"{}")]), [])
        self.assertIn('towerws_events_dropped_total{reason="name"} 5\n', self.metrics.render())

    def test_offsets(self) -> None:
        """Each event has its place in the log; what is dropped may leave a hole."""
        events = self.intake.events([delivery(3), delivery(4, body=b"x"), delivery(5)])
        self.assertEqual([event.offset for event in events], [3, 5])

    def test_revocations(self) -> None:
        """They are carried out in their order and are no events, good or bad."""
        events = self.intake.events(
            [
                delivery(1),
                delivery(2, "$revoke", b'{"user": "7"}'),
                delivery(3, "$revoke", b"s3cret"),
                delivery(4, "$revoke", None),
                delivery(5, "$revoke", b'{"user": "8", "group": "jobs-*"}'),
                delivery(6),
            ]
        )
        self.assertEqual([event.group for event in events], ["jobs-1", "jobs-1"])
        self.assertEqual(self.revoking.asked, [Revocation("7"), Revocation("8", "jobs-*")])
        page = self.metrics.render()
        self.assertIn('towerws_revocations_total{result="invalid"} 2\n', page)
        self.assertIn('towerws_events_dropped_total{reason="too_large"} 0\n', page)
