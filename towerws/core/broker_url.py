"""The broker's URL, as TOWERWS_BROKER and the publishers' settings have it.

Form and names follow RabbitMQ's URI specification (https://www.rabbitmq.com/docs/uri-spec and
.../uri-query-parameters), with two additions: several hosts, and times in seconds throughout::

    amqp://user:password@host1:5672,host2,[::1]:5673/vhost?heartbeat=20
    amqps://user:password@host/vhost?cacertfile=/etc/ssl/broker-ca.pem

The text holds a password, and a password that was not percent-encoded can spill into every other
part of the URL. No error therefore repeats anything of the text.
"""

import ipaddress
import re
from dataclasses import dataclass, field
from typing import Any, Literal, Self, get_args
from urllib.parse import quote, unquote

_DEFAULT_PORTS = {"amqp": 5672, "amqps": 5671}
_SCHEME = re.compile(r"(amqps?)://", re.IGNORECASE)
_HOST_NAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")
_PORT = re.compile(r"[0-9]{1,5}")
_WHOLE_SECONDS = re.compile(r"[0-9]{1,5}")
_ENCODED = re.compile(r"(?:[^%]|%[0-9A-Fa-f]{2})*")
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f]")

_MAX_HEARTBEAT = 3600
_MAX_CONNECTION_TIMEOUT = 300
_MAX_PORT = 65535
#: AMQP has one length octet for the vhost, and for what PLAIN sends no more is sensible.
_MAX_VHOST_BYTES = 255

_MUST_ENCODE = (
    "characters such as / ? # @ : % in user name, password and vhost must be percent-encoded"
)

Verify = Literal["verify_peer", "verify_none"]


@dataclass(frozen=True, slots=True, repr=False)
class BrokerURL:
    """Where the broker is, who we are to it, and how to talk to it.

    Attributes:
        hosts: Host names or addresses (IPv6 without brackets) and ports, to be tried in turn.
        tls: Whether the connection is encrypted (``amqps``).
        username: The user; ``guest`` when the URL names none.
        password: The password; ``guest`` when the URL names no user, empty when it has none.
        vhost: The virtual host. No path and the path ``/`` both mean ``/``, RabbitMQ's default:
            by RabbitMQ's specification the latter is the vhost with an empty name, which
            nobody has, and which most who write a trailing slash do not mean.
        heartbeat: Seconds of silence after which a peer counts as half gone; 0 turns it off.
            20 is the upper end of what RabbitMQ's documentation recommends.
        connection_timeout: Seconds until TCP, TLS and AMQP handshakes must have succeeded together.
            In seconds here; RabbitMQ's Erlang client takes milliseconds.
        cacertfile: PEM file of the authorities that may sign the broker's certificate; ``None`` for
            those that the system trusts.
        certfile: PEM file of our certificate, followed by intermediate ones, or ``None``.
        keyfile: PEM file of its private key, not encrypted, or ``None``.
        verify: Whether the broker's certificate must be valid for its host.
        server_name_indication: The name that the broker's certificate must be valid for, instead of
            the name of the host; ``None`` for the latter.
    """

    hosts: tuple[tuple[str, int], ...]
    tls: bool = False
    username: str = "guest"
    password: str = field(default="guest", repr=False)
    vhost: str = "/"
    heartbeat: int = 20
    connection_timeout: int = 10
    cacertfile: str | None = None
    certfile: str | None = None
    keyfile: str | None = None
    verify: Verify = "verify_peer"
    server_name_indication: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a URL.

        Args:
            text: The URL; white space around it, such as a file's last newline, is ignored.

        Returns:
            Its parts, percent-decoded, with defaults for what it leaves out.

        Raises:
            ValueError: It is not a broker's URL; the text is one sentence and quotes nothing of it.
        """
        text = text.strip()
        if _UNPRINTABLE.search(text):
            raise ValueError("the broker's URL has a space or a control character in it")
        scheme = _SCHEME.match(text)
        if scheme is None:
            raise ValueError("the broker's URL must begin with amqp:// or amqps://")
        tls = scheme[1].lower() == "amqps"
        place, _, query = text[scheme.end() :].partition("?")
        authority, _, path = place.partition("/")
        if "#" in text or any(mark in path + query for mark in "@?"):
            raise ValueError(f"the broker's URL cannot be taken apart: {_MUST_ENCODE}")
        userinfo, at, hosts = authority.rpartition("@")
        username, password = _credentials(userinfo) if at else ("guest", "guest")
        return cls(
            hosts=tuple(
                _host(host, _DEFAULT_PORTS[scheme[1].lower()]) for host in hosts.split(",")
            ),
            tls=tls,
            username=username,
            password=password,
            vhost=_vhost(path),
            **_options(query, tls),
        )

    def __str__(self) -> str:
        """Write the URL without its password, for logs and people."""
        authority = f"{quote(self.username, safe='')}:***@" + ",".join(
            f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts
        )
        return f"{'amqps' if self.tls else 'amqp'}://{authority}/{quote(self.vhost, safe='')}"

    def __repr__(self) -> str:
        """Write the URL without its password."""
        return f"<BrokerURL {self}>"


def _credentials(userinfo: str) -> tuple[str, str]:
    username, _, password = userinfo.partition(":")
    if "@" in userinfo or ":" in password:
        raise ValueError(f"the broker's URL has an ambiguous user name or password: {_MUST_ENCODE}")
    if not username:
        raise ValueError("the broker's URL has an @ but no user name before it")
    return _decoded(username, "user name"), _decoded(password, "password")


def _host(text: str, default_port: int) -> tuple[str, int]:
    name, colon, port = text.rpartition(":")
    if not colon or "]" in port:
        name, port = text, ""
    if name.startswith("[") and name.endswith("]") and "%" not in name:
        try:
            name = str(ipaddress.IPv6Address(name[1:-1]))
        except ValueError:
            raise ValueError("the broker's URL has a bad IPv6 address between brackets") from None
    elif not _HOST_NAME.fullmatch(name):
        raise ValueError(
            "the broker's URL has a host that is empty or is neither a name nor an address"
            f" (IPv6 addresses need brackets; {_MUST_ENCODE})"
        )
    if not port:
        return name, default_port
    if not _PORT.fullmatch(port) or not 1 <= int(port) <= _MAX_PORT:
        raise ValueError(
            f"the broker's URL has a port that is not a number from 1 to {_MAX_PORT}"
            f" ({_MUST_ENCODE})"
        )
    return name, int(port)


def _vhost(path: str) -> str:
    if "/" in path:
        raise ValueError("a / in the vhost of the broker's URL must be written as %2F")
    vhost = _decoded(path, "vhost") or "/"
    if len(vhost.encode()) > _MAX_VHOST_BYTES:
        raise ValueError(f"the vhost of the broker's URL is longer than {_MAX_VHOST_BYTES} bytes")
    return vhost


def _options(query: str, tls: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in query.split("&") if query else ():
        name, _, encoded = part.partition("=")
        if name not in _OPTIONS:
            raise ValueError(
                f"the broker's URL has an option that is not one of {', '.join(_OPTIONS)}"
            )
        if name in found:
            raise ValueError(f"the broker's URL has the option {name} twice")
        if name in _TLS_OPTIONS and not tls:
            raise ValueError(f"the option {name} of the broker's URL needs amqps://")
        found[name] = _option(name, _decoded(encoded, f"option {name}"))
    if ("certfile" in found) != ("keyfile" in found):
        raise ValueError("the options certfile and keyfile of the broker's URL need each other")
    return found


_TLS_OPTIONS = ("cacertfile", "certfile", "keyfile", "verify", "server_name_indication")
_OPTIONS = ("heartbeat", "connection_timeout", *_TLS_OPTIONS)


def _option(name: str, value: str) -> int | str:
    if name == "heartbeat":
        return _seconds(name, value, 0, _MAX_HEARTBEAT)
    if name == "connection_timeout":
        return _seconds(name, value, 1, _MAX_CONNECTION_TIMEOUT)
    if name == "verify" and value not in get_args(Verify):
        raise ValueError(
            f"the option verify of the broker's URL must be {' or '.join(get_args(Verify))}"
        )
    if name == "server_name_indication" and not _HOST_NAME.fullmatch(value):
        raise ValueError("the option server_name_indication of the broker's URL is not a host name")
    if not value:
        raise ValueError(f"the option {name} of the broker's URL is empty")
    return value


def _seconds(name: str, value: str, least: int, most: int) -> int:
    if not _WHOLE_SECONDS.fullmatch(value) or not least <= int(value) <= most:
        raise ValueError(
            f"the option {name} of the broker's URL must be whole seconds from {least} to {most}"
        )
    return int(value)


def _decoded(text: str, what: str) -> str:
    if not _ENCODED.fullmatch(text):
        raise ValueError(
            f"the {what} of the broker's URL has a % that is not followed by two hexadecimal digits"
        )
    try:
        decoded = unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ValueError(f"the {what} of the broker's URL is not UTF-8 when decoded") from None
    if "\x00" in decoded:
        raise ValueError(f"the {what} of the broker's URL holds a zero byte")
    return decoded
