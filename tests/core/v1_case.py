"""Clients of profile "towerws.v1"."""

from typing import Any

from tests.core.session_case import SessionTestCase
from tests.fakes import FakeClient, FakeIdentity
from tests.hubs import PROCESS, make_hub, position, publish
from towerws.core.archive import Archive
from towerws.core.event import Variant
from towerws.core.limits import Limits
from towerws.core.positions import LocalPositions

LIMITS = Limits(subscribe_within=0, heartbeat=15)


class V1TestCase(SessionTestCase):
    """A hub whose positions are those of `PROCESS`, and clients that know them."""

    archive: Archive | None = None

    def setUp(self) -> None:
        """Nobody is connected."""
        super().setUp()
        self.positions = LocalPositions(PROCESS)
        self.make(self.positions)

    def make(self, positions: Any, **options: Any) -> None:
        """Put a hub in the place of the present one; see `make_hub`."""
        self.hub = make_hub(
            self.metrics, positions=positions, seconds=self.clock.seconds, **options
        )
        self.hub.attach(self.source, self.archive)

    def v1(self, groups: object = None, since: str | None = None) -> FakeClient:
        """Connect a client; if groups are given, let it ask for them, and the reactor turn."""
        client = self.connect(FakeIdentity(), limits=LIMITS, variant=Variant.ENVELOPED)
        if groups is not None:
            self.ask(client, groups, **({} if since is None else {"since": since}))
            client.turn()
        return client

    def emit(self, *groups: str) -> None:
        """Publish an event to each group, whose payload is its number."""
        for group in groups:
            publish(self.hub, (group, b'{"n": %d}' % (self.hub.history.last + 1)))


def event(group: str, offset: int) -> dict[str, object]:
    """Write the envelope of an event of `V1TestCase.emit`."""
    return {"group": group, "position": position(offset), "event": {"n": offset}}


def resumed(replayed: int, at: int, *current: str) -> dict[str, object]:
    """Write the answer to a new client that came back."""
    return {
        "groups_current": sorted(current),
        "groups_left": [],
        "groups_joined": sorted(current),
        "resumed": True,
        "replayed": replayed,
        "position": position(at),
    }


def refused(at: int, *current: str) -> dict[str, object]:
    """Write the answer to a new client whose position is of no use."""
    return {**resumed(0, at, *current), "resumed": False}
