"""A supervisor of workers that are no processes, on real sockets."""

from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase

from tests.workers.fakes import ProcessReactor
from towerws.core.metrics import Metrics
from towerws.core.revocation import Revocation
from towerws.network.listening import Listener
from towerws.reloading import Reloader
from towerws.workers.sockets import OpeningReactor
from towerws.workers.supervisor import Supervisor


class FakeBroker(Service):
    """A `BrokerEmitter` that confirms everything."""

    def __init__(self) -> None:
        """Take note of what is emitted and revoked."""
        self.emitted: list[tuple[str, bytes]] = []
        self.revoked: list[Revocation] = []
        self.stopped = 0

    async def emit(self, group: str, payload: bytes) -> dict[str, object]:
        """See `BrokerEmitter`."""
        self.emitted.append((group, payload))
        return {"confirmed": True}

    async def revoke(self, revocation: Revocation) -> dict[str, object]:
        """See `BrokerEmitter`."""
        self.revoked.append(revocation)
        return {"confirmed": True}

    def stopService(self) -> Deferred[None]:
        """See `BrokerEmitter`."""
        self.stopped += 1
        return succeed(None)


class SupervisorCase(SynchronousTestCase):
    """A test with a supervisor of two workers, on a real socket of this machine."""

    broker: FakeBroker | None = None

    def setUp(self) -> None:
        """Start it."""
        self.reactor = ProcessReactor()
        self.metrics = Metrics()
        opening = OpeningReactor(self.reactor, 2)
        factory = Factory()
        factory.noisy = False
        self.listeners = [
            Listener(description, serverFromString(opening, description), factory)
            for description in ("tcp:0:interface=127.0.0.1", *self.more())
        ]
        options: Any = {"path": ["/x/"]}
        broker: Any = self.broker
        self.supervisor = Supervisor(
            2,
            options,
            self.listeners,
            self.metrics,
            self.reactor,
            broker=broker,
            reloader=Reloader(self.reactor, (), self.metrics),
            drain=10.0,
        )
        self.addCleanup(self.close)
        self.supervisor.privilegedStartService()
        self.supervisor.startService()
        self.workers = self.reactor.processes

    def more(self) -> list[str]:
        """Name more endpoints to listen on."""
        return []

    def close(self) -> None:
        """Close the sockets, if the test has not."""
        for listener in self.listeners:
            listener.stopService()
        self.reactor.advance(0)

    def boot(self) -> None:
        """Let both workers come up."""
        for worker in self.workers:
            worker.boot()
