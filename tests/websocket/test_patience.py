"""`towerws.websocket.patience`."""

from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.expressions import raise_error
from towerws.websocket.patience import ask


class AskTests(SynchronousTestCase):
    """Whatever a scheme does, there is one answer, in time."""

    def setUp(self) -> None:
        """Have a question whose answer the test gives."""
        self.clock = Clock()
        self.cancelled: list[Deferred[object]] = []
        self.asked: Deferred[object] = Deferred(self.cancelled.append)

    def no_timers(self) -> None:
        """Nothing waits."""
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_prompt(self) -> None:
        """An answer that is there at once needs no timer, whichever way it comes."""

        async def coroutine(number: int) -> int:
            return number

        for question in (lambda number: number, succeed, coroutine):
            self.assertEqual(self.successResultOf(ask(5, self.clock, question, 7)), 7)
        self.failureResultOf(
            ask(5, self.clock, lambda: raise_error(ZeroDivisionError())), ZeroDivisionError
        )
        self.failureResultOf(
            ask(5, self.clock, lambda: fail(ZeroDivisionError())), ZeroDivisionError
        )
        self.no_timers()

    def test_late(self) -> None:
        """One that comes in time is the answer; the timer goes."""
        answer = ask(5, self.clock, lambda: self.asked)
        self.clock.advance(4)
        self.assertNoResult(answer)
        self.asked.callback(7)
        self.assertEqual((self.successResultOf(answer), self.cancelled), (7, []))
        self.no_timers()

    def test_chained(self) -> None:
        """One that has fired, and waits for another, is late as well."""
        answer = ask(5, self.clock, lambda: succeed(None).addCallback(lambda _: self.asked))
        self.clock.advance(5)
        self.failureResultOf(answer, defer.TimeoutError)
        self.assertEqual(self.cancelled, [self.asked])

    def test_never(self) -> None:
        """When the time is up the question is cancelled."""
        answer = ask(5, self.clock, lambda: self.asked)
        self.clock.advance(5)
        self.failureResultOf(answer, defer.TimeoutError)
        self.assertEqual(self.cancelled, [self.asked])
        self.no_timers()

    def test_no_time_left(self) -> None:
        """It may have been up before, when the reactor was late."""
        answer = ask(-0.1, self.clock, lambda: self.asked)
        self.clock.advance(0)
        self.failureResultOf(answer, defer.TimeoutError)

    def test_cancelled(self) -> None:
        """Who waits no more cancels the question as well."""
        answer = ask(5, self.clock, lambda: self.asked)
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        self.assertEqual(self.cancelled, [self.asked])
        self.no_timers()

    def test_cannot_be_cancelled(self) -> None:
        """One that is answered all the same is not waited for, and its late answer is dropped."""
        stubborn: Deferred[object] = Deferred()
        stubborn.addErrback(lambda _: self.asked)
        answer = ask(5, self.clock, lambda: stubborn)
        self.clock.advance(5)
        self.failureResultOf(answer, defer.TimeoutError)
        self.asked.errback(ZeroDivisionError())
        self.no_timers()
