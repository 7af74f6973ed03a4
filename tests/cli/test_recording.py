"""Recordings: reading them, and what is wrong with bad ones."""

import io
import json

from twisted.trial.unittest import SynchronousTestCase

from towerws.cli.recording import RecordedEvent, RecordingError, parse, read, shipped


def _line(t: object = 0, group: object = "jobs-summary", event: object = None) -> bytes:
    return json.dumps({"t": t, "group": group, "event": {} if event is None else event}).encode()


class ParseTests(SynchronousTestCase):
    """`parse` takes events and names the line that is none."""

    def test_events(self) -> None:
        """Time, group and payload; empty lines count for nothing."""
        lines = [_line(0), b"", b" \r", _line(1.5, "job_events-42", {"a": "é"})]
        self.assertEqual(
            parse(lines),
            [
                RecordedEvent(0.0, "jobs-summary", {}),
                RecordedEvent(1.5, "job_events-42", {"a": "é"}),
            ],
        )

    def test_bad_lines(self) -> None:
        """Each mistake gets a sentence with the number of its line."""
        for bad, sentence in (
            (b"{", "line 2: not JSON"),
            (b"\xff", "line 2: not JSON"),
            (b"[" * 100_000, "line 2: not JSON"),
            (b'{"t": NaN, "group": "a-b", "event": {}}', "NaN is not JSON"),
            (b"[]", "not an object with the keys"),
            (b'{"t": 1}', "not an object with the keys"),
            (_line(True), '"t" is not a number'),
            (_line("1"), '"t" is not a number'),
            (_line(-1), '"t" is not a number'),
            (_line(10**400), '"t" is not a number'),
            (_line(group=7), "no group name"),
            (_line(group="a b"), "has a character outside"),
            (_line(event=[]), '"event" is not an object'),
        ):
            error = self.assertRaises(RecordingError, parse, [_line(), bad])
            self.assertTrue(str(error).startswith("line 2: "), bad[:50])
            self.assertIn(sentence, str(error))

    def test_time_never_goes_back(self) -> None:
        """An event before the one above it is a mistake; at the same time it is none."""
        self.assertEqual(len(parse([_line(2), _line(2)])), 2)
        error = self.assertRaises(RecordingError, parse, [_line(2), b"", _line(1)])
        self.assertEqual(str(error), "line 3: its time lies before that of the line above")


class ReadTests(SynchronousTestCase):
    """`read` bounds what it takes."""

    def test_limit(self) -> None:
        """A file of just the limit is read, one byte more is refused."""
        data = _line() + b"\n"
        self.assertEqual(len(read(io.BytesIO(data), len(data))), 1)
        error = self.assertRaises(RecordingError, read, io.BytesIO(data), len(data) - 1)
        self.assertIn("larger than", str(error))

    def test_empty(self) -> None:
        """A file without an event is no recording."""
        error = self.assertRaises(RecordingError, read, io.BytesIO(b"\n\n"))
        self.assertEqual(str(error), "the recording is empty")


class ShippedTests(SynchronousTestCase):
    """The recording that comes with towerws tells a consistent story."""

    def setUp(self) -> None:
        """Read it."""
        self.recording = shipped()
        self.job_events = [each.event for each in self.recording if each.group == "job_events-42"]

    def test_size(self) -> None:
        """Some 200 events in half a minute."""
        self.assertTrue(200 <= len(self.recording) <= 250)
        self.assertTrue(25 <= self.recording[-1].at <= 30)

    def test_groups(self) -> None:
        """The groups that a page about a job listens to, and no other."""
        self.assertEqual(
            {each.group for each in self.recording},
            {"jobs-status_changed", "jobs-summary", "job_events-42", "schedules-changed"},
        )

    def test_counters(self) -> None:
        """Events are numbered without a gap, and the summary names the last number."""
        counters = [event["counter"] for event in self.job_events]
        self.assertEqual(counters, list(range(1, len(counters) + 1)))
        summary = [each.event for each in self.recording if each.group == "jobs-summary"][-1]
        self.assertEqual(
            summary, {"group_name": "jobs", "unified_job_id": 42, "final_counter": len(counters)}
        )

    def test_lines(self) -> None:
        """The lines of output follow one another, and are as many as the output has."""
        line = 0
        for event in self.job_events:
            stdout = event["stdout"]
            assert isinstance(stdout, str)
            self.assertEqual(event["start_line"], line)
            line += len(stdout.split("\r\n")) if stdout else 0
            self.assertEqual(event["end_line"], line)

    def test_tree(self) -> None:
        """Every event stands one level below its parent, which came before it."""
        levels: dict[object, object] = {"": -1}
        for event in self.job_events:
            level, parent = event["event_level"], event["parent_uuid"]
            assert isinstance(level, int)
            self.assertEqual(levels[parent], level - 1)
            self.assertNotIn(event["uuid"], levels)
            levels[event["uuid"]] = level

    def test_status(self) -> None:
        """The job goes from pending to successful, and its end comes last."""
        changes = [each for each in self.recording if each.event.get("unified_job_id") == 42]
        statuses = [each.event["status"] for each in changes if "status" in each.event]
        self.assertEqual(statuses, ["pending", "waiting", "running", "successful"])
        self.assertIn("finished", changes[-1].event)

    def test_variety(self) -> None:
        """There are changes, skips, an ignored failure, colours, and text in many scripts."""
        kinds = {event["event"] for event in self.job_events}
        self.assertLessEqual(
            {
                "playbook_on_start",
                "playbook_on_play_start",
                "playbook_on_task_start",
                "playbook_on_handler_task_start",
                "runner_on_start",
                "runner_on_ok",
                "runner_on_skipped",
                "runner_on_failed",
                "playbook_on_stats",
            },
            kinds,
        )
        stdout = "".join(str(event["stdout"]) for event in self.job_events)
        self.assertIn("\x1b[0;31m", stdout)
        self.assertIn("日本語", stdout)
        self.assertTrue(any(event["changed"] for event in self.job_events))

    def test_keys(self) -> None:
        """Job events have AWX's keys in AWX's order (awx-protocol.md 2.10, 9.1.1 and later)."""
        keys = (
            "id job created modified group_name url stdout counter uuid parent_uuid start_line "
            "end_line event event_data failed changed event_level play role task"
        )
        for event in self.job_events:
            self.assertEqual(list(event), keys.split())
            self.assertEqual(event["created"], event["modified"])
