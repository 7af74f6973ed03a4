"""`towerws.amqp_bridge`: revocations, in both directions."""

from twisted.internet.defer import fail
from twisted.logger import capturedLogs

from tests.bridge_case import LOST, REFUSED, BridgeCase
from tests.fake_broker import FakeClient, delivery
from towerws.amqp.errors import PublishNotSent
from towerws.core.hub import SourceUnavailable
from towerws.core.revocation import Revocation


def _bound(client: FakeClient) -> list[str]:
    return [call.arguments["routing_key"] for call in client.calls if call.name == "queue_bind"]


class ReceivingTests(BridgeCase):
    """What other nodes revoke, or a command."""

    def test_always_bound(self) -> None:
        """Revocations come whether anybody listens or not, and after a loss again."""
        client = self.start()
        self.assertEqual(_bound(client), ["$revoke"])
        connection, _ = self.subscribe("jobs-1")
        self.hub.leave(connection)
        self.assertEqual(client.named("queue_unbind"), [("queue_unbind", "jobs-1")])
        client.lose(LOST)
        self.clock.advance(1)
        self.assertEqual(_bound(self.accept()), ["$revoke"])

    def test_bound_before_service(self) -> None:
        """Nothing is promised to anybody who could not be revoked."""
        client = self.start("basic_consume")
        self.assertIsNotNone(self.bridge.unready())
        self.assertEqual(_bound(client), ["$revoke"])

    def test_carried_out(self) -> None:
        """A revocation is no event; it is carried out before what came in the same read."""
        client = self.start()
        connection, _ = self.subscribe("jobs-1")
        heard: list[int] = []
        connection.on_write = lambda: heard.append(len(self.revoking.asked))
        self.attempts[-1].deliver(delivery(1), delivery(2, "$revoke", b'{"user": "7"}'))
        self.assertEqual((self.revoking.asked, heard), ([Revocation("7")], [1]))
        self.assertEqual(self.counted("towerws_events_total"), 1)
        self.clock.advance(1)
        self.assertEqual(client.acks, [(1, 2, True)])

    def test_malformed(self) -> None:
        """One that is none harms nothing: the events beside it come, and all is acknowledged."""
        client = self.start()
        connection, _ = self.subscribe("jobs-1")
        with capturedLogs() as logs:
            for body in (b"", b"x", b"{}", None):
                self.attempts[-1].deliver(delivery(1, "$revoke", body), delivery(2))
        self.assertEqual(len(logs), 1)
        self.assertEqual(connection.messages, [b"{}"] * 4)
        self.clock.advance(1)
        self.assertEqual(client.acks, [(1, 2, True)])
        self.assertIsNone(client.lost)

    def test_missed(self) -> None:
        """Whenever it comes into service, what was revoked before may have been missed."""
        client = self.start("basic_consume")
        self.assertEqual(self.resumed, 0)
        client.release("basic_consume")
        self.assertEqual(self.resumed, 1)
        client.lose(LOST)
        self.clock.advance(1)
        self.attempts[-1].outcome.errback(REFUSED)
        self.assertEqual(self.resumed, 1)
        self.accept()
        self.assertEqual(self.resumed, 2)

    def test_missed_and_gap(self) -> None:
        """Who is closed because of the gap is not asked about before."""
        client = self.start()
        connection, _ = self.subscribe("jobs-1")
        client.lose(LOST)
        asked: list[int] = []
        connection.on_gap = lambda: asked.append(self.resumed)
        self.clock.advance(1)
        self.accept()
        self.assertEqual((asked, self.resumed), ([1], 2))


class RevokingTests(BridgeCase):
    """What is revoked here."""

    def test_published(self) -> None:
        """It goes to all nodes through the broker, and is not carried out before it comes back."""
        self.start()
        revoked = self.bridge.revoke(Revocation("7", "jobs-*"))
        client = self.accept()
        self.assertEqual(self.successResultOf(revoked), {"confirmed": True})
        ((_, exchange, key, body, _),) = client.published
        self.assertEqual((exchange, key), ("events", "$revoke"))
        self.assertEqual(Revocation.decode(body), Revocation("7", "jobs-*"))
        self.assertEqual(self.revoking.asked, [])

    def test_away(self) -> None:
        """While the broker is away, whoever revokes gets a sentence."""
        failed = self.bridge.revoke(Revocation("7"))
        sentence = str(self.failureResultOf(failed, SourceUnavailable).value)
        self.assertEqual(sentence, "The broker is away: not connected to the broker yet.")

    def test_not_confirmed(self) -> None:
        """What the broker does not confirm is not said to be revoked."""
        self.start()
        failed = self.bridge.revoke(Revocation("7"))
        client = FakeClient(self.clock)
        client.confirmation = fail(PublishNotSent("nothing was sent"))
        self.attempts[-1].outcome.callback(client)
        sentence = str(self.failureResultOf(failed, SourceUnavailable).value)
        self.assertEqual(sentence, "The broker did not confirm the revocation: nothing was sent.")
