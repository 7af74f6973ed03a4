"""Where events are printed, and in which style."""

import contextlib
import io
import json
import os
import shutil
import sys
from argparse import ArgumentParser
from datetime import UTC, datetime
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from tests.cli.memory import Terminal
from towerws.cli import output
from towerws.cli.output import EventPrinter, Style, choose

NOW = datetime(2020, 3, 2, 14, 2, 31, 512345, UTC)
PIPE = Style(as_json=True, on_terminal=False, colour=False)


class ChooseTests(SynchronousTestCase):
    """`choose` honours options first, then the stream and the environment."""

    def setUp(self) -> None:
        """Have a plain environment."""
        self.environment = mock.patch.dict(os.environ)
        self.environment.start()
        self.addCleanup(self.environment.stop)
        for name in ("NO_COLOR", "TERM"):
            os.environ.pop(name, None)

    def test_pipe(self) -> None:
        """A pipe gets JSON."""
        self.assertEqual(choose(Terminal()), PIPE)

    def test_terminal(self) -> None:
        """A terminal gets coloured lines."""
        self.assertEqual(choose(Terminal(tty=True)), Style(False, True, True))

    def test_no_color(self) -> None:
        """NO_COLOR takes the colours away unless it is empty, and so does a dumb terminal."""
        for name, value, colour in (
            ("NO_COLOR", "1", False),
            ("NO_COLOR", "", True),
            ("TERM", "dumb", False),
            ("TERM", "xterm", True),
        ):
            with mock.patch.dict(os.environ, {name: value}):
                self.assertIs(choose(Terminal(tty=True)).colour, colour)

    def test_options(self) -> None:
        """Options decide against everything else."""
        os.environ["NO_COLOR"] = "1"
        self.assertEqual(
            choose(Terminal(tty=True), as_json=True, colour=True), Style(True, True, True)
        )
        self.assertEqual(choose(Terminal(), as_json=False), Style(False, False, False))

    def test_command_line(self) -> None:
        """Each option has both spellings or an opposite; none is set by default."""
        parser = ArgumentParser()
        output.add_arguments(parser)
        for argv, as_json, colour in (
            ((), None, None),
            (("--json", "--no-colour"), True, False),
            (("--text", "--color"), False, True),
            (("--no-color",), None, False),
        ):
            arguments = parser.parse_args(argv)
            self.assertEqual((arguments.as_json, arguments.colour), (as_json, colour))


class EventPrinterTests(SynchronousTestCase):
    """`EventPrinter` prints one line for each event."""

    def printed(self, payload: bytes, style: Style, stream: Terminal | None = None) -> bytes:
        """Print one event."""
        stream = stream or Terminal(tty=style.on_terminal)
        printer = EventPrinter(stream, style, now=lambda: NOW)
        printer.print(payload, json.loads(payload))
        return stream.buffer.getvalue()  # type: ignore[attr-defined,no-any-return]

    def test_pipe(self) -> None:
        """A pipe gets the payload byte for byte, at once, whatever is in it."""
        payload = b'{ "a":1.10, "b": "\\u001b\xc2\x9b\xc3\xa9", "a": NaN}'
        self.assertEqual(self.printed(payload, PIPE), payload + b"\n")

    def test_payload_of_many_lines(self) -> None:
        """A payload with line ends between its tokens is one line all the same, and equal JSON."""
        payload = b'{\r\n "a": "\\n"\n}\n'
        line = self.printed(payload, PIPE)
        self.assertEqual(line, b'{   "a": "\\n" } \n')
        self.assertEqual(json.loads(line), json.loads(payload))

    def test_json_on_terminal(self) -> None:
        """JSON on a terminal is harmless, and equal JSON."""
        payload = '{"a": "\x9b2J é \u202e"}'.encode()
        line = self.printed(payload, Style(True, True, True))
        self.assertEqual(line, '{"a": "\\u009b2J é \\u202e"}\n'.encode())
        self.assertEqual(json.loads(line), json.loads(payload))

    def test_text(self) -> None:
        """People get time, group and gist."""
        payload = b'{"group_name": "jobs", "status": "running", "unified_job_id": 42}'
        line = self.printed(payload, Style(False, False, False))
        self.assertEqual(line, b"14:02:31.512  jobs-status_changed  job 42 running\n")

    def test_text_on_terminal(self) -> None:
        """A terminal's width is kept to, without counting the colours."""
        self.patch(shutil, "get_terminal_size", lambda: os.terminal_size((40, 20)))
        payload = b'{"group_name": "chat", "text": "' + b"x" * 100 + b'"}'
        line = self.printed(payload, Style(False, True, False)).decode()
        self.assertEqual(len(line.rstrip("\n")), 40)

    def test_poor_encoding(self) -> None:
        """What a terminal cannot show is escaped; it is no error."""
        stream = Terminal(tty=True, encoding="ascii")
        payload = '{"group_name": "é"}'.encode()
        line = self.printed(payload, Style(False, True, False), stream)
        self.assertIn(b"\\xe9", line)

    def test_closed_pipe(self) -> None:
        """Nobody reading is told to the caller."""
        reader, writer = os.pipe()
        os.close(reader)
        stream = os.fdopen(writer, "w")
        self.assertRaises(BrokenPipeError, EventPrinter(stream, PIPE).print, b"{}", {})
        with contextlib.suppress(BrokenPipeError):
            stream.close()


class SayTests(SynchronousTestCase):
    """`say` speaks on standard error."""

    def test_harmless(self) -> None:
        """What the server said cannot drive the terminal."""
        stderr = io.StringIO()
        self.patch(sys, "stderr", stderr)
        output.say("the server says: \x1b[2J")
        self.assertEqual(stderr.getvalue(), "towerws: the server says: \\x1b[2J\n")
