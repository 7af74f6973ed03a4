"""`towerws.options`: the command line, the environment, and what is wrong with them."""

import json
import os
import re
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

from twisted.cred.credentials import IAnonymous
from twisted.trial.unittest import SynchronousTestCase

from towerws import __version__
from towerws.amqp_bridge import BridgeSettings
from towerws.core.broker_url import BrokerURL
from towerws.core.history import Bounds
from towerws.factory import Settings
from towerws.feeds.archive import ArchiveSettings
from towerws.feeds.classic import ClassicSettings
from towerws.feeds.stream import StreamSettings
from towerws.network.listening import StartError
from towerws.option_values import MAX_WORKERS
from towerws.options import Options

_BROKER = "amqp://user:s3cret@broker.example/vhost"


def _parse(*arguments: str, environment: Mapping[str, str] | None = None) -> Options:
    options = Options(environment or {})
    options.parseOptions(list(arguments))
    return options


class DefaultTests(SynchronousTestCase):
    """What counts when nothing is said."""

    def test_defaults(self) -> None:
        """Loopback, no broker, no token, and the limits that the modules name."""
        settings, bridge = Settings(), BridgeSettings()
        classic, stream, archive = ClassicSettings(), StreamSettings(), ArchiveSettings()
        history = Bounds()
        options = dict(_parse())
        (checker,) = options.pop("credCheckers")
        self.assertEqual(options.pop("credInterfaces"), {IAnonymous: [checker]})
        self.assertEqual(
            options,
            {
                "auth": ["anonymous"],
                "listen": ["tcp:8051:interface=127.0.0.1"],
                "operations": "tcp:8052:interface=127.0.0.1",
                "path": [],
                "origin": [],
                "broker": None,
                "exchange": bridge.exchange,
                "queue-type": "classic",
                "prefetch": classic.prefetch,
                "linger": classic.linger,
                "queue-bytes": classic.queue_bytes,
                "queue-seconds": classic.queue_seconds,
                "stream-bytes": stream.stream_bytes,
                "stream-seconds": stream.stream_seconds,
                "warm-up": stream.warm_up,
                "max-replays": archive.max_replays,
                "replay-bytes": archive.replay_bytes,
                "history-bytes": history.bytes,
                "history-events": history.events,
                "history-seconds": history.seconds,
                "on-gap": "close",
                "heartbeat": settings.limits.heartbeat,
                "drain": settings.drain,
                "max-connections": settings.max_connections,
                "max-connections-per-address": settings.max_connections_per_address,
                "max-connections-per-user": settings.max_connections_per_user,
                "max-handshakes": settings.max_handshakes,
                "trusted-proxy": [],
                "subscribe-timeout": settings.limits.subscribe_within,
                "recheck": settings.limits.recheck_every,
                "max-groups": settings.limits.groups,
                "max-message": settings.max_message,
                "max-outbox": settings.max_outbox,
                "max-rate": settings.limits.rate,
                "max-event": bridge.max_event,
                "token-file": None,
                "token": None,
                "workers": 1,
            },
        )

    def test_environment_of_the_process(self) -> None:
        """Without being told otherwise the process's environment is read."""
        self.patch(Options.__init__, "__defaults__", ({"TOWERWS_TOKEN": "t"},))
        options = Options()
        options.parseOptions([])
        self.assertEqual(options["token"], "t")


class OptionTests(SynchronousTestCase):
    """Each option, taken."""

    def test_numbers(self) -> None:
        """Limits are numbers, down to the smallest and up to the largest."""
        for name, numbers in (
            ("prefetch", (1, 65535)),
            ("linger", (0, 4_000_000)),
            ("queue-bytes", (1, 1 << 50)),
            ("queue-seconds", (1, 4_000_000)),
            ("stream-bytes", (1 << 20, 1 << 50)),
            ("stream-seconds", (1, 4_000_000)),
            ("warm-up", (0, 4_000_000)),
            ("max-replays", (1, 1 << 31)),
            ("replay-bytes", (1, 1 << 31)),
            ("history-bytes", (0, 1 << 50)),
            ("history-events", (0, 1 << 31)),
            ("history-seconds", (1, 4_000_000)),
            ("heartbeat", (1, 3600)),
            ("drain", (0, 3600)),
            ("workers", (1, MAX_WORKERS)),
            ("max-connections", (0, 1 << 31)),
            ("max-connections-per-address", (0, 1 << 31)),
            ("max-connections-per-user", (0, 1 << 31)),
            ("max-handshakes", (0, 1 << 31)),
            ("subscribe-timeout", (0, 1 << 31)),
            ("recheck", (0, 1 << 31)),
            ("max-groups", (1, 1 << 31)),
            ("max-message", (128, 1 << 31)),
            ("max-outbox", (1, 1 << 31)),
            ("max-rate", (1, 1 << 31)),
            ("max-event", (1, 1 << 31)),
        ):
            for number in numbers:
                self.assertEqual(_parse(f"--{name}={number}")[name], number)

    def test_repeated(self) -> None:
        """Listeners, paths and origins may be several; they replace the defaults."""
        options = _parse(
            "--listen=unix:/run/a.sock",
            "--listen=tcp:1:interface=127.0.0.1",
            "--path=/a/",
            "--path=/b",
            "--origin=HTTPS://UI.example:443",
            "--origin=null",
            "--origin=*",
        )
        self.assertEqual(options["listen"], ["unix:/run/a.sock", "tcp:1:interface=127.0.0.1"])
        self.assertEqual(options["path"], ["/a/", "/b"])
        self.assertEqual(options["origin"], ["https://ui.example", "null", "*"])

    def test_words(self) -> None:
        """What is one of some words, or any text."""
        for word in ("close", "keep"):
            self.assertEqual(_parse(f"--on-gap={word}")["on-gap"], word)
        self.assertEqual(_parse("--exchange=other")["exchange"], "other")
        self.assertEqual(_parse("--operations=none")["operations"], "none")

    def test_workers(self) -> None:
        """One for each processor, as far as this process may use them."""
        for count, workers in ((1, 1), (3, 3), (10_000, MAX_WORKERS)):
            self.patch(os, "sched_getaffinity", lambda _, count=count: range(count))
            self.assertEqual(_parse("--workers=auto")["workers"], workers)

    def test_for_workers(self) -> None:
        """Workers get what they need, as JSON, and no secret of the operators' site."""
        environment = {"TOWERWS_BROKER": _BROKER, "TOWERWS_TOKEN": "t0ken"}
        told = _parse("--path=/a/", "--workers=2", environment=environment).for_workers()
        self.assertEqual(json.loads(json.dumps(told)), told)
        self.assertNotIn("t0ken", json.dumps(told))
        self.assertEqual((told["path"], told["broker"]), (["/a/"], _BROKER))
        self.assertFalse({"workers", "listen", "operations", "token-file"} & set(told))
        self.assertIsNone(_parse().for_workers()["broker"])
        self.assertEqual(_parse(f"--broker={_BROKER}").for_workers()["broker"], _BROKER)

    def test_broker(self) -> None:
        """The broker is named on the command line, or better in the environment."""
        expected = BrokerURL.parse(_BROKER)
        self.assertEqual(_parse(f"--broker={_BROKER}")["broker"], expected)
        environment = {"TOWERWS_BROKER": _BROKER}
        self.assertEqual(_parse(environment=environment)["broker"], expected)
        other = _parse("--broker=amqp://other", environment=environment)["broker"]
        self.assertEqual(other.hosts, (("other", 5672),))
        self.assertIsNone(_parse(environment={"TOWERWS_BROKER": ""})["broker"])

    def test_token(self) -> None:
        """The token comes from the environment, or from a file that wins; never by an option."""
        environment = {"TOWERWS_TOKEN": "from-environment"}
        self.assertEqual(_parse(environment=environment)["token"], "from-environment")
        path = Path(self.mktemp())
        path.write_text("from-file\n", encoding="ascii")
        options = _parse(f"--token-file={path}", environment=environment)
        self.assertEqual(options["token"], "from-file")
        self.assertIsNone(_parse(environment={"TOWERWS_TOKEN": ""})["token"])
        self.assertRaises(StartError, _parse, "--token=x")

    def test_operations_with_a_token(self) -> None:
        """With a token the operators' site may be reached from elsewhere."""
        environment = {"TOWERWS_TOKEN": "t"}
        options = _parse("--operations=tcp:8052", environment=environment)
        self.assertEqual(options["operations"], "tcp:8052")

    def test_version(self) -> None:
        """The version of towerws, not of Twisted, and nothing more is done."""
        output = StringIO()
        self.patch(__import__("sys"), "stdout", output)
        ended = self.assertRaises(SystemExit, _parse, "--version")
        self.assertEqual(ended.code, 0)
        self.assertEqual(output.getvalue(), f"towerws {__version__}\n")

    def test_help(self) -> None:
        """Every option explains itself; the sentence on secrets is there."""
        shown = str(_parse())
        for name in (
            "listen",
            "operations",
            "broker",
            "origin",
            "path",
            "token-file",
            "on-gap",
            "workers",
            "auth",
            "trusted-proxy",
            "max-connections-per-user",
        ):
            self.assertIn(f"--{name}=", shown)
        self.assertIn("TOWERWS_BROKER", shown)
        self.assertIn("TOWERWS_TOKEN", shown)


class MistakeTests(SynchronousTestCase):
    """Each mistake is one sentence that names the option, and status 1."""

    def _mistake(self, *arguments: str, **environment: str) -> str:
        error = self.assertRaises(StartError, _parse, *arguments, environment=environment)
        text = str(error)
        self.assertEqual(error.code, text)
        self.assertTrue(re.fullmatch(r"towerws: [^\n]{10,400}", text), text)
        return text

    def test_numbers(self) -> None:
        """Too small, too large, no number at all."""
        for name, low in (
            ("prefetch", 1),
            ("workers", 1),
            ("max-connections", 0),
            ("max-connections-per-address", 0),
            ("max-connections-per-user", 0),
            ("max-handshakes", 0),
            ("subscribe-timeout", 0),
            ("recheck", 0),
            ("max-groups", 1),
            ("max-rate", 1),
            ("max-message", 128),
            ("max-outbox", 1),
            ("max-event", 1),
        ):
            for value in (str(low - 1), "x", "", "1e3", "99999999999", "9" * 5000):
                self.assertIn(f"--{name}", self._mistake(f"--{name}={value[:50]}"))

    def test_texts(self) -> None:
        """Values that are not of their kind."""
        for argument in (
            "--on-gap=maybe",
            "--on-gap=",
            "--path=websocket",
            "--origin=awx.example.org",
            "--origin=https://awx.example.org/path",
            "--origin=",
            "--trusted-proxy=proxy.example.org",
            "--trusted-proxy=10.0.0.1/8",
            "--trusted-proxy=",
        ):
            self.assertIn(argument.partition("=")[0], self._mistake(argument))

    def test_unknown(self) -> None:
        """Options that do not exist, options without their value, and arguments."""
        self.assertIn("--bogus", self._mistake("--bogus"))
        self.assertIn("--prefetch", self._mistake("--prefetch"))
        self._mistake("extra")

    def test_public_listener(self) -> None:
        """Where nobody is asked who they are, nobody else's machine may connect."""
        for endpoint in ("tcp:8051", "tcp:8051:interface=0.0.0.0", "stdio:"):
            text = self._mistake("--listen=tcp:1:interface=127.0.0.1", f"--listen={endpoint}")
            self.assertIn(f"--listen {endpoint} can be reached from other machines", text)
            self.assertIn("--auth", text)
            self._mistake(f"--listen={endpoint}", TOWERWS_TOKEN="t")

    def test_systemd(self) -> None:
        """What systemd has not handed over cannot be listened on."""
        text = self._mistake("--listen=systemd:domain=INET:index=0")
        self.assertIn("no such socket was handed over", text)

    def test_public_operations(self) -> None:
        """Without a token the operators' site must be private."""
        text = self._mistake("--operations=tcp:8052")
        self.assertIn("--operations tcp:8052 can be reached from other machines", text)
        self.assertIn("TOWERWS_TOKEN", text)

    def test_token_file(self) -> None:
        """A file that is not there, that is empty, and that is no text."""
        self.assertIn("No such file", self._mistake("--token-file=/nonexistent"))
        path = Path(self.mktemp())
        path.write_bytes(b"\n")
        self.assertIn("printable ASCII", self._mistake(f"--token-file={path}"))
        path.write_bytes(b"t\xff")
        self.assertIn("it is not text", self._mistake(f"--token-file={path}"))
        for token in ("t t", "t\x00", "tö"):
            path.write_text(token, encoding="utf-8")
            self.assertIn("printable ASCII", self._mistake(f"--token-file={path}"))
            self.assertIn("printable ASCII", self._mistake(TOWERWS_TOKEN=token))
        self.assertIn("directory", self._mistake("--token-file=."))

    def test_broker(self) -> None:
        """A URL that is none, wherever it came from; its text is not repeated."""
        for url in ("http://user:s3cret@host", "amqp://user:s3cret@host:x", "s3cret"):
            self.assertNotIn("s3cret", self._mistake(f"--broker={url}"))
            self.assertNotIn("s3cret", self._mistake(TOWERWS_BROKER=url))


class SecretTests(SynchronousTestCase):
    """Passwords and tokens stay where they are."""

    def test_not_shown(self) -> None:
        """Options that are printed, logged or stepped through in a debugger show no secret."""
        options = _parse(environment={"TOWERWS_BROKER": _BROKER, "TOWERWS_TOKEN": "t0ken-s3cret"})
        self.assertNotIn("s3cret", repr(options))
        self.assertNotIn("s3cret", str(options))
        self.assertNotIn("s3cret", f"{options}")
        self.assertNotIn("s3cret", repr(options["broker"]) + str(options["broker"]))
