"""Hubs for tests, and events for them."""

from collections.abc import Callable

from towerws.core.event import Event
from towerws.core.history import Bounds, History
from towerws.core.hub import Hub
from towerws.core.metrics import Metrics
from towerws.core.positions import LocalPositions, Positions

#: The process of which the positions in tests are.
PROCESS = "0123456789abcdef"


def make_hub(
    metrics: Metrics | None = None,
    *,
    positions: Positions | None = None,
    bounds: Bounds | None = None,
    seconds: Callable[[], float] = lambda: 0.0,
    is_partial: bool = False,
) -> Hub:
    """Make a hub with a history, which nothing is attached to.

    Args:
        metrics: Where things are counted.
        positions: What positions look like; those of `PROCESS` if not given.
        bounds: Of the history.
        seconds: The clock of the history.
        is_partial: Whether the history has only what is covered.
    """
    metrics = metrics or Metrics()
    positions = positions or LocalPositions(PROCESS)
    history = History(positions, bounds or Bounds(), metrics, seconds, is_partial=is_partial)
    return Hub(metrics, history)


def publish(hub: Hub, *events: tuple[str, bytes]) -> int:
    """Publish events in one batch, behind all that were published before.

    Args:
        hub: Takes them.
        *events: Groups and payloads.

    Returns:
        The number of deliveries.
    """
    positions = hub.history.positions
    assert isinstance(positions, LocalPositions)
    return hub.publish(Event(group, payload, positions.next()) for group, payload in events)


def position(offset: int) -> str:
    """Write a position of `PROCESS`."""
    return f"{PROCESS}-{offset}"
