"""Which part of towerws may import what; `tools.layering` checks it."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """What a part of the house may import.

    Attributes:
        towerws: Modules or packages of towerws, the part itself included if its modules may
            import one another.
        third_party: Top-level names of installed packages.
        barred: Top-level names of the standard library that are out of bounds here.
    """

    towerws: frozenset[str]
    third_party: frozenset[str]
    barred: frozenset[str]


def _place(towerws: str = "", third_party: str = "", barred: str = "") -> Place:
    return Place(*(frozenset(names.split()) for names in (towerws, third_party, barred)))


# What does I/O, runs code elsewhere, or tells the time. (`datetime` and `urllib.parse` compute.)
_NOT_IN_CORE = (
    "asyncio http logging multiprocessing os pathlib select selectors signal socket ssl "
    "subprocess tempfile threading time"
)

_SHELLS = (
    "towerws.amqp towerws.amqp_bridge towerws.auth towerws.broker_emitter towerws.embedded "
    "towerws.factory towerws.feeds towerws.intake towerws.network towerws.notify "
    "towerws.operations towerws.reloading towerws.revocations towerws.websocket"
)

# The client's half of the protocol: it does no I/O, whoever has the connection does.
_CONVERSATION = (
    "towerws.client.audience towerws.client.conversation towerws.client.happenings "
    "towerws.client.subscription"
)
_CLIENT = f"towerws.client {_CONVERSATION}"

# What twisted[tls] brings and names in its own interfaces: contexts, and reasons for a loss.
_TLS = "OpenSSL service_identity"

MAP: Mapping[str, Place] = {
    # core: no I/O, nothing but the standard library
    "towerws": _place(),
    "towerws.core": _place("towerws.core", barred=_NOT_IN_CORE),
    # shells: one kind of I/O each, over the core; none knows another but where it is named
    "towerws.amqp": _place(
        "towerws towerws.amqp towerws.core towerws.network", f"twisted txamqp zope {_TLS}"
    ),
    "towerws.amqp_bridge": _place(
        "towerws.amqp towerws.broker_emitter towerws.core towerws.feeds", "twisted zope"
    ),
    "towerws.auth": _place(
        "towerws.auth towerws.core towerws.network", "cryptography jwt twisted zope OpenSSL"
    ),
    "towerws.broker_emitter": _place("towerws.amqp towerws.core", "twisted"),
    "towerws.client": _place(f"{_CLIENT} towerws.core", "autobahn twisted"),
    **{name: _place(f"{_CONVERSATION} towerws.core") for name in _CONVERSATION.split()},
    "towerws.embedded": _place("towerws.core towerws.revocations", "twisted zope"),
    "towerws.factory": _place("towerws.core towerws.websocket", "autobahn twisted"),
    "towerws.feeds": _place(
        "towerws.amqp towerws.broker_emitter towerws.core towerws.feeds towerws.intake "
        "towerws.revocations",
        "twisted",
    ),
    "towerws.intake": _place("towerws.amqp towerws.core towerws.revocations", "twisted"),
    "towerws.network": _place(
        "towerws.core towerws.network towerws.reloading", f"cryptography twisted zope {_TLS}"
    ),
    "towerws.notify": _place("towerws.core towerws.notify", "pika"),
    "towerws.operations": _place("towerws.core towerws.operations", "twisted zope"),
    "towerws.reloading": _place("towerws.core", "twisted"),
    "towerws.revocations": _place("towerws.core", "twisted"),
    "towerws.websocket": _place(
        "towerws.auth towerws.core towerws.factory towerws.network towerws.websocket",
        "autobahn twisted zope",
    ),
    "towerws.workers": _place(
        "towerws.amqp towerws.broker_emitter towerws.core towerws.network towerws.reloading "
        "towerws.workers",
        "twisted zope",
    ),
    # composition: the only places where everything meets
    "towerws.option_table": _place(f"towerws.core towerws.option_values {_SHELLS}"),
    "towerws.option_values": _place(third_party="twisted"),
    "towerws.options": _place(
        f"towerws towerws.core towerws.option_table towerws.option_values {_SHELLS}", "twisted"
    ),
    "towerws.server": _place(f"towerws.core {_SHELLS}", "twisted"),
    "towerws.signals": _place(third_party="twisted"),
    "towerws.sources": _place(f"towerws.core {_SHELLS}"),
    "towerws.tap": _place(
        "towerws towerws.core towerws.options towerws.server towerws.signals towerws.sources "
        f"towerws.workers {_SHELLS}",
        "twisted zope",
    ),
    "towerws.workers.worker": _place(
        "towerws.core towerws.network towerws.server towerws.tap towerws.workers", "twisted zope"
    ),
    "towerws.cli": _place(
        f"towerws towerws.cli towerws.core {_CLIENT} {_SHELLS} towerws.tap", "twisted zope"
    ),
    "towerws.__main__": _place("towerws.cli"),
    # the plugin file only names things, so that listing the plugins loads no application
    "twisted.plugins.towerws_plugin": _place(third_party="twisted"),
    "twisted.plugins.towerws_auth": _place("towerws.auth"),
}
