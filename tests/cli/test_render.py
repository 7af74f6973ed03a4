"""Events as lines for people."""

import json
import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.properties import CHARACTERS
from towerws.cli.render import Colour, gist, group_of, neutralise, neutralise_json, render

_DETERMINISTIC = settings(derandomize=True, deadline=None, database=None, max_examples=40)

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(CHARACTERS),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(CHARACTERS), inner),
    max_leaves=10,
)


def _is_harmless(text: str) -> bool:
    return all(unicodedata.category(char)[0] != "C" and char.isprintable() for char in text)


class NeutraliseTests(SynchronousTestCase):
    """Text of events cannot drive a terminal."""

    def test_escape_sequences(self) -> None:
        """What sets a title, clears the screen or reverses the text is shown, not sent."""
        self.assertEqual(neutralise("\x1b]0;owned\x07"), r"\x1b]0;owned\x07")
        self.assertEqual(neutralise("\x9b2J"), r"\x9b2J")
        self.assertEqual(neutralise("a\u202eb\u2028c\udc80"), r"a\u202eb\u2028c\udc80")

    def test_ordinary_text(self) -> None:
        """Letters of every script and emoji stay as they are."""
        self.assertEqual(neutralise("Zürich, 日本語 🚀"), "Zürich, 日本語 🚀")

    @_DETERMINISTIC
    @given(_json)
    def test_json_keeps_its_meaning(self, value: object) -> None:
        """JSON made harmless is the same JSON, and printable."""
        text = neutralise_json(json.dumps(value, ensure_ascii=False))
        self.assertEqual(json.loads(text), value)
        self.assertTrue(_is_harmless(text))

    def test_json_beyond_the_first_plane(self) -> None:
        """A tag character, invisible and beyond U+FFFF, becomes a pair of surrogates; tabs stay."""
        self.assertEqual(neutralise_json('{\t"a": "\U000e0041"}'), '{\t"a": "\\udb40\\udc41"}')


class GroupTests(SynchronousTestCase):
    """The group is guessed from the payload."""

    def test_shapes_of_awx(self) -> None:
        """Each of AWX's shapes names its group."""
        shapes: tuple[tuple[dict[str, object], str], ...] = (
            ({"group_name": "jobs", "status": "running"}, "jobs-status_changed"),
            ({"group_name": "jobs", "final_counter": 3}, "jobs-summary"),
            ({"group_name": "job_events", "job": 42}, "job_events-42"),
            (
                {"group_name": "ad_hoc_command_events", "ad_hoc_command": 7},
                "ad_hoc_command_events-7",
            ),
            ({"group_name": "workflow_events", "workflow_job_id": 5}, "workflow_events-5"),
            ({"group_name": "schedules", "id": 1}, "schedules-changed"),
            ({"group_name": "inventories", "status": "deleted"}, "inventories-status_changed"),
            ({"group_name": "control", "reason": "limit_reached"}, "control-limit_reached"),
        )
        for event, group in shapes:
            self.assertEqual(group_of(event), group)

    def test_other_shapes(self) -> None:
        """What AWX does not have is shown as far as it is known."""
        self.assertEqual(group_of({"group_name": "chat"}), "chat")
        self.assertEqual(group_of({"a": 1}), "-")
        self.assertEqual(group_of({"group_name": 7}), "-")


class GistTests(SynchronousTestCase):
    """A few words for each event."""

    def test_status(self) -> None:
        """A change of status names what changed, in the colour of the status."""
        event = {"unified_job_id": 41, "status": "failed", "type": "project_update"}
        self.assertEqual(gist(event), ("project update 41 failed", Colour.RED))
        self.assertEqual(gist({"unified_job_id": 1, "status": "new"}), ("job 1 new", Colour.NONE))
        inventory = {"inventory_id": 3, "status": "pending_deletion"}
        self.assertEqual(gist(inventory), ("inventory 3 pending_deletion", Colour.NONE))

    def test_summary_and_schedule(self) -> None:
        """The last event of a job says how many there were."""
        summary: dict[str, object] = {"unified_job_id": 42, "final_counter": 205}
        self.assertEqual(gist(summary)[0], "job 42 has ended after 205 events")
        self.assertEqual(gist({"group_name": "schedules", "id": 3})[0], "schedule 3 changed")

    def test_output_of_a_task(self) -> None:
        """Output is shown without colours, stars and empty lines; what is more is counted."""
        event: dict[str, object] = {
            "event": "runner_on_ok",
            "counter": 9,
            "event_level": 3,
            "stdout": "\x1b[0;32mok: [web1] => {\x1b[0m\r\n    1\r\n}",
        }
        self.assertEqual(gist(event), ("#9 ok: [web1] => { (+2 lines)", Colour.GREEN))
        event |= {"event": "playbook_on_task_start", "event_level": 2, "stdout": "\r\nTASK [x] ***"}
        self.assertEqual(gist(event), ("#9 TASK [x]", Colour.BOLD))

    def test_event_without_output(self) -> None:
        """Where there is no output, the event's kind and place are shown."""
        event: dict[str, object] = {"event": "runner_on_start", "counter": 4, "task": "Install"}
        self.assertEqual(gist(event), ("#4 runner_on_start: Install", Colour.NONE))
        self.assertEqual(gist({"event": "verbose", "stdout": 5})[0], "#? verbose")

    def test_results(self) -> None:
        """Failed and changed results have their colours, skipped ones have none."""
        for flags, colour in (
            ({"failed": True, "changed": True}, Colour.RED),
            ({"changed": True}, Colour.YELLOW),
            ({"event_level": 3}, Colour.NONE),
        ):
            self.assertEqual(gist({"event": "runner_on_failed", **flags})[1], colour)

    def test_anything_else(self) -> None:
        """An event of no known shape is shown whole."""
        self.assertEqual(gist({"ü": 1}), ('{"ü": 1}', Colour.NONE))


class RenderTests(SynchronousTestCase):
    """The whole line."""

    def test_plain(self) -> None:
        """Time, group and gist; the group takes at least its columns."""
        line = render(
            {"group_name": "jobs", "final_counter": 1, "unified_job_id": 2}, "12:00", pad=14
        )
        self.assertEqual(line, "12:00  jobs-summary    job 2 has ended after 1 events")

    def test_colours(self) -> None:
        """Each part has its colour, and the end of each takes it back."""
        line = render({"group_name": "jobs", "status": "failed"}, "12:00", colour=True)
        parts = (
            "\x1b[2m12:00\x1b[0m",
            "\x1b[36mjobs-status_changed\x1b[0m",
            "\x1b[31mjob ? failed\x1b[0m",
        )
        self.assertEqual(line, "  ".join(parts))

    def test_width(self) -> None:
        """A line is cut to the terminal, but keeps some words on the narrowest."""
        event = {"group_name": "chat", "text": "x" * 500}
        self.assertEqual(len(render(event, "12:00", 60)), 60)
        self.assertTrue(render(event, "12:00", 60).endswith("…"))
        self.assertEqual(len(render(event, "12:00", 1)), len("12:00  chat  ") + 10)

    def test_no_object(self) -> None:
        """JSON that is not an object is shown all the same."""
        self.assertEqual(render([1], "12:00"), "12:00  -  [1]")

    @_DETERMINISTIC
    @given(
        _json,
        st.text(CHARACTERS),
        st.sampled_from(["stdout", "task", "status", "group_name", "event"]),
    )
    def test_nothing_gets_through(self, value: object, text: str, key: str) -> None:
        """Whatever an event holds, its line is printable."""
        event = {"event": "verbose", "stdout": text, "x": value, key: text}
        self.assertTrue(_is_harmless(render(event, "12:00")))
        self.assertTrue(_is_harmless(render({"group_name": text, "x": value}, "12:00", 80)))
