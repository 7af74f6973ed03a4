"""`towerws listen`."""

import io
import json
import os
import sys
from argparse import ArgumentParser, Namespace
from typing import Any
from unittest import mock

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.cli.memory import Network, Terminal
from tests.client.memory import ACCEPT, end, joined
from tests.client.v1 import ACCEPT_V1, V1, enveloped, gap, reply
from towerws.cli import listen, main
from towerws.cli.errors import CommandError

URL = "ws+unix:///run/a.sock"


def parse(*argv: str) -> Namespace:
    """Parse a command line."""
    parser = ArgumentParser()
    listen.add_arguments(parser)
    return parser.parse_args(argv)


class ListenTests(SynchronousTestCase):
    """The command, with the server in memory."""

    def setUp(self) -> None:
        """Have no server yet, and no settings in the environment."""
        self.network = Network(self)
        self.stderr = io.StringIO()
        self.patch(sys, "stderr", self.stderr)
        environment = mock.patch.dict(os.environ)
        environment.start()
        self.addCleanup(environment.stop)
        for name in ("TOWERWS_WS_URL", "TOWERWS_COOKIE", "TOWERWS_BEARER"):
            os.environ.pop(name, None)
        self.stdout = Terminal()

    def listen(self, *argv: str) -> Deferred[int]:
        """Run the command."""
        arguments = parse("jobs-summary", *argv, "--url", URL)
        listening = Deferred.fromCoroutine(
            listen.listen(self.network.reactor, arguments, self.stdout)
        )
        self.addCleanup(end, listening)
        return listening

    def test_events_in_a_pipe(self) -> None:
        """A pipe gets the payloads, and standard error the rest."""
        listening = self.listen()
        server = self.network.accept()
        server.send(ACCEPT, joined("jobs-summary"), b'{ "a":1}', b'{"error": "no"}', b'{"b": 2}')
        self.assertEqual(self.stdout.written, b'{ "a":1}\n{"b": 2}\n')
        self.assertEqual(
            self.stderr.getvalue(),
            "towerws: listening to jobs-summary at /run/a.sock\ntowerws: the server says: no\n",
        )
        self.assertNoResult(listening)

    def test_text(self) -> None:
        """Options decide how events are printed; names are aligned."""
        self.listen("jobs-status_changed", "--text")
        self.network.accept().send(ACCEPT, b'{"group_name": "jobs", "final_counter": 2}')
        self.assertIn(b"  jobs-summary         job ? has ended", self.stdout.written)

    def test_count(self) -> None:
        """After enough events it ends, at once and politely, whatever was sent behind them."""
        listening = self.listen("--count", "2", "--for", "60")
        server = self.network.accept()
        server.send(ACCEPT, b"{}", b"{}", b'{"third": 3}')
        self.assertEqual(self.successResultOf(listening), 0)
        self.assertEqual(self.stdout.written, b"{}\n{}\n")
        self.assertEqual(server.closed, 1000)
        self.assertEqual(self.network.reactor.getDelayedCalls(), [])

    def test_time(self) -> None:
        """After its time it ends, with or without a server."""
        listening = self.listen("--for", "2.5")
        self.network.reactor.advance(2.4)
        self.assertNoResult(listening)
        self.network.reactor.advance(0.1)
        self.assertEqual(self.successResultOf(listening), 0)

    def test_time_over_before_count(self) -> None:
        """A script learns that the events did not come in time."""
        listening = self.listen("--for", "2", "--count", "2")
        server = self.network.accept()
        server.send(ACCEPT, b"{}")
        self.network.reactor.advance(2)
        server.pump.flush()
        self.assertEqual(self.successResultOf(listening), 1)

    def test_interrupted(self) -> None:
        """Cancelling it, as Ctrl-C does, is no good end."""
        listening = self.listen("--for", "60")
        listening.cancel()
        self.failureResultOf(listening, CancelledError)
        self.assertEqual(self.network.reactor.getDelayedCalls(), [])

    def test_closed_pipe(self) -> None:
        """A reader that has enough ends it."""
        self.patch(self.stdout.buffer, "flush", mock.Mock(side_effect=BrokenPipeError))
        listening = self.listen()
        server = self.network.accept()
        server.send(ACCEPT, b"{}")
        self.failureResultOf(listening, BrokenPipeError)
        self.assertEqual(server.closed, 1000)

    def test_refused(self) -> None:
        """A server that does not want us ends it; what it says cannot drive the terminal."""
        listening = self.listen()
        self.network.answer(b"HTTP/1.1 403 Go\x1b[2J\r\n\r\n")
        error = self.failureResultOf(listening, CommandError).value
        self.assertEqual(str(error), "the server refuses the handshake: HTTP 403 Go\\x1b[2J")

    def test_cookie_of_the_environment(self) -> None:
        """The cookie goes into the handshake, and AWX's token in it into the frame."""
        os.environ["TOWERWS_COOKIE"] = 'awx_sessionid="k"; csrftoken="t1"'
        self.listen("--header", "X-A: 1", "--header", "origin:http://a")
        server = self.network.accept()
        headers = server.request.headers
        self.assertEqual(headers["cookie"], 'awx_sessionid="k"; csrftoken="t1"')
        self.assertEqual((headers["x-a"], headers["origin"]), ("1", "http://a"))
        self.assertEqual(json.loads(server.frames[0])["xrftoken"], "t1")

    def test_token_of_the_environment(self) -> None:
        """A token goes into the handshake, without the line end of the file it came from."""
        os.environ["TOWERWS_BEARER"] = "abc.def\n"
        self.listen()
        self.assertEqual(self.network.accept().request.headers["authorization"], "Bearer abc.def")

    def test_unknown(self) -> None:
        """A server that does not know us ends it, with a hint of how credentials are given."""
        listening = self.listen()
        self.network.accept().send(b'{"close": true}')
        error = self.failureResultOf(listening, CommandError).value
        self.assertIn("does not know us", str(error))
        self.assertIn("TOWERWS_COOKIE", str(error))

    def test_gap(self) -> None:
        """Events that may be missing are told on standard error, and end nothing."""
        listening = self.listen("--count", "1")
        server = self.network.accept(subprotocol=V1)
        server.send(ACCEPT_V1, reply("p1"), gap(r"broker away\u001b[2J", "p2"))
        self.assertIn("towerws: gap: broker away\\x1b[2J\n", self.stderr.getvalue())
        self.assertNoResult(listening)
        server.send(enveloped("p3", b"{}"))
        self.assertEqual(self.successResultOf(listening), 0)

    def test_restart(self) -> None:
        """It comes back and goes on: what came meanwhile is printed as if nothing had been."""
        self.listen()
        server = self.network.accept(subprotocol=V1)
        server.send(ACCEPT_V1, reply("p1"), enveloped("p2", b'{"a": 1}'))
        server.close(1012, "restart")
        self.network.reactor.advance(2)
        again = self.network.accept(subprotocol=V1)
        self.assertEqual(json.loads(again.frames[0])["since"], "p2")
        again.send(ACCEPT_V1, reply("p3", replayed=1), enveloped("p3", b'{"b": 2}'))
        self.assertEqual(self.stdout.written, b'{"a": 1}\n{"b": 2}\n')
        self.assertNotIn("gap", self.stderr.getvalue())

    def test_positions_on_a_terminal(self) -> None:
        """There, too, they are printed as JSON."""
        self.stdout = Terminal(tty=True)
        self.listen("--positions", "--no-colour")
        self.network.accept().send(ACCEPT, b"{}")
        self.assertEqual(self.stdout.written, b'{"group": null, "position": null, "event": {}}\n')

    def test_positions(self) -> None:
        """They are printed where asked for, null where the server has none; and gone on from."""
        self.listen("--positions", "--since", "p1")
        server = self.network.accept(subprotocol=V1)
        self.assertEqual(json.loads(server.frames[0])["since"], "p1")
        server.send(ACCEPT_V1, reply("p2", replayed=0), enveloped("p3", b'{ "a":1}'))
        server.drop()
        self.network.reactor.advance(2)
        self.network.accept().send(ACCEPT, b"{}")
        self.assertEqual(
            self.stdout.written,
            b'{"group": "jobs-summary", "position": "p3", "event": { "a":1}}\n'
            b'{"group": null, "position": null, "event": {}}\n',
        )


class ArgumentTests(SynchronousTestCase):
    """What argparse lets through."""

    def setUp(self) -> None:
        """Catch what argparse prints."""
        self.stderr = io.StringIO()
        self.patch(sys, "stderr", self.stderr)

    def test_wrong(self) -> None:
        """Each mistake gets a sentence and status 2."""
        for argv, sentence in (
            ((), "required: GROUP"),
            (("jobs",), "jobs has no hyphen"),
            (("a b-c",), "has a character outside of"),
            (("a-b", "--count", "0"), "'0' is not a whole number above 0"),
            (("a-b", "--count", "x"), "'x' is not a whole number above 0"),
            (("a-b", "--for", "-1"), "'-1' is not a number of seconds above 0"),
            (("a-b", "--for", "soon"), "'soon' is not a number of seconds above 0"),
            (("a-b", "--for", "nan"), "'nan' is not a number of seconds above 0"),
            (("a-b", "--header", "no colon"), "'no colon' is not the NAME of a NAME:VALUE"),
            (("a-b", "--header", "A: b\nC: d"), "'A' is not the NAME of a NAME:VALUE"),
            (("a-b", "--json", "--text"), "not allowed with"),
            (("a-b", "--positions", "--text"), "not allowed with"),
            (("a-b", "--since", ""), "a position has 1 to 128 characters"),
            (("a-b", "--since", 129 * "p"), "a position has 1 to 128 characters"),
        ):
            self.assertEqual(self.assertRaises(SystemExit, parse, *argv).code, 2)
            self.assertIn(sentence, self.stderr.getvalue())

    def test_right(self) -> None:
        """All options together."""
        arguments = parse("a-b", "c-d", "--count", "3", "--for", "1.5", "--header", "x-a:  b c ")
        self.assertEqual(arguments.groups, ["a-b", "c-d"])
        self.assertEqual((arguments.count, arguments.seconds), (3, 1.5))
        self.assertEqual(arguments.header, [("X-A", "b c")])


class RunTests(SynchronousTestCase):
    """The command in its reactor."""

    def test_run(self) -> None:
        """The reactor gets the command with its arguments and our standard output."""
        seen: list[Any] = []

        async def body(*arguments: Any) -> int:
            seen.extend(arguments)
            return 0

        def run_in_reactor(body: Any) -> int:
            running: Deferred[int] = Deferred.fromCoroutine(body("reactor"))
            return self.successResultOf(running)

        self.patch(listen, "listen", body)
        self.patch(listen, "run_in_reactor", run_in_reactor)
        self.assertEqual(main.main(["listen", "jobs-summary"]), 0)
        reactor, arguments, stdout = seen
        self.assertEqual((reactor, arguments.groups), ("reactor", ["jobs-summary"]))
        self.assertIs(stdout, sys.stdout)
