"""Tests of `towerws.notify.revoking`, with connections that are fakes."""

import time
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.notify.fakes import FakeConnection
from towerws.core.revocation import Revocation
from towerws.notify import revoking
from towerws.notify.errors import EmitError, Refused, Unconfirmed, Unreachable
from towerws.notify.revoking import TIMEOUT, revoke


class RevokeTests(SynchronousTestCase):
    """One revocation, on a connection of its own."""

    def setUp(self) -> None:
        """Let it connect to a fake."""
        self.connection = FakeConnection()
        self.prepared: list[tuple[Any, ...]] = []
        self.deadlines: list[float] = []
        self.patch(revoking, "connector", self._connector)

    def _connector(self, *settings: Any) -> Callable[[float], FakeConnection]:
        self.prepared.append(settings)
        return self._connect

    def _connect(self, deadline: float) -> FakeConnection:
        self.deadlines.append(deadline)
        return self.connection

    def test_confirmed(self) -> None:
        """It is published, the answer is given back, and the connection closed in order."""
        answer = revoke(Revocation("7", "jobs-1"), "amqp://tower", token="t", exchange="e")
        self.assertEqual(answer, {"connections": 3})
        self.assertEqual(self.prepared, [("amqp://tower", "t", "e")])
        self.assertEqual(
            self.connection.published, [("$revoke", b'{"user": "7", "group": "jobs-1"}')]
        )
        self.assertEqual(self.connection.ended, ["closed"])

    def test_defaults(self) -> None:
        """Where to is for the environment to say; there is an end to how long it may take."""
        began = time.monotonic()
        revoke(Revocation("7"))
        self.assertEqual(self.prepared, [(None, None, "towerws.events")])
        (deadline,) = self.deadlines
        self.assertLess(abs(deadline - began - TIMEOUT), 1)

    def test_not_confirmed(self) -> None:
        """Whatever goes wrong is raised, and the connection abandoned."""
        for failure in (Refused("no"), Unconfirmed("perhaps"), KeyboardInterrupt()):
            self.connection = FakeConnection()
            self.connection.failure = failure
            self.assertRaises(type(failure), revoke, Revocation("7"))
            self.assertEqual(self.connection.ended, ["abandoned"])

    def test_late(self) -> None:
        """Without an answer in time it is not confirmed."""
        self.assertRaises(Unreachable, revoke, Revocation("7"), timeout=0.0)

    def test_no_second_attempt(self) -> None:
        """What cannot be reached is told at once: somebody waits for it."""

        def refuse(deadline: float) -> FakeConnection:
            raise Unreachable("connection refused")

        self.patch(self, "_connect", refuse)
        error = self.assertRaises(EmitError, revoke, Revocation("7"))
        self.assertEqual(str(error), "connection refused")
