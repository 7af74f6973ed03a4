"""`towerws.revocations`: what is carried out, counted and logged."""

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.revoking import Revoking
from towerws.core.metrics import Metrics
from towerws.core.revocation import Revocation


class RevocationsTests(SynchronousTestCase):
    """Revocations for clients that a test plays."""

    def setUp(self) -> None:
        """Be ready to revoke."""
        self.clock = Clock()
        self.metrics = Metrics()
        self.revoking = Revoking(self.metrics, self.clock)
        self.revocations = self.revoking.revocations

    def _counted(self, *lines: str) -> None:
        page = self.metrics.render().splitlines()
        self.assertEqual([line for line in lines if line not in page], [])

    def test_applied(self) -> None:
        """It is carried out, counted, and logged for whoever asks later who did what to whom."""
        self.revoking.concerned = 3
        with capturedLogs() as logs:
            self.assertEqual(self.revocations.apply(Revocation("7")), 3)
            self.revocations.apply(Revocation("a\nb", "jobs-*"))
        self.assertEqual(self.revoking.asked, [Revocation("7"), Revocation("a\nb", "jobs-*")])
        self.assertEqual(
            [formatEvent(event) for event in logs],
            [
                "access to everything was revoked from user '7': 3 connections",
                "access to jobs-* was revoked from user 'a\\nb': 3 connections",
            ],
        )
        self._counted(
            'towerws_revocations_total{result="applied"} 2', "towerws_revoked_connections_total 6"
        )

    def test_concerns_nobody(self) -> None:
        """On a node where the user is not connected it leaves no line, however many come."""
        with capturedLogs() as logs:
            self.assertEqual(self.revocations.apply(Revocation("7")), 0)
        self.assertEqual(logs, [])
        self._counted('towerws_revocations_total{result="applied"} 1')

    def test_received(self) -> None:
        """What comes from the broker is read and carried out."""
        self.revocations.receive(b'{"user": 7, "group": "jobs-1"}')
        self.assertEqual(self.revoking.asked, [Revocation("7", "jobs-1")])
        self._counted('towerws_revocations_total{result="applied"} 1')

    def test_invalid(self) -> None:
        """What is none is counted and harms nothing; a line a minute tells, without its content."""
        with capturedLogs() as logs:
            for body in (b'{"user": "s3cret", "x": 1}', b"s3cret", b"", None):
                self.revocations.receive(body)
            self.clock.advance(60)
            self.revocations.receive(None)
        self.assertEqual(self.revoking.asked, [])
        first, second = (formatEvent(event) for event in logs)
        self.assertEqual(
            first,
            "ignored a revocation from the broker: "
            'a revocation is an object with "user" and perhaps "group"',
        )
        self.assertEqual(
            second,
            "ignored a revocation from the broker: it is larger than an event may be "
            "(3 such lines held back)",
        )
        self._counted('towerws_revocations_total{result="invalid"} 5')
