"""The options of ``twistd towerws`` that have one value: name, default, text, what it may be."""

from typing import Any

from towerws.amqp_bridge import BridgeSettings
from towerws.factory import Settings
from towerws.option_values import between, exchange, named, one_of, workers

_DEFAULTS = Settings()
_LIMITS = _DEFAULTS.limits
_BRIDGE_DEFAULTS = BridgeSettings()

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
        "prefetch",
        None,
        _BRIDGE_DEFAULTS.prefetch,
        "Events that the broker may send ahead of their acknowledgement.",
        named("prefetch", between(1, 65535)),
    ],
    [
        "on-gap",
        None,
        "close",
        (
            "When events may have been missed, as after a restart of the broker: 'close' "
            "clients so that they fetch anew, or 'keep' them."
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
    [
        "max-connections",
        None,
        _DEFAULTS.max_connections,
        "Clients of one worker at a time; 0 for no limit.",
        named("max-connections", between(0)),
    ],
    [
        "max-connections-per-address",
        None,
        _DEFAULTS.max_connections_per_address,
        (
            "Clients of one worker at a time from one address, or from one /64 of IPv6; 0 for no "
            "limit. Loopback addresses have none."
        ),
        named("max-connections-per-address", between(0)),
    ],
    [
        "max-connections-per-user",
        None,
        _DEFAULTS.max_connections_per_user,
        "Clients of one worker at a time that are the same user; 0 for no limit.",
        named("max-connections-per-user", between(0)),
    ],
    [
        "max-handshakes",
        None,
        _DEFAULTS.max_handshakes,
        (
            "Handshakes per second from one address, in the long run; 0 for no limit. Loopback "
            "addresses have none."
        ),
        named("max-handshakes", between(0)),
    ],
    [
        "subscribe-timeout",
        None,
        _LIMITS.subscribe_within,
        "Seconds until a client has to have subscribed; 0 for no limit.",
        named("subscribe-timeout", between(0)),
    ],
    [
        "recheck",
        None,
        _LIMITS.recheck_every,
        (
            "Seconds after which it is looked at again whether a client may still hear what it "
            "hears; 0 for never."
        ),
        named("recheck", between(0)),
    ],
    [
        "max-groups",
        None,
        _LIMITS.groups,
        "Groups of one client.",
        named("max-groups", between(1)),
    ],
    [
        "max-rate",
        None,
        _LIMITS.rate,
        "Messages of one client per second, in the long run.",
        named("max-rate", between(1)),
    ],
    [
        "max-message",
        None,
        _DEFAULTS.max_message,
        "Bytes of one message of a client.",
        named("max-message", between(128)),
    ],
    [
        "max-outbox",
        None,
        _DEFAULTS.max_outbox,
        "Bytes that may wait for one client that reads slowly.",
        named("max-outbox", between(1)),
    ],
    [
        "max-event",
        None,
        _BRIDGE_DEFAULTS.max_event,
        "Bytes of one event.",
        named("max-event", between(1)),
    ],
    [
        "token-file",
        None,
        None,
        "File with the bearer token of the operators' site, in place of TOWERWS_TOKEN.",
    ],
]
