"""`towerws.amqp.dead_letters`: notices of what a queue drops, over a client of our own making."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.fake_broker import FakeChannel, FakeClient
from towerws.amqp.dead_letters import (
    consume_dead_letters,
    dead_letter_arguments,
    declare_dead_letters,
)
from towerws.amqp.errors import AMQPError, ConnectionLost

_LOST = ConnectionLost("the connection to the broker failed: it burns")


class DeadLettersTests(SynchronousTestCase):
    """One message is enough to know that there was one."""

    def _begin(self, *held: str) -> Deferred[str]:
        self.client = FakeClient(Clock(), held)
        channel: Any = FakeChannel(self.client, 1)
        return Deferred.fromCoroutine(self._consume(channel))

    async def _consume(self, channel: Any) -> str:
        queue = await declare_dead_letters(channel)
        await consume_dead_letters(channel, queue)
        return queue

    def test_declared(self) -> None:
        """A queue of one message, of which one is sent ahead; the other queue leads to it."""
        queue = self.successResultOf(self._begin())
        telling = {"x-cancel-on-ha-failover": True}
        declared = {
            "queue": "",
            "exclusive": True,
            "auto_delete": True,
            "arguments": {"x-max-length": 1},
        }
        self.assertEqual(
            [(call.name, call.arguments) for call in self.client.calls],
            [
                ("queue_declare", declared),
                ("basic_qos", {"prefetch_count": 1}),
                ("basic_consume", {"queue": queue, "arguments": telling}),
            ],
        )
        self.assertEqual(
            dead_letter_arguments(queue),
            {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": queue},
        )

    def test_loss_in_every_phase(self) -> None:
        """Whatever the broker is asked when the connection ends, the reason is what is raised."""
        for name in ("queue_declare", "basic_qos", "basic_consume"):
            begun = self._begin(name)
            self.assertNoResult(begun)
            self.client.lose(_LOST)
            self.assertIs(self.failureResultOf(begun, AMQPError).value, _LOST, name)
