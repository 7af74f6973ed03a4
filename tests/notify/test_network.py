"""Tests of deadlines, names and candidates."""

import socket
import threading
import time

from twisted.trial.unittest import SynchronousTestCase

from towerws.notify.errors import Unreachable
from towerws.notify.network import first_reached, remaining, resolve


def _soon(seconds: float = 5.0) -> float:
    return time.monotonic() + seconds


class RemainingTests(SynchronousTestCase):
    """The time that is left."""

    def test_some(self) -> None:
        """Before the deadline there is some."""
        self.assertTrue(0 < remaining(_soon(5.0)) <= 5.0)

    def test_none(self) -> None:
        """At the deadline and after there is an error: no time limit of 0 reaches a socket."""
        self.assertRaises(TimeoutError, remaining, time.monotonic())


class ResolveTests(SynchronousTestCase):
    """Names made addresses, without a network: the resolver is replaced."""

    def setUp(self) -> None:
        """Let no test ask a real resolver."""
        self.patch(socket, "getaddrinfo", self._answer)
        self.asked: list[str] = []
        self.release = threading.Event()
        self.addCleanup(self.release.set)

    def _answer(self, host: str, port: int, **options: object) -> list[tuple[object, ...]]:
        self.asked.append(host)
        if host == "unknown":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if host == "too-long":
            raise UnicodeError("label too long")
        if host == "slow":
            self.release.wait(10)
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
        ]

    def test_address(self) -> None:
        """An address is its own, and nobody is asked."""
        self.assertEqual(resolve("127.0.0.1", 80, _soon()), [("127.0.0.1", 80)])
        self.assertEqual(resolve("::1", 80, _soon()), [("::1", 80)])
        self.assertEqual(self.asked, [])

    def test_name(self) -> None:
        """All addresses of a name, in the resolver's order."""
        self.assertEqual(resolve("both", 80, _soon()), [("::1", 80), ("127.0.0.1", 80)])

    def test_unknown(self) -> None:
        """A name that does not exist, or cannot."""
        for name, reason in (("unknown", "Name or service not known"), ("too-long", "label")):
            error = self.assertRaises(Unreachable, resolve, name, 80, _soon())
            self.assertIn(f"the address of {name} was not found: ", str(error))
            self.assertIn(reason, str(error))

    def test_slow(self) -> None:
        """A resolver that does not answer is left alone when the time is over."""
        started = time.monotonic()
        error = self.assertRaises(Unreachable, resolve, "slow", 80, _soon(0.05))
        self.assertIn("in time", str(error))
        self.assertLess(time.monotonic() - started, 2)

    def test_no_time(self) -> None:
        """When the time is over already, that is the same error."""
        self.assertRaises(Unreachable, resolve, "both", 80, time.monotonic())


class FirstReachedTests(SynchronousTestCase):
    """Several candidates, one deadline."""

    def setUp(self) -> None:
        """Remember who was tried, and how much time each had."""
        self.tried: list[tuple[str, float]] = []

    def _connect(self, candidate: str, deadline: float) -> str:
        self.tried.append((candidate, deadline - time.monotonic()))
        if candidate.startswith("bad"):
            raise Unreachable(candidate)
        return f"connected to {candidate}"

    def test_first_that_answers(self) -> None:
        """Those after it are not tried; each before it had its share of the time."""
        connection = first_reached(["bad1", "bad2", "good", "other"], self._connect, _soon(12.0))
        self.assertEqual(connection, "connected to good")
        self.assertEqual([name for name, _ in self.tried], ["bad1", "bad2", "good"])
        # Nobody took any time: a quarter, then a third, then half of it.
        for (_, share), expected in zip(self.tried, (3.0, 4.0, 6.0), strict=True):
            self.assertAlmostEqual(share, expected, places=1)

    def test_none(self) -> None:
        """The error is that of the last one, which had all the time that was left."""
        error = self.assertRaises(
            Unreachable, first_reached, ["bad1", "bad2"], self._connect, _soon(12.0)
        )
        self.assertEqual(str(error), "bad2")
        self.assertAlmostEqual(self.tried[-1][1], 12.0, places=1)
