"""A client that is about to connect, for tests of its protocol."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.client.ears import Ears
from tests.client.memory import ACCEPT, Network, ServerEnd
from towerws.client.audience import Bookmark
from towerws.client.conversation import Refused
from towerws.client.protocol import ListenFactory, ListenProtocol, Lost
from towerws.client.subscription import Subscription
from towerws.client.target import Target


class ProtocolCase(SynchronousTestCase):
    """A client that is about to connect."""

    subscription = Subscription(["jobs-summary", "job_events-42", "jobs-status_changed"])
    target = Target.parse("ws+unix:///a")
    client: ListenProtocol

    def setUp(self) -> None:
        """Connect a client to nobody yet."""
        self.network = Network(self)
        self.ears = Ears()
        self.bookmark = Bookmark()
        reactor = self.network.reactor
        factory = ListenFactory(
            self.target,
            lambda: ListenProtocol(self.subscription, self.ears, self.bookmark, reactor),
            reactor,
        )
        connecting: Any = self.target.endpoint(reactor).connect(factory)
        connecting.addCallback(lambda client: setattr(self, "client", client))

    def lost(self) -> Lost:
        """How the connection ended."""
        return self.successResultOf(self.client.lost)

    def refusal(self) -> str:
        """Why the server will not have us."""
        return str(self.failureResultOf(self.client.lost, Refused).value)

    def greet(self) -> ServerEnd:
        """Accept, and send the first frame."""
        server = self.network.accept()
        server.send(ACCEPT)
        return server
