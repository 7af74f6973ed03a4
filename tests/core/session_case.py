"""A session between a client and a hub that are both at hand."""

import json
from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from tests.fakes import FakeClient, FakeClock, FakeIdentity, FakeSource
from towerws.core.event import Event
from towerws.core.hub import Hub
from towerws.core.limits import Excesses, Limits, SessionCounters
from towerws.core.metrics import Metrics
from towerws.core.session import Session

DENIED = {"error": "access denied to channel"}
NOT_JSON = {"error": "the frame is not JSON"}


def result(
    current: Sequence[str] = (), left: Sequence[str] = (), joined: Sequence[str] = ()
) -> dict[str, list[str]]:
    """Write the answer to a subscription as it is to be."""
    return {
        "groups_current": list(current),
        "groups_left": list(left),
        "groups_joined": list(joined),
    }


class SessionTestCase(SynchronousTestCase):
    """Clients of a hub whose source brings everything at once."""

    def setUp(self) -> None:
        """Nobody is connected."""
        self.metrics = Metrics()
        self.source = FakeSource(is_prompt=True)
        self.hub = Hub(self.metrics)
        self.hub.attach(self.source)
        self.clock = FakeClock()
        self.reports: list[tuple[str, str, int]] = []
        excesses = Excesses(
            self.metrics, self.clock.seconds, lambda *report: self.reports.append(report)
        )
        self.counters = SessionCounters(self.metrics, excesses)

    def connect(
        self,
        identity: FakeIdentity | None,
        *,
        limits: Limits | None = None,
    ) -> FakeClient:
        """Connect a client and take its greeting away."""
        client = FakeClient()
        # No timers where a test is not about them.
        limits = limits or Limits(subscribe_within=0)
        client.session = Session(
            client, identity, self.hub, limits, self.counters, clock=self.clock
        )
        client.session.start()
        if identity is not None:
            self.assertEqual(client.take_frames(), [{"accept": True, "user": identity.user}])
        return client

    def receive(self, client: FakeClient, payload: bytes, *, is_binary: bool = False) -> None:
        """Let a client's message come in."""
        assert client.session is not None
        client.session.received(payload, is_binary=is_binary)

    def ask(self, client: FakeClient, groups: object = None, **others: object) -> None:
        """Let a client's frame come in; without groups if they are None."""
        frame = others if groups is None else {"groups": groups, **others}
        self.receive(client, json.dumps(frame).encode())

    def end(self, client: FakeClient) -> None:
        """Let a client go."""
        assert client.session is not None
        client.session.end()

    def publish(self, group: str, payload: bytes) -> int:
        """Publish an event."""
        return self.hub.publish([Event(group, payload)])
