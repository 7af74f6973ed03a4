"""`towerws emit`."""

import io
import sys
from typing import Any, Self

from twisted.trial.unittest import SynchronousTestCase

from towerws.cli import emit, main
from towerws.notify import EmitError


class PublisherInMemory:
    """Stands for `towerws.notify.Publisher`.

    Attributes:
        emitted: What was published, of all publishers of the test.
        fault: What the next emit raises.
        options: The settings of each publisher, besides its URL.
    """

    emitted: list[tuple[str, object]]
    fault: Exception | None
    urls: list[str | None]
    options: list[dict[str, object]]
    open: int

    @classmethod
    def reset(cls) -> None:
        """Forget what earlier tests did."""
        cls.emitted, cls.urls, cls.options, cls.fault, cls.open = [], [], [], None, 0

    def __init__(self, url: str | None = None, **options: object) -> None:
        if url == "bad":
            raise ValueError("the URL is bad")
        self.urls.append(url)
        self.options.append(options)

    def __enter__(self) -> Self:
        type(self).open += 1
        return self

    def __exit__(self, *_exception: object) -> None:
        type(self).open -= 1

    def emit(self, group: str, payload: dict[str, Any], *, strict: bool) -> None:
        """Publish, or raise what the test wants."""
        assert strict
        if self.fault is not None:
            raise self.fault
        self.emitted.append((group, payload))


class EmitTests(SynchronousTestCase):
    """One event is published, or one sentence says why not."""

    def setUp(self) -> None:
        """Publish into memory."""
        PublisherInMemory.reset()
        self.patch(emit, "Publisher", PublisherInMemory)
        self.stderr = io.StringIO()
        self.patch(sys, "stderr", self.stderr)

    def emit(self, *argv: str) -> int:
        """Run the command."""
        status = main.main(["emit", *argv])
        self.assertEqual(PublisherInMemory.open, 0)
        return status

    def test_event(self) -> None:
        """The event goes to its group, without a word."""
        self.assertEqual(self.emit("jobs-summary", '{"a": "é"}'), 0)
        self.assertEqual(PublisherInMemory.emitted, [("jobs-summary", {"a": "é"})])
        self.assertEqual(PublisherInMemory.urls, [None])
        self.assertEqual(self.stderr.getvalue(), "")

    def test_url(self) -> None:
        """It goes to where ``--url`` says."""
        self.assertEqual(self.emit("jobs-summary", "{}", "--url", "amqp://broker"), 0)
        self.assertEqual(PublisherInMemory.urls, ["amqp://broker"])

    def test_standard_input(self) -> None:
        """A dash takes the event from standard input."""
        self.patch(sys, "stdin", io.StringIO('{"a": 1}\n'))
        self.assertEqual(self.emit("jobs-summary", "-"), 0)
        self.assertEqual(PublisherInMemory.emitted, [("jobs-summary", {"a": 1})])

    def test_endless_standard_input(self) -> None:
        """Standard input is not read without end."""
        self.patch(emit, "MAX_INPUT", 7)
        self.patch(sys, "stdin", io.StringIO('{"a": 1}'))
        self.assertEqual(self.emit("jobs-summary", "-"), 1)
        self.assertIn("more than 7 characters", self.stderr.getvalue())

    def test_not_json(self) -> None:
        """Text that is not JSON is refused before anything is connected."""
        for text in ("{", "[" * 100_000):
            self.assertEqual(self.emit("jobs-summary", text), 1)
            self.assertIn("towerws emit: the event is not JSON: ", self.stderr.getvalue())
        self.assertEqual(PublisherInMemory.urls, [])

    def test_not_published(self) -> None:
        """The publisher's sentence is passed on."""
        PublisherInMemory.fault = EmitError("the server is away")
        self.assertEqual(self.emit("jobs-summary", "{}"), 1)
        self.assertEqual(self.stderr.getvalue(), "towerws emit: the server is away\n")

    def test_bad_url(self) -> None:
        """A URL that cannot be is told."""
        self.assertEqual(self.emit("jobs-summary", "{}", "--url", "bad"), 1)
        self.assertIn("the URL is bad", self.stderr.getvalue())
