"""Which profile of the protocol a client gets."""

from collections.abc import Sequence
from dataclasses import dataclass

from towerws.core import wire, wire_v1
from towerws.core.deadlines import Clock
from towerws.core.event import Variant
from towerws.core.hub import Hub
from towerws.core.profile import AWXProfile, Profile, Told
from towerws.core.profile_v1 import V1Profile
from towerws.core.replaying import ReplayCounters, ReplayingClient

#: The subprotocols that we speak, the best first.
_SUBPROTOCOLS = (wire_v1.SUBPROTOCOL, wire.SUBPROTOCOL)


def choose(offered: Sequence[str]) -> str | None:
    """Choose a subprotocol.

    Args:
        offered: What a client offers.

    Returns:
        The one that it gets; None if there is none of ours among them.
    """
    return next((name for name in _SUBPROTOCOLS if name in offered), None)


def variant_of(subprotocol: str | None, *, compresses: bool) -> Variant:
    """Tell in which form a client takes events.

    Args:
        subprotocol: The one that it got.
        compresses: Whether permessage-deflate was negotiated.
    """
    variant = Variant.DEFLATE if compresses else Variant.PLAIN
    if subprotocol == wire_v1.SUBPROTOCOL:
        return Variant(variant | Variant.ENVELOPED)
    return variant


@dataclass(frozen=True, slots=True)
class Profiles:
    """Makes the profiles of clients.

    Attributes:
        hub: Has the history, and knows what is behind it.
        counters: Count replays.
        heartbeat: Seconds between two signs of life.
        closes_on_gap: Whether clients that cannot be told of a gap are closed.
        clock: Tells the time.
    """

    hub: Hub
    counters: ReplayCounters
    heartbeat: float
    closes_on_gap: bool
    clock: Clock

    def speak(self, client: ReplayingClient, told: Told) -> Profile:
        """Make the profile for a client, by its variant.

        Args:
            client: Takes the frames.
            told: What it was told.
        """
        if not client.variant.is_enveloped:
            return AWXProfile(client, told, closes_on_gap=self.closes_on_gap)
        return V1Profile(
            client,
            told,
            self.hub.history,
            self.hub.archive,
            self.counters,
            heartbeat=self.heartbeat,
            clock=self.clock,
        )
