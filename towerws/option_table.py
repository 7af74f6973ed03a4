"""The options of ``twistd towerws`` that have one value: name, default, text, what it may be."""

from typing import Any

from towerws.amqp_bridge import BridgeSettings
from towerws.factory import Settings
from towerws.option_values import MAX_NUMBER, between, exchange, named, one_of, workers

_DEFAULTS = Settings()
_LIMITS = _DEFAULTS.limits
_BRIDGE_DEFAULTS = BridgeSettings()


def _number(name: str, default: float, text: str, low: int, high: int = MAX_NUMBER) -> list[Any]:
    return [name, None, default, text, named(name, between(low, high))]


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
    _number(
        "prefetch",
        _BRIDGE_DEFAULTS.prefetch,
        "Events that the broker may send ahead of their acknowledgement.",
        1,
        65535,
    ),
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
