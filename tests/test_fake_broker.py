"""`tests.fake_broker`: it takes what AMQP takes, and nothing else."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.fake_broker import FakeChannel, FakeClient
from towerws.amqp.errors import EncodeError


class FakeChannelTests(SynchronousTestCase):
    """Mistakes that a real channel would not let pass."""

    def setUp(self) -> None:
        """Open a channel."""
        self.client = FakeClient(Clock())
        self.channel = FakeChannel(self.client, 1)

    def test_right(self) -> None:
        """A request with arguments of AMQP is answered."""
        self.successResultOf(self.channel.queue_bind(queue="q", exchange="e", routing_key="k"))
        self.assertEqual(self.client.named("queue_bind"), [("queue_bind", "k")])

    def test_wrong(self) -> None:
        """Unknown methods and arguments, and values of a wrong type, are errors of the caller."""
        with self.assertRaises(AttributeError):
            self.channel.queue_bnd  # noqa: B018
        self.assertRaises(TypeError, self.channel.queue_bind, key="k")
        self.assertRaises(EncodeError, self.channel.basic_qos, prefetch_count="8")
        self.assertEqual(self.client.calls, [])
