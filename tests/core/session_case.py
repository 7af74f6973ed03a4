"""A session between a client and a hub that are both at hand."""

import json
from collections.abc import Sequence
from functools import partial

from twisted.trial.unittest import SynchronousTestCase

from tests.fakes import FakeClient, FakeClock, FakeIdentity, FakeSource
from tests.hubs import make_hub, publish
from towerws.core.event import Variant
from towerws.core.limits import Excesses, Limits, SessionCounters
from towerws.core.metrics import Metrics
from towerws.core.replaying import ReplayCounters
from towerws.core.session import Session
from towerws.websocket.profiles import Profiles

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
        self.hub = make_hub(self.metrics)
        self.hub.attach(self.source)
        self.clock = FakeClock()
        self.reports: list[tuple[str, str, int]] = []
        excesses = Excesses(
            self.metrics, self.clock.seconds, lambda *report: self.reports.append(report)
        )
        self.counters = SessionCounters(self.metrics, excesses)
        self.replays = ReplayCounters(self.metrics)
        self.closes_on_gap = True

    def connect(
        self,
        identity: FakeIdentity | None,
        *,
        limits: Limits | None = None,
        variant: Variant = Variant.PLAIN,
    ) -> FakeClient:
        """Connect a client and take its greeting away."""
        client = FakeClient(variant)
        # No timers where a test is not about them.
        limits = limits or Limits(subscribe_within=0)
        client.session = self.session(client, identity, limits)
        client.session.start()
        if identity is not None:
            (greeting,) = client.take_frames()
            assert isinstance(greeting, dict)
            self.assertEqual((greeting["accept"], greeting["user"]), (True, identity.user))
        return client

    def session(self, client: FakeClient, identity: FakeIdentity | None, limits: Limits) -> Session:
        """Make a session, which is not started."""
        profiles = Profiles(
            self.hub, self.replays, limits.heartbeat, self.closes_on_gap, self.clock
        )
        return Session(
            client,
            identity,
            self.hub,
            limits,
            self.counters,
            speak=partial(profiles.speak, client),
            clock=self.clock,
        )

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
        return publish(self.hub, (group, payload))
