"""What the tests of `towerws.tap` have in common."""

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from txaio import tx

from towerws.server import Server
from towerws.tap import Options, makeService
from towerws.workers.supervisor import Supervisor


class TapCase(SynchronousTestCase):
    """A test with a server in memory."""

    def setUp(self) -> None:
        """Put all clocks into the test's hands."""
        self.reactor = MemoryReactorClock()
        self.patch(tx.config, "loop", self.reactor)

    def make_any(self, *arguments: str, **environment: str) -> Server | Supervisor:
        """Make a service of a command line and an environment."""
        options = Options(environment)
        options.parseOptions(list(arguments))
        return makeService(options, self.reactor)

    def make(self, *arguments: str, **environment: str) -> Server:
        """Make a server without workers."""
        server = self.make_any(*arguments, **environment)
        assert isinstance(server, Server)
        return server
