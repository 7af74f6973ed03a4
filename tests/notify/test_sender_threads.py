"""`towerws.notify.sender`: threads that share a connection.

Threads take real time; each test some hundredths of a second.
"""

import functools
import threading
import time

from tests.notify.sender_case import SenderCase
from towerws.notify.errors import Busy, EmitError
from towerws.notify.sender import NotTried


class ThreadTests(SenderCase):
    """Threads share the connection, and wait for one another no longer than allowed."""

    def setUp(self) -> None:
        """Let a second thread hold the connection until the test lets go."""
        super().setUp()
        self._send()
        self.holding, self.release = threading.Event(), threading.Event()
        self.connections[0].hold = self._hold
        self.thread = threading.Thread(target=self._send)
        self.thread.start()
        self.addCleanup(self.thread.join, 5)
        self.addCleanup(self.release.set)
        self.assertTrue(self.holding.wait(5))

    def _hold(self) -> None:
        self.connections[0].hold = lambda: None
        self.holding.set()
        self.release.wait(5)

    def test_waits(self) -> None:
        """An event waits for that of another thread."""
        threading.Timer(0.05, self.release.set).start()
        self._send()
        self.thread.join(5)
        self.assertEqual(self.sender.published, 3)
        self.assertEqual(len(self.connections), 1)

    def test_not_for_ever(self) -> None:
        """But so long only that it has a part of its time left; the peer is not to blame."""
        self.assertEqual(self.sender._patience, 1.5)
        self.sender._patience = 0.1
        started = time.monotonic()
        with self.assertRaisesRegex(Busy, "^1 other thread is publishing, and left no time"):
            self._send()
        self.assertGreater(time.monotonic() - started, 0.09)
        self.assertLess(time.monotonic() - started, 1.5)
        self.assertFalse(self.sender._breaker.tripped)
        self.assertEqual(self.connections[0].ended, [])

    def test_counts_the_others(self) -> None:
        """The sentence tells how many threads publish."""
        self.sender._patience = 0.0
        self.sender._callers += 10
        with self.assertRaisesRegex(Busy, "^11 other threads are publishing"):
            self._send()
        self.assertEqual(self.sender._callers, 11)

    def test_not_after_a_failure(self) -> None:
        """And not at all while another thread finds out whether the peer is back."""
        self.sender._breaker.failed()
        self.sender._breaker._until = 0.0  # the pause is over
        started = time.monotonic()
        with self.assertRaisesRegex(NotTried, "another thread is finding out"):
            self._send()
        self.assertLess(time.monotonic() - started, 1)

    def test_close_waits(self) -> None:
        """Closing waits for the event that is under way."""
        threading.Timer(0.05, self.release.set).start()
        self.sender.close()
        self.thread.join(5)
        self.assertEqual(self.sender.published, 2)
        self.assertEqual(self.connections[0].ended, ["closed"])

    def test_closed_while_waiting(self) -> None:
        """A publisher that was closed meanwhile is not busy but closed."""
        self.sender._patience = 0.3
        closing = threading.Timer(0.05, self.sender.close)
        closing.start()
        with self.assertRaisesRegex(EmitError, "closed"):
            self._send()
        self.release.set()
        closing.join(5)


class CrowdTests(SenderCase):
    """More threads than one connection can serve, and a peer that is well."""

    def test_the_peer_is_not_blamed(self) -> None:
        """As many events are published as fit, the others are busy; nothing is abandoned."""
        outcomes: list[type[EmitError] | None] = []

        def send() -> None:
            try:
                self._send()
            except EmitError as error:
                outcomes.append(type(error))
            else:
                outcomes.append(None)

        self.sender = self._make(timeout=0.4)
        self._send()
        self.connections[0].hold = functools.partial(time.sleep, 0.02)
        threads = [threading.Thread(target=send) for _ in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        self.assertEqual(set(outcomes), {None, Busy})
        self.assertEqual(len(outcomes), 24)
        self.assertGreaterEqual(outcomes.count(None), 4)
        self._send()
        self.assertEqual(len(self.connections), 1)
        self.assertEqual(self.connections[0].ended, [])
        self.assertEqual(self.sender.published, outcomes.count(None) + 2)
