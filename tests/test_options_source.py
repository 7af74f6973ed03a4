"""`towerws.options`: where events are to come from."""

from twisted.trial.unittest import SynchronousTestCase

from towerws.network.listening import StartError
from towerws.options import Options


class QueueTypeTests(SynchronousTestCase):
    """A stream needs somebody who keeps it."""

    def test_without_a_broker(self) -> None:
        """Else clients would be promised what only a stream can hold."""
        with self.assertRaises(StartError) as caught:
            Options({}).parseOptions(["--queue-type=stream"])
        self.assertIn("--queue-type stream needs a broker", str(caught.exception))

    def test_with_a_broker(self) -> None:
        """Wherever its URL comes from."""
        options = Options({"TOWERWS_BROKER": "amqp://one/"})
        options.parseOptions(["--queue-type=stream"])
        self.assertEqual(options["queue-type"], "stream")
