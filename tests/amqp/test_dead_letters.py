"""`towerws.amqp.dead_letters`: notices of what a queue drops, over a client of our own making."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.fake_broker import FakeClient, delivery
from towerws.amqp.dead_letters import NOTICE_EVERY, DeadLetters
from towerws.amqp.errors import AMQPError, ConnectionLost

_LOST = ConnectionLost("the connection to the broker failed: it burns")


class DeadLettersTests(SynchronousTestCase):
    """One message is enough to know that there was one."""

    def setUp(self) -> None:
        """Connect to a broker that answers everything."""
        self.clock = Clock()
        self._connect()

    def _connect(self, *held: str) -> None:
        self.client = FakeClient(self.clock, held)
        client: Any = self.client
        self.letters = DeadLetters(client, 2, self.clock)

    def test_declared(self) -> None:
        """A queue of one message, of which one is sent ahead; the other queue leads to it."""
        arguments = self.successResultOf(Deferred.fromCoroutine(self.letters.declare()))
        self.assertEqual(
            [(call.name, call.arguments) for call in self.client.calls],
            [
                ("2:channel_open", {}),
                ("2:basic_qos", {"prefetch_count": 1}),
                (
                    "2:queue_declare",
                    {
                        "queue": "",
                        "exclusive": True,
                        "auto_delete": True,
                        "arguments": {"x-max-length": 1},
                    },
                ),
                (
                    "2:basic_consume",
                    {"queue": "amq.gen-1", "arguments": {"x-cancel-on-ha-failover": True}},
                ),
            ],
        )
        self.assertEqual(
            arguments,
            {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "amq.gen-1"},
        )

    def test_loss_in_every_phase(self) -> None:
        """Whatever the broker is asked when the connection ends, the reason is what is raised."""
        for name in ("channel_open", "basic_qos", "queue_declare", "basic_consume"):
            self._connect(f"2:{name}")
            declared = Deferred.fromCoroutine(self.letters.declare())
            self.assertNoResult(declared)
            self.client.lose(_LOST)
            self.assertIs(self.failureResultOf(declared, AMQPError).value, _LOST, name)

    def test_acknowledged_late(self) -> None:
        """The broker sends the next one when the last one is acknowledged: not at once."""
        for tag in (1, 2):
            self.letters.received(delivery(tag, channel=2))
            self.clock.advance(NOTICE_EVERY - 0.01)
            self.assertEqual(len(self.client.acks), tag - 1)
            self.clock.advance(0.01)
            self.assertEqual(self.client.acks[-1], (2, tag, False))

    def test_stop(self) -> None:
        """After the end nothing is acknowledged any more, and no timer is left."""
        self.letters.stop()
        self.letters.received(delivery(1, channel=2))
        self.letters.stop()
        self.letters.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.letters.received(delivery(2, channel=2))
        self.clock.advance(NOTICE_EVERY)
        self.letters.stop()
        self.assertEqual(self.client.acks, [(2, 2, False)])
