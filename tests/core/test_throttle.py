"""Tests of the limit on log lines."""

from twisted.trial.unittest import SynchronousTestCase

from towerws.core.throttle import DEFAULT_INTERVAL, Throttle


class ThrottleTests(SynchronousTestCase):
    """A throttle lets one line through at a time."""

    def setUp(self) -> None:
        """A clock that the test sets."""
        self.now = 0.0
        self.throttle = Throttle(lambda: self.now, interval=10)

    def test_first(self) -> None:
        """The first line goes through, even at the beginning of time."""
        self.assertEqual(self.throttle.permit("a"), 0)

    def test_interval(self) -> None:
        """The next one has to wait the whole interval, and tells of those held back."""
        self.throttle.permit("a")
        for self.now in (0, 5, 9.9):
            self.assertIsNone(self.throttle.permit("a"))
        self.now = 10
        self.assertEqual(self.throttle.permit("a"), 3)
        self.now = 19
        self.assertIsNone(self.throttle.permit("a"))
        self.now = 20
        self.assertEqual(self.throttle.permit("a"), 1)
        self.now = 30
        self.assertEqual(self.throttle.permit("a"), 0)

    def test_keys(self) -> None:
        """Lines about different things do not hold each other back."""
        self.throttle.permit("a")
        self.assertIsNone(self.throttle.permit("a"))
        self.assertEqual(self.throttle.permit("b"), 0)
        self.now = 10
        self.assertEqual(self.throttle.permit("b"), 0)
        self.assertEqual(self.throttle.permit("a"), 1)

    def test_log(self) -> None:
        """A line is written with its fields, and tells of those held back if there were any."""
        lines: list[tuple[str, dict[str, object]]] = []

        def write(text: str, **fields: object) -> None:
            lines.append((text, fields))

        for self.now in (0, 1, 2, 10):
            self.throttle.log(write, "a", "it is {time}", time=self.now)
        self.assertEqual(
            lines,
            [
                ("it is {time}", {"held_back": 0, "time": 0}),
                ("it is {time} ({held_back} such lines held back)", {"held_back": 2, "time": 10}),
            ],
        )

    def test_default(self) -> None:
        """A line a minute unless told otherwise."""
        throttle = Throttle(lambda: self.now)
        throttle.permit("a")
        self.now = DEFAULT_INTERVAL - 1
        self.assertIsNone(throttle.permit("a"))
        self.now = 60
        self.assertEqual(throttle.permit("a"), 1)
