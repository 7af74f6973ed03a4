"""`towerws.option_values`; tests/test_options.py has them in use."""

import os

from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase

from towerws.option_values import between, exchange, named, one_of, token, workers


class ValueTests(SynchronousTestCase):
    """What is taken, and what is not."""

    def test_between(self) -> None:
        """Whole numbers in decimal digits, both ends included."""
        coerce = between(1, 10)
        self.assertEqual([coerce("1"), coerce("10")], [1, 10])
        for text in ("0", "11", "-1", "+1", "1.0", "", " 1", "x", "9" * 5000):
            self.assertRaises(ValueError, coerce, text)

    def test_workers(self) -> None:
        """A number or a word; the message names both."""
        self.patch(os, "sched_getaffinity", lambda _: range(3))
        self.assertEqual([workers("auto"), workers("2")], [3, 2])
        self.assertIn("'auto'", str(self.assertRaises(ValueError, workers, "many")))

    def test_one_of(self) -> None:
        """One of some words."""
        coerce = one_of("close", "keep")
        self.assertEqual(coerce("keep"), "keep")
        self.assertIn("close or keep", str(self.assertRaises(ValueError, coerce, "")))

    def test_exchange(self) -> None:
        """As long as AMQP allows, counted in bytes."""
        self.assertEqual(exchange("ä" * 127), "ä" * 127)
        for text in ("", "ä" * 128):
            self.assertRaises(ValueError, exchange, text)

    def test_token(self) -> None:
        """Without the line end; a bad one is not repeated."""
        self.assertEqual(token("abc\n", "FILE"), "abc")
        for text in ("", "\n", "s3cret t", "s3crét", "s3cret\x00"):
            error = str(self.assertRaises(usage.UsageError, token, text, "FILE"))
            self.assertIn("FILE: ", error)
            self.assertNotIn("s3cr", error)

    def test_named(self) -> None:
        """The message begins with the option."""
        coerce = named("prefetch", between(1, 10))
        self.assertEqual(coerce("5"), 5)
        error = self.assertRaises(usage.UsageError, coerce, "x")
        self.assertTrue(str(error).startswith("--prefetch: "))
