"""Waiting for authentication schemes, which are plugins, in bounded time."""

from collections.abc import Callable
from typing import Any

from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure


def ask(
    seconds: float, clock: IReactorTime, question: Callable[..., Any], *arguments: object
) -> Deferred[Any]:
    """Ask a scheme something.

    Most answers are there at once, and need neither a timer nor a Deferred beside that of the
    scheme.

    Args:
        seconds: For how long the answer is waited for.
        clock: Measures that.
        question: Answers at once or by a Deferred.
        *arguments: For the question.

    Returns:
        Fires with the answer, or fails as the question did; with `twisted.internet.defer`'s
        ``TimeoutError`` when the time is up, and with its ``CancelledError`` when it is cancelled.
        The question is then cancelled as well.
    """
    asked: Deferred[Any] = maybeDeferred(question, *arguments)
    # One that has fired may still wait for another.
    if asked.called and not asked.paused:
        return asked
    # One of our own is waited for: a scheme may not let its own be cancelled.
    waiting: Deferred[Any] = Deferred()
    asked.chainDeferred(waiting)
    waiting.addTimeout(max(0.0, seconds), clock)
    return waiting.addErrback(_give_up, asked)


def _give_up(reason: Failure, asked: Deferred[Any]) -> Failure:
    if reason.check(CancelledError, defer.TimeoutError):
        asked.cancel()
    return reason
