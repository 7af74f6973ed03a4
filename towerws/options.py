"""The command line of ``twistd towerws``, checked and completed from the environment."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from twisted.python import usage

from towerws import __version__
from towerws.amqp_bridge import BridgeSettings
from towerws.core import origin
from towerws.core.broker_url import BrokerURL
from towerws.factory import Settings
from towerws.listening import StartError, is_private

#: Far more than there are processors to run them.
MAX_WORKERS = 256

#: Options that workers do not get: what they concern is the supervisor's affair.
_NOT_FOR_WORKERS = frozenset({"workers", "listen", "operations", "token", "token-file"})

#: What AMQP 0-9-1 gives the name of an exchange (a shortstr), in bytes.
MAX_EXCHANGE_NAME = 255

_DEFAULTS = Settings()
_BRIDGE_DEFAULTS = BridgeSettings()


def _between(low: int, high: int = 1 << 31) -> Callable[[str], int]:
    def coerce(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise ValueError(f"{text!r} is not a number from {low} to {high}")
        return int(text)

    return coerce


def _workers(text: str) -> int:
    if text == "auto":
        return min(len(os.sched_getaffinity(0)), MAX_WORKERS)
    try:
        return _between(1, MAX_WORKERS)(text)
    except ValueError as error:
        raise ValueError(f"{error}, nor 'auto'") from None


def _one_of(*choices: str) -> Callable[[str], str]:
    def coerce(text: str) -> str:
        if text not in choices:
            raise ValueError(f"{text!r} is not {' or '.join(choices)}")
        return text

    return coerce


def _exchange(text: str) -> str:
    if not 0 < len(text.encode()) <= MAX_EXCHANGE_NAME:
        raise ValueError(f"the name has to have from 1 to {MAX_EXCHANGE_NAME} bytes")
    return text


def _token(text: str, where: str) -> str:
    # Secrets often come with a line end, which no header can carry.
    token = text.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise usage.UsageError(f"{where}: a token has printable ASCII characters and no spaces")
    return token


def _named(option: str, coerce: Callable[[str], Any]) -> Callable[[str], Any]:
    def coerce_named(text: str) -> Any:
        try:
            return coerce(text)
        except ValueError as error:
            # Twisted's own words for a ValueError do not tell which option it is.
            raise usage.UsageError(f"--{option}: {error}") from None

    return coerce_named


class Options(usage.Options):
    """The command line of ``twistd towerws``."""

    synopsis = "[options]"
    longdesc = (
        "Brings events to browsers: websocket clients subscribe to groups, backends publish to "
        "RabbitMQ or, without a broker, to the server itself over HTTP."
    )
    optParameters = [  # noqa: RUF012  # Twisted's way to declare options
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
            _named("exchange", _exchange),
        ],
        [
            "prefetch",
            None,
            _BRIDGE_DEFAULTS.prefetch,
            "Events that the broker may send ahead of their acknowledgement.",
            _named("prefetch", _between(1, 65535)),
        ],
        [
            "on-gap",
            None,
            "close",
            (
                "When events may have been missed, as after a restart of the broker: 'close' "
                "clients so that they fetch anew, or 'keep' them."
            ),
            _named("on-gap", _one_of("close", "keep")),
        ],
        [
            "workers",
            None,
            1,
            (
                "Processes that serve clients, each with a connection to the broker and with the "
                "limits below for itself; 'auto' for one on each processor."
            ),
            _named("workers", _workers),
        ],
        [
            "max-connections",
            None,
            _DEFAULTS.max_connections,
            "Clients of one worker at a time; 0 for no limit.",
            _named("max-connections", _between(0)),
        ],
        [
            "max-groups",
            None,
            _DEFAULTS.limits.groups,
            "Groups of one client.",
            _named("max-groups", _between(1)),
        ],
        [
            "max-rate",
            None,
            _DEFAULTS.limits.rate,
            "Messages of one client per second, in the long run.",
            _named("max-rate", _between(1)),
        ],
        [
            "max-message",
            None,
            _DEFAULTS.max_message,
            "Bytes of one message of a client.",
            _named("max-message", _between(128)),
        ],
        [
            "max-outbox",
            None,
            _DEFAULTS.max_outbox,
            "Bytes that may wait for one client that reads slowly.",
            _named("max-outbox", _between(1)),
        ],
        [
            "max-event",
            None,
            _BRIDGE_DEFAULTS.max_event,
            "Bytes of one event.",
            _named("max-event", _between(1)),
        ],
        [
            "token-file",
            None,
            None,
            "File with the bearer token of the operators' site, in place of TOWERWS_TOKEN.",
        ],
    ]

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        """Start with the defaults.

        Args:
            environment: Where secrets come from.
        """
        super().__init__()
        self._environment = environment
        self._broker_url: str | None = None
        self["listen"] = []
        self["path"] = []
        self["origin"] = []
        self["token"] = None

    def __repr__(self) -> str:
        """Show nothing: one of the values is the operators' token."""
        return f"<{type(self).__name__} of towerws>"

    def for_workers(self) -> dict[str, Any]:
        """Give what workers need to know.

        Returns:
            The options, but those that concern the supervisor alone, and the broker as a URL;
            nothing but JSON.
        """
        chosen = {name: value for name, value in self.items() if name not in _NOT_FOR_WORKERS}
        return chosen | {"broker": self._broker_url}

    def opt_listen(self, endpoint: str) -> None:
        """Endpoint of the websocket, may be repeated. [default: tcp:8051:interface=127.0.0.1]."""
        self["listen"].append(endpoint)

    def opt_path(self, path: str) -> None:
        """Path of the websocket, may be repeated. [default: /websocket/ and /websocket]."""
        if not path.startswith("/") or not path.isascii() or any(char in path for char in "?# "):
            raise usage.UsageError(f"--path {path} is not a path such as /websocket/")
        self["path"].append(path)

    def opt_origin(self, value: str) -> None:
        """Origin of web pages that may connect beside the server's own, may be repeated.

        Such as https://awx.example.org; '*' for any.
        """
        try:
            self["origin"].append(origin.normalize(value))
        except ValueError as error:
            raise usage.UsageError(f"--origin: {error}") from None

    def opt_version(self) -> None:
        """Display the version of towerws and exit."""
        print(f"towerws {__version__}")  # noqa: T201  # what the option is for
        raise SystemExit(0)

    def parseOptions(self, options: list[str] | None = None) -> None:
        """Parse a command line.

        Args:
            options: The arguments; those of the process if None.

        Raises:
            StartError: They are wrong. Twisted would print the whole help before the reason.
        """
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            raise StartError(str(error)) from None

    def postOptions(self) -> None:
        """Check what concerns several options, and read the environment."""
        self["listen"] = self["listen"] or ["tcp:8051:interface=127.0.0.1"]
        self["broker"] = self._broker()
        self["token"] = self._token()
        for endpoint in self["listen"]:
            if not is_private(endpoint):
                raise usage.UsageError(
                    f"--listen {endpoint} can be reached from other machines, and this version "
                    "cannot tell who connects: listen on a loopback address or a Unix socket, "
                    "with a proxy such as nginx in front"
                )
        operations = self["operations"]
        if operations != "none" and self["token"] is None and not is_private(operations):
            raise usage.UsageError(
                f"--operations {operations} can be reached from other machines: give a bearer "
                "token as TOWERWS_TOKEN or --token-file, or use a loopback address"
            )

    def _broker(self) -> BrokerURL | None:
        url = self["broker"] or self._environment.get("TOWERWS_BROKER")
        if not url:
            return None
        self._broker_url = url
        try:
            return BrokerURL.parse(url)
        except ValueError as error:
            raise usage.UsageError(f"the URL of the broker: {error}") from None

    def _token(self) -> str | None:
        path = self["token-file"]
        if path is None:
            text = self._environment.get("TOWERWS_TOKEN")
            return _token(text, "TOWERWS_TOKEN") if text else None
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise usage.UsageError(f"--token-file {path}: {reason}") from None
        return _token(text, f"--token-file {path}")
