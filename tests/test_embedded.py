"""`towerws.embedded`: events without a broker."""

from twisted.trial.unittest import SynchronousTestCase

from tests.fakes import FakeConnection
from tests.hubs import PROCESS, make_hub
from tests.revoking import Revoking
from towerws.core.positions import LocalPositions
from towerws.core.revocation import Revocation
from towerws.core.subscriptions import Change
from towerws.embedded import EmbeddedSource


class EmbeddedSourceTests(SynchronousTestCase):
    """A hub with an embedded source."""

    def setUp(self) -> None:
        """Put both together."""
        positions = LocalPositions(PROCESS)
        self.hub = make_hub(positions=positions)
        self.revoking = Revoking()
        self.source = EmbeddedSource(self.hub, self.revoking.revocations, positions.next)
        self.hub.attach(self.source)

    def test_in_force_at_once(self) -> None:
        """There is nobody whose confirmation could be waited for."""
        changes: list[Change] = []
        connection = FakeConnection()
        self.hub.subscribe(connection, ["jobs-1"], changes.append)
        self.assertEqual([change.joined for change in changes], [{"jobs-1"}])
        self.hub.leave(connection)
        self.source.forget(connection)

    def test_emit(self) -> None:
        """An event reaches who listens, unchanged; the answer says how many that were."""
        near, far = FakeConnection(), FakeConnection()
        for connection, name in ((near, "jobs-1"), (far, "jobs-2")):
            self.hub.subscribe(connection, [name], lambda change: None)
        payload = '{"ä" :1}'.encode()
        answered = self.source.emit("jobs-1", payload)
        self.assertEqual(self.successResultOf(answered), {"connections": 1})
        self.assertEqual((near.messages, far.messages), ([payload], []))

    def test_emit_to_nobody(self) -> None:
        """That nobody listens is no error."""
        answered = self.source.emit("jobs-1", b"{}")
        self.assertEqual(self.successResultOf(answered), {"connections": 0})

    def test_revoke(self) -> None:
        """A revocation is carried out at once; the answer says how many connections it was for."""
        self.revoking.concerned = 2
        revoked = self.source.revoke(Revocation("7", "jobs-1"))
        self.assertEqual(self.successResultOf(revoked), {"connections": 2})
        self.assertEqual(self.revoking.asked, [Revocation("7", "jobs-1")])

    def test_always_ready(self) -> None:
        """There is nothing it could wait for, before the start and after the end."""
        self.assertIsNone(self.source.unready())
        self.source.startService()
        self.successResultOf(self.source.stopService())
        self.assertFalse(self.source.running)
        self.assertIsNone(self.source.unready())
