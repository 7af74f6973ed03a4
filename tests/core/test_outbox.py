"""Tests of what waits for a slow reader."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.properties import PROPERTY
from towerws.core.outbox import DEFAULT_BUDGET, Outbox

_STEPS = st.lists(st.sampled_from(["take", "pause", "resume"]) | st.integers(0, 12), max_size=40)


class OutboxTests(SynchronousTestCase):
    """An outbox keeps the order, holds back while paused, and has a budget."""

    def test_order(self) -> None:
        """All frames come out at once, in order, and only once."""
        outbox = Outbox()
        self.assertEqual(outbox.take(), b"")
        for frame in (b"a", b"bc", b"d"):
            outbox.append(frame)
        self.assertEqual(outbox.size, 4)
        self.assertEqual(outbox.take(), b"abcd")
        self.assertEqual(outbox.size, 0)
        self.assertEqual(outbox.take(), b"")

    def test_single_frame_is_not_copied(self) -> None:
        """The commonest case costs no memory: the one frame itself comes out."""
        outbox, frame = Outbox(), b"x" * 100
        outbox.append(frame)
        self.assertIs(outbox.take(), frame)

    def test_paused(self) -> None:
        """While the transport has enough everything waits, however often it says so."""
        outbox = Outbox()
        outbox.append(b"a")
        outbox.pause()
        outbox.pause()
        outbox.append(b"b")
        self.assertEqual(outbox.take(), b"")
        self.assertEqual(outbox.size, 2)
        outbox.resume()
        self.assertEqual(outbox.take(), b"ab")

    def test_budget(self) -> None:
        """The budget may be used up to the last byte, and not one more."""
        outbox = Outbox(budget=10)
        outbox.pause()
        outbox.append(b"x" * 10)
        self.assertFalse(outbox.overflowed)
        outbox.append(b"")
        self.assertFalse(outbox.overflowed)
        outbox.append(b"x")
        self.assertTrue(outbox.overflowed)
        self.assertEqual(outbox.size, 0)

    def test_overflow_is_final(self) -> None:
        """After an overflow nothing is given out or taken in: a part must not look whole."""
        outbox = Outbox(budget=1)
        outbox.pause()
        outbox.append(b"xx")
        outbox.append(b"y")
        outbox.resume()
        outbox.append(b"z")
        self.assertEqual((outbox.take(), outbox.size, outbox.overflowed), (b"", 0, True))

    def test_larger_than_budget(self) -> None:
        """A reader that keeps up gets frames of any size."""
        outbox = Outbox(budget=1)
        outbox.append(b"xx")
        outbox.append(b"yy")
        self.assertFalse(outbox.overflowed)
        self.assertEqual(outbox.take(), b"xxyy")

    def test_budget_counts_what_waits(self) -> None:
        """What has been taken does not count any more."""
        outbox = Outbox(budget=3)
        for _ in range(5):
            outbox.append(b"xxx")
            outbox.take()
        outbox.pause()
        outbox.append(b"xxx")
        self.assertFalse(outbox.overflowed)

    def test_default_budget(self) -> None:
        """A mebibyte may wait unless told otherwise."""
        outbox = Outbox()
        outbox.pause()
        outbox.append(bytes(DEFAULT_BUDGET))
        self.assertEqual((outbox.size, outbox.overflowed), (1 << 20, False))
        outbox.append(b"x")
        self.assertTrue(outbox.overflowed)

    @given(_STEPS)
    @PROPERTY
    def test_model(self, steps: list[str | int]) -> None:
        """Any course: what comes out is what went in, a beginning of it if it overflowed."""
        budget = 16
        outbox, appended, taken, waiting = Outbox(budget), b"", b"", b""
        paused = overflowed = False
        for step in steps:
            if step == "take":
                data = outbox.take()
                self.assertEqual(data, b"" if paused else waiting)
                taken, waiting = taken + data, waiting if paused else b""
            elif step == "pause":
                outbox.pause()
                paused = True
            elif step == "resume":
                outbox.resume()
                paused = False
            else:
                frame = bytes([65 + len(appended) % 26]) * int(step)
                outbox.append(frame)
                appended, waiting = appended + frame, waiting + frame
                overflowed = overflowed or (paused and len(waiting) > budget)
            if overflowed:
                waiting = b""
            self.assertEqual((outbox.size, outbox.overflowed), (len(waiting), overflowed))
        self.assertTrue(appended.startswith(taken))
        if not overflowed:
            self.assertEqual(taken + waiting, appended)
