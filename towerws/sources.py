"""What the command line makes of events: where they come from, and what is kept of them."""

from collections.abc import Callable, Mapping
from functools import partial
from secrets import token_hex
from typing import Any

from towerws.amqp.connect import connect
from towerws.amqp.hosts import Hosts
from towerws.amqp_bridge import AMQPBridge, BridgeSettings
from towerws.core.history import Bounds, History
from towerws.core.hub import Hub
from towerws.core.metrics import Metrics
from towerws.core.positions import LocalPositions, Positions, StreamPositions
from towerws.embedded import EmbeddedSource
from towerws.feeds.archive import ArchiveSettings, StreamArchive
from towerws.feeds.classic import ClassicFeed, ClassicSettings
from towerws.feeds.interfaces import Feed
from towerws.feeds.stream import StreamFeed, StreamSettings
from towerws.revocations import Revocations


def make_hub(options: Mapping[str, Any], metrics: Metrics, seconds: Callable[[], float]) -> Hub:
    """Make the hub, and the history in it.

    Args:
        options: As `towerws.options.Options` has them.
        metrics: Where things are counted.
        seconds: The clock.

    Returns:
        A hub that is not attached to anything.
    """
    positions: Positions = (
        StreamPositions() if _is_stream(options) else LocalPositions(token_hex(8))
    )
    bounds = Bounds(
        bytes=options["history-bytes"],
        events=options["history-events"],
        seconds=options["history-seconds"],
    )
    # A queue brings what somebody listens to; the others bring everything.
    is_partial = options["broker"] is not None and not _is_stream(options)
    return Hub(metrics, History(positions, bounds, metrics, seconds, is_partial=is_partial))


def attach_source(
    options: Mapping[str, Any],
    hub: Hub,
    revocations: Revocations,
    metrics: Metrics,
    reactor: Any,
    *,
    on_resumed: Callable[[], object],
    emits: bool,
) -> EmbeddedSource | AMQPBridge:
    """Make the event source and attach it to the hub.

    Args:
        options: As `towerws.options.Options` has them.
        hub: Of `make_hub` with the same options.
        revocations: Takes those.
        metrics: Where things are counted.
        reactor: Connects and measures time.
        on_resumed: Called whenever the broker is back.
        emits: Whether it publishes to the broker, if there is one.

    Returns:
        The source; not started.
    """
    if options["broker"] is None:
        embedded = EmbeddedSource(hub, revocations, _local(hub).next)
        hub.attach(embedded)
        return embedded
    feed: Feed
    archive = None
    hosts = Hosts(options["broker"].hosts)
    if _is_stream(options):
        settings = _stream_settings(options)
        feed = _make_stream(
            options, settings, hub, metrics, reactor, hosts=hosts, revocations=revocations
        )
        archive = _make_archive(options, settings, hub, metrics, reactor, hosts=hosts)
    else:
        feed = _make_classic(options, hub, revocations, metrics, reactor)
    bridge = AMQPBridge(
        options["broker"],
        feed,
        BridgeSettings(exchange=options["exchange"], max_event=options["max-event"]),
        metrics,
        reactor,
        on_resumed=on_resumed,
        emits=emits,
        hosts=hosts,
    )
    hub.attach(bridge, archive)
    return bridge


def _make_classic(
    options: Mapping[str, Any], hub: Hub, revocations: Revocations, metrics: Metrics, reactor: Any
) -> ClassicFeed:
    settings = ClassicSettings(
        exchange=options["exchange"],
        prefetch=options["prefetch"],
        linger=options["linger"],
        queue_bytes=options["queue-bytes"],
        queue_seconds=options["queue-seconds"],
    )
    return ClassicFeed(hub, _local(hub), settings, metrics, reactor, revocations=revocations)


def _stream_settings(options: Mapping[str, Any]) -> StreamSettings:
    return StreamSettings(
        exchange=options["exchange"],
        prefetch=options["prefetch"],
        stream_bytes=options["stream-bytes"],
        stream_seconds=options["stream-seconds"],
        warm_up=options["warm-up"],
    )


def _make_stream(
    options: Mapping[str, Any],
    settings: StreamSettings,
    hub: Hub,
    metrics: Metrics,
    reactor: Any,
    *,
    hosts: Hosts,
    revocations: Revocations,
) -> StreamFeed:
    return StreamFeed(
        hub,
        settings,
        metrics,
        reactor,
        revocations=revocations,
        connect=partial(connect, options["broker"], reactor=reactor),
        hosts=hosts,
    )


def _make_archive(
    options: Mapping[str, Any],
    settings: StreamSettings,
    hub: Hub,
    metrics: Metrics,
    reactor: Any,
    *,
    hosts: Hosts,
) -> StreamArchive:
    return StreamArchive(
        settings.queue,
        hub.history,
        ArchiveSettings(max_replays=options["max-replays"], replay_bytes=options["replay-bytes"]),
        metrics,
        reactor,
        connect=partial(connect, options["broker"], reactor=reactor, max_body=options["max-event"]),
        hosts=hosts,
    )


def _is_stream(options: Mapping[str, Any]) -> bool:
    return options["broker"] is not None and options["queue-type"] == "stream"


def _local(hub: Hub) -> LocalPositions:
    positions = hub.history.positions
    assert isinstance(positions, LocalPositions), "only a stream has others"
    return positions
