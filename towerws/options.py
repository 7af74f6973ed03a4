"""The command line of ``twistd towerws``, checked and completed from the environment."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.cred import strcred
from twisted.cred.credentials import IAnonymous
from twisted.python import usage

from towerws import __version__
from towerws.auth.interfaces import IHandshake
from towerws.core import origin
from towerws.core.broker_url import BrokerURL
from towerws.core.forwarding import Proxies
from towerws.network.listening import StartError, is_private
from towerws.option_table import PARAMETERS
from towerws.option_values import token

#: Options that workers do not get: what they concern is the supervisor's affair, and checkers they
#: make for themselves.
_NOT_FOR_WORKERS = frozenset(
    {"workers", "listen", "operations", "token", "token-file", "credCheckers", "credInterfaces"}
)


class Options(usage.Options, strcred.AuthOptionMixin):
    """The command line of ``twistd towerws``."""

    synopsis = "[options]"
    longdesc = (
        "Brings events to browsers: websocket clients subscribe to groups, backends publish to "
        "RabbitMQ or, without a broker, to the server itself over HTTP."
    )
    optParameters = PARAMETERS
    supportedInterfaces = (IHandshake, IAnonymous)

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        """Start with the defaults.

        Args:
            environment: Where secrets come from.
        """
        super().__init__()
        self._environment = environment
        self._broker_url: str | None = None
        self["auth"] = []
        self["listen"] = []
        self["path"] = []
        self["origin"] = []
        self["trusted-proxy"] = []
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

    def opt_auth(self, description: str) -> None:
        """How clients authenticate, NAME[:ARGUMENTS], may be repeated: they are tried in order.

        See --help-auth and --help-auth-type. [default: anonymous]
        """
        name = description.partition(":")[0]
        try:
            self.addChecker(strcred.makeChecker(description))
        except strcred.InvalidAuthType:
            raise usage.UsageError(
                f"--auth {name}: there is no such scheme; see --help-auth"
            ) from None
        except strcred.UnsupportedInterfaces:
            raise usage.UsageError(f"--auth {name}: it does not know websockets") from None
        except Exception as error:  # noqa: BLE001  # schemes are plugins
            raise usage.UsageError(f"--auth {name}: {error}") from None
        self["auth"].append(description)

    def opt_trusted_proxy(self, address: str) -> None:
        """Address or network of a proxy whose X-Forwarded-For is believed, may be repeated.

        Such as 10.0.0.7 or 10.0.0.0/24; 'unix' for whoever connects to a Unix socket.
        """
        try:
            Proxies([address])
        except ValueError as error:
            raise usage.UsageError(f"--trusted-proxy: {error}") from None
        self["trusted-proxy"].append(address)

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
        if self["queue-type"] == "stream" and self["broker"] is None:
            raise usage.UsageError(
                "--queue-type stream needs a broker: give its URL as TOWERWS_BROKER"
            )
        if not self["auth"]:
            self.opt_auth("anonymous")
        for endpoint in self["listen"]:
            if self.is_anonymous and not is_private(endpoint):
                raise usage.UsageError(
                    f"--listen {endpoint} can be reached from other machines, and 'anonymous' "
                    "lets everybody in: name a way to authenticate with --auth (see --help-auth), "
                    "or listen on a loopback address or a Unix socket"
                )
        operations = self["operations"]
        if operations != "none" and self["token"] is None and not is_private(operations):
            raise usage.UsageError(
                f"--operations {operations} can be reached from other machines: give a bearer "
                "token as TOWERWS_TOKEN or --token-file, or use a loopback address"
            )

    @property
    def is_anonymous(self) -> bool:
        """Whether clients are let in without being asked who they are."""
        return IAnonymous in self["credInterfaces"]

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
            return token(text, "TOWERWS_TOKEN") if text else None
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise usage.UsageError(f"--token-file {path}: {reason}") from None
        return token(text, f"--token-file {path}")
