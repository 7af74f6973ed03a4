"""The options of ``twistd towerws`` that have one value: name, default, text, what it may be."""

from typing import Any

from towerws.amqp_bridge import BridgeSettings
from towerws.core.history import Bounds
from towerws.factory import Settings
from towerws.feeds.archive import ArchiveSettings
from towerws.feeds.classic import ClassicSettings
from towerws.feeds.stream import StreamSettings
from towerws.option_values import MAX_NUMBER, between, exchange, named, one_of, workers

_DEFAULTS = Settings()
_LIMITS = _DEFAULTS.limits
_BRIDGE_DEFAULTS = BridgeSettings()
_CLASSIC = ClassicSettings()
_STREAM = StreamSettings()
_ARCHIVE = ArchiveSettings()
_HISTORY = Bounds()


def _number(name: str, default: float, text: str, low: int, high: int = MAX_NUMBER) -> list[Any]:
    return [name, None, int(default), text, named(name, between(low, high))]


#: What a queue or a stream may have in bytes, and what a time may be in seconds: RabbitMQ counts
#: the former in 64 bits, and a time to live in milliseconds in 32.
_MAX_BYTES = 1 << 50
_MAX_SECONDS = 4_000_000


#: As `twisted.python.usage.Options.optParameters` wants them.
PARAMETERS: list[list[Any]] = [
    [
        "operations",
        None,
        "tcp:8052:interface=127.0.0.1",
        "Endpoint of the operators' HTTP site; 'none' for no site.",
    ],
    [
        "broker",
        None,
        None,
        (
            "URL of RabbitMQ, amqp:// or amqps://, several hosts separated by commas. Better "
            "given as TOWERWS_BROKER: a command line is seen by every user of the machine."
        ),
    ],
    [
        "exchange",
        None,
        _BRIDGE_DEFAULTS.exchange,
        "Topic exchange that backends publish to.",
        named("exchange", exchange),
    ],
    [
        "queue-type",
        None,
        "classic",
        (
            "Where events come from: 'classic', a queue of this process's own, bound to what its "
            "clients want; or 'stream', one stream for all servers, at any of which a client can "
            "resume."
        ),
        named("queue-type", one_of("classic", "stream")),
    ],
    _number(
        "prefetch",
        _CLASSIC.prefetch,
        "Events that the broker may send ahead of their acknowledgement.",
        1,
        65535,
    ),
    _number(
        "linger",
        _CLASSIC.linger,
        "Seconds for which a classic queue stays bound to a group without listeners.",
        0,
        _MAX_SECONDS,
    ),
    _number(
        "queue-bytes",
        _CLASSIC.queue_bytes,
        "Bytes of events that may wait in the classic queue; beyond it there is a gap.",
        1,
        _MAX_BYTES,
    ),
    _number(
        "queue-seconds",
        _CLASSIC.queue_seconds,
        "Seconds that an event may wait in the classic queue; after them there is a gap.",
        1,
        _MAX_SECONDS,
    ),
    _number(
        "stream-bytes",
        _STREAM.stream_bytes,
        "Bytes that the stream keeps, about.",
        1 << 20,
        _MAX_BYTES,
    ),
    _number(
        "stream-seconds",
        _STREAM.stream_seconds,
        "Seconds for which the stream keeps an event, if it has the room.",
        1,
        _MAX_SECONDS,
    ),
    _number(
        "warm-up",
        _STREAM.warm_up,
        "Seconds of the stream's past that are read at the start.",
        0,
        _MAX_SECONDS,
    ),
    _number(
        "max-replays",
        _ARCHIVE.max_replays,
        "Clients at a time for which the stream is read again; the others wait.",
        1,
    ),
    _number(
        "replay-bytes",
        _ARCHIVE.replay_bytes,
        "Bytes of events that are read again for one client; beyond it there is a gap.",
        1,
    ),
    _number(
        "history-bytes",
        _HISTORY.bytes,
        "Bytes of memory for events that can be replayed; 0 for none.",
        0,
        _MAX_BYTES,
    ),
    _number(
        "history-events",
        _HISTORY.events,
        "Events that can be replayed; 0 for none.",
        0,
    ),
    _number(
        "history-seconds",
        _HISTORY.seconds,
        "Age up to which events can be replayed.",
        1,
        _MAX_SECONDS,
    ),
    [
        "on-gap",
        None,
        "close",
        (
            "When events may have been missed, as after a restart of the broker: 'close' "
            "clients so that they fetch anew, or 'keep' them. Clients of towerws.v1 are told."
        ),
        named("on-gap", one_of("close", "keep")),
    ],
    [
        "workers",
        None,
        1,
        (
            "Processes that serve clients, each with a connection to the broker and with the "
            "limits below for itself; 'auto' for one on each processor."
        ),
        named("workers", workers),
    ],
    _number(
        "max-connections",
        _DEFAULTS.max_connections,
        "Clients of one worker at a time; 0 for no limit.",
        0,
    ),
    _number(
        "max-connections-per-address",
        _DEFAULTS.max_connections_per_address,
        (
            "Clients of one worker at a time from one address, or from one /64 of IPv6; 0 for no "
            "limit. Loopback addresses have none."
        ),
        0,
    ),
    _number(
        "max-connections-per-user",
        _DEFAULTS.max_connections_per_user,
        "Clients of one worker at a time that are the same user; 0 for no limit.",
        0,
    ),
    _number(
        "max-handshakes",
        _DEFAULTS.max_handshakes,
        (
            "Handshakes per second from one address, in the long run; 0 for no limit. Loopback "
            "addresses have none."
        ),
        0,
    ),
    _number(
        "subscribe-timeout",
        _LIMITS.subscribe_within,
        "Seconds until a client has to have subscribed; 0 for no limit.",
        0,
    ),
    _number(
        "recheck",
        _LIMITS.recheck_every,
        (
            "Seconds after which it is looked at again whether a client may still hear what it "
            "hears; 0 for never."
        ),
        0,
    ),
    _number(
        "heartbeat",
        _LIMITS.heartbeat,
        "Seconds between two signs of life to a client of towerws.v1.",
        1,
        3600,
    ),
    _number(
        "drain",
        _DEFAULTS.drain,
        "Seconds over which clients are sent away at SIGTERM; 0 for at once.",
        0,
        3600,
    ),
    _number(
        "max-groups",
        _LIMITS.groups,
        "Groups of one client.",
        1,
    ),
    _number(
        "max-rate",
        _LIMITS.rate,
        "Messages of one client per second, in the long run.",
        1,
    ),
    _number(
        "max-message",
        _DEFAULTS.max_message,
        "Bytes of one message of a client.",
        128,
    ),
    _number(
        "max-outbox",
        _DEFAULTS.max_outbox,
        "Bytes that may wait for one client that reads slowly.",
        1,
    ),
    _number(
        "max-event",
        _BRIDGE_DEFAULTS.max_event,
        "Bytes of one event.",
        1,
    ),
    [
        "token-file",
        None,
        None,
        "File with the bearer token of the operators' site, in place of TOWERWS_TOKEN.",
    ],
]
