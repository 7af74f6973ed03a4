"""`towerws replay`."""

import io
import json
import sys
from argparse import ArgumentTypeError
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.cli.test_emit import PublisherInMemory
from towerws.cli import emit, main, replay
from towerws.cli.recording import RecordedEvent, shipped
from towerws.cli.replay import PAUSE, Player
from towerws.notify import EmitError

EVENTS = [RecordedEvent(float(at), "jobs-summary", {"n": at}) for at in (0, 1, 1, 4)]


class PlayerTests(SynchronousTestCase):
    """`Player` keeps to the schedule."""

    def setUp(self) -> None:
        """Play with a clock that only sleeping and publishing move."""
        self.clock = Clock()
        self.published: list[tuple[float, object]] = []
        self.cost = 0.0
        self.progress: list[int] = []

    def publish(self, group: str, event: dict[str, object]) -> None:
        """Publish an event, which takes its time."""
        self.published.append((self.clock.seconds(), event["n"]))
        self.clock.advance(self.cost)

    def play(self, speed: float) -> Player:
        """Play the events through."""
        player = Player(self.publish, speed, clock=self.clock.seconds, sleep=self.clock.advance)
        player.play(EVENTS, self.progress.append)
        return player

    def test_pace(self) -> None:
        """Events come when they came when they were recorded."""
        player = self.play(1)
        self.assertEqual(self.published, [(0, 0), (1, 1), (1, 1), (4, 4)])
        self.assertEqual(player.published, 4)
        self.assertEqual(self.progress, [1, 2, 3, 4])

    def test_speed(self) -> None:
        """Twice the speed takes half the time; 0 takes none."""
        self.play(2)
        self.assertEqual(self.published, [(0, 0), (0.5, 1), (0.5, 1), (2, 4)])
        self.setUp()
        self.play(0)
        self.assertEqual([at for at, _ in self.published], [0, 0, 0, 0])

    def test_no_drift(self) -> None:
        """The time that publishing takes is not added to the times of the events."""
        self.cost = 0.75
        self.play(1)
        self.assertEqual(self.published, [(0, 0), (1, 1), (1.75, 1), (4, 4)])

    def test_fault(self) -> None:
        """The first event that cannot be published ends the play."""

        def publish(group: str, event: dict[str, object]) -> None:
            if event["n"] == 4:
                raise EmitError("away")

        player = Player(publish, 0)
        self.assertRaises(EmitError, player.play, EVENTS, self.progress.append)
        self.assertEqual(player.published, 3)


class ReplayTests(SynchronousTestCase):
    """The command."""

    def setUp(self) -> None:
        """Publish into memory, in no time."""
        PublisherInMemory.reset()
        self.patch(emit, "Publisher", PublisherInMemory)
        self.stdout, self.stderr = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", self.stdout)
        self.patch(sys, "stderr", self.stderr)

    def write(self, text: str) -> str:
        """Write a file."""
        path: str = self.mktemp()
        Path(path).write_text(text, encoding="utf-8")
        return path

    def test_shipped(self) -> None:
        """Without a file the shipped job is published, and how many events that were is told."""
        self.assertEqual(main.main(["replay", "--speed", "0"]), 0)
        events = shipped()
        self.assertEqual(PublisherInMemory.emitted, [(each.group, each.event) for each in events])
        self.assertIn(f"{len(events)} events published in 0.", self.stdout.getvalue())
        self.assertEqual(self.stderr.getvalue(), "")

    def test_file(self) -> None:
        """A file is published to where ``--url`` says."""
        path = self.write('{"t": 0, "group": "jobs-summary", "event": {"a": 1}}\n')
        self.assertEqual(main.main(["replay", path, "--url", "amqp://broker"]), 0)
        self.assertEqual(PublisherInMemory.emitted, [("jobs-summary", {"a": 1})])
        self.assertEqual(PublisherInMemory.urls, ["amqp://broker"])

    def test_standard_input(self) -> None:
        """A dash takes the recording from standard input."""
        line = json.dumps({"t": 0, "group": "jobs-summary", "event": {}})
        self.patch(sys, "stdin", io.TextIOWrapper(io.BytesIO(line.encode())))
        self.assertEqual(main.main(["replay", "-"]), 0)
        self.assertEqual(len(PublisherInMemory.emitted), 1)

    def test_bad_line(self) -> None:
        """A mistake in the file is told with its line, and nothing at all is published."""
        path = self.write('{"t": 0, "group": "jobs-summary", "event": {}}\n{}\n')
        self.assertEqual(main.main(["replay", path]), 1)
        self.assertIn(f"towerws replay: {path}: line 2: ", self.stderr.getvalue())
        self.assertEqual(PublisherInMemory.urls, [])

    def test_no_file(self) -> None:
        """A file that cannot be read is told."""
        self.assertEqual(main.main(["replay", "/nowhere"]), 1)
        self.assertEqual(
            self.stderr.getvalue(), "towerws replay: /nowhere: No such file or directory\n"
        )

    def test_not_published(self) -> None:
        """The event that could not be published is named, and how far the replay came."""
        PublisherInMemory.fault = EmitError("the server is away")
        self.assertEqual(main.main(["replay"]), 1)
        self.assertEqual(self.stderr.getvalue(), "towerws replay: event 1: the server is away\n")
        self.assertIn("0 events published", self.stdout.getvalue())

    def test_loop(self) -> None:
        """Rounds follow one another after a pause, until Ctrl-C."""
        pauses = []

        def wait(player: Player, seconds: float) -> None:
            if player.published % 2 == 0:
                pauses.append(seconds)
            if player.published == 4:
                raise KeyboardInterrupt

        self.patch(Player, "wait", wait)
        path = self.write('{"t": 0, "group": "jobs-summary", "event": {}}\n' * 2)
        self.assertEqual(main.main(["replay", path, "--loop"]), 130)
        self.assertIn(PAUSE, pauses)
        self.assertIn("4 events published", self.stdout.getvalue())

    def test_progress(self) -> None:
        """On a terminal one line tells how far the replay is."""
        self.stderr.isatty = lambda: True  # type: ignore[method-assign]
        path = self.write('{"t": 0, "group": "jobs-summary", "event": {}}\n' * 2)
        main.main(["replay", path])
        self.assertEqual(self.stderr.getvalue(), "\r1 of 2 events\r2 of 2 events\n")


class SpeedTests(SynchronousTestCase):
    """`--speed` takes numbers."""

    def test_numbers(self) -> None:
        """Any number from 0 on."""
        self.assertEqual([replay.speed(text) for text in ("0", "0.5", "1e3")], [0, 0.5, 1000])

    def test_others(self) -> None:
        """Nothing else."""
        for text in ("-1", "nan", "inf", "fast"):
            self.assertRaises(ArgumentTypeError, replay.speed, text)
