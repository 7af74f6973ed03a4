"""Tests of what waits for a slow reader."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.properties import PROPERTY
from towerws.core.outbox import DEFAULT_BUDGET, Outbox

_ALL = 1 << 30

_STEPS = st.lists(st.sampled_from(["take", "clear"]) | st.integers(0, 12), max_size=40)


class OutboxTests(SynchronousTestCase):
    """An outbox keeps the order and has a budget."""

    def test_order(self) -> None:
        """All frames come out at once, in order, and only once."""
        outbox = Outbox()
        self.assertEqual(outbox.take(_ALL), b"")
        for frame in (b"a", b"bc", b"d"):
            self.assertTrue(outbox.append(frame))
        self.assertEqual(outbox.size, 4)
        self.assertEqual(outbox.take(_ALL), b"abcd")
        self.assertEqual(outbox.size, 0)
        self.assertEqual(outbox.take(_ALL), b"")

    def test_pieces(self) -> None:
        """Whole frames come out, as many as fit, and one at least."""
        outbox = Outbox()
        for frame in (b"aa", b"bb", b"cccccc", b"dd", b"e"):
            outbox.append(frame)
        taken = []
        while outbox.size:
            taken.append(outbox.take(4))
        self.assertEqual(taken, [b"aabb", b"cccccc", b"dde"])

    def test_single_frame_is_not_copied(self) -> None:
        """A large event that waits for many readers is in memory once."""
        outbox, frame = Outbox(), b"x" * 100
        outbox.append(frame)
        self.assertIs(outbox.take(_ALL), frame)

    def test_budget(self) -> None:
        """The budget may be used up to the last byte, and not one more."""
        outbox = Outbox(budget=10)
        self.assertTrue(outbox.append(b"x" * 9))
        self.assertTrue(outbox.append(b"x"))
        self.assertTrue(outbox.append(b""))
        self.assertFalse(outbox.append(b"x"))
        self.assertEqual(outbox.size, 0)
        self.assertEqual(outbox.take(_ALL), b"")

    def test_larger_than_budget(self) -> None:
        """A reader that has nothing queued gets a frame of any size, and nothing on top of it."""
        outbox = Outbox(budget=1)
        for _ in range(2):
            self.assertTrue(outbox.append(b"xx"))
            self.assertEqual(outbox.take(_ALL), b"xx")
        self.assertTrue(outbox.append(b"xx"))
        self.assertFalse(outbox.append(b"y"))

    def test_budget_counts_what_waits(self) -> None:
        """What has been taken, or given up, does not count any more."""
        outbox = Outbox(budget=3)
        for empty in (lambda: outbox.take(_ALL), outbox.clear):
            self.assertTrue(outbox.append(b"x"))
            self.assertTrue(outbox.append(b"xx"))
            empty()
            self.assertEqual(outbox.size, 0)

    def test_default_budget(self) -> None:
        """A mebibyte may wait unless told otherwise."""
        outbox = Outbox()
        self.assertTrue(outbox.append(b"x"))
        self.assertTrue(outbox.append(bytes(DEFAULT_BUDGET - 1)))
        self.assertEqual(outbox.size, 1 << 20)
        self.assertFalse(outbox.append(b"x"))

    @given(_STEPS)
    @PROPERTY
    def test_model(self, steps: list[str | int]) -> None:
        """Any course: what comes out is what went in, in order, and never more than the budget."""
        budget = 16
        outbox = Outbox(budget)
        waiting: list[bytes] = []
        for number, step in enumerate(steps):
            if step == "take":
                self.assertEqual(outbox.take(_ALL), b"".join(waiting))
                waiting = []
            elif step == "clear":
                outbox.clear()
                waiting = []
            else:
                frame = bytes([65 + number]) * int(step)
                fits = not waiting or len(b"".join(waiting) + frame) <= budget
                self.assertEqual(outbox.append(frame), fits)
                waiting = [*waiting, frame] if fits else []
            self.assertEqual(outbox.size, len(b"".join(waiting)))
