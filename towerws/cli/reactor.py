"""Runs a coroutine in the reactor, the way a command wants it: signals and errors come out."""

import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from twisted.internet import task
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorCore
from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogBeginner,
    textFileLogObserver,
)

from towerws.cli.errors import INTERRUPTED


def run_in_reactor(body: Callable[[Any], Coroutine[Any, Any, int]], **react: Any) -> int:
    """Run a coroutine until it returns or a signal (SIGINT, SIGTERM) comes.

    A signal cancels the coroutine, and what it does to clean up is waited for.

    Args:
        body: Called with the reactor.
        **react: Further arguments of `twisted.internet.task.react`.

    Returns:
        What the coroutine returned; 130 after a signal.

    Raises:
        Exception: What the coroutine raised.
    """
    outcome: list[int | Exception] = []

    async def main(reactor: IReactorCore) -> None:
        running = Deferred.fromCoroutine(body(reactor))
        finished: Deferred[None] = Deferred()

        def interrupt() -> Deferred[None]:
            running.cancel()
            return finished

        reactor.addSystemEventTrigger("before", "shutdown", interrupt)
        try:
            outcome.append(await running)
        except CancelledError:
            outcome.append(INTERRUPTED)
        except Exception as error:  # noqa: BLE001 - raised again outside of the reactor
            outcome.append(error)
        finished.callback(None)

    _show_faults()
    # Its exit status says only that the reactor stopped; ours is the coroutine's.
    with suppress(SystemExit):
        task.react(main, **react)
    (result,) = outcome
    if isinstance(result, Exception):
        raise result
    return result


def faults_only(observer: ILogObserver) -> ILogObserver:
    """Filter a log: errors alone, and of Autobahn not even those.

    Autobahn logs what becomes of connections; the commands say that in their own words.

    Args:
        observer: Gets what is left.

    Returns:
        An observer of everything.
    """
    levels = LogLevelFilterPredicate(defaultLogLevel=LogLevel.error)
    levels.setLogLevelForNamespace("autobahn", LogLevel.critical)
    return FilteringLogObserver(observer, [levels])


def _show_faults() -> None:
    """Send faults that Twisted logs to standard error.

    Without an observer Twisted would keep the last 65,536 log events in memory.
    """
    observer = faults_only(textFileLogObserver(sys.stderr))
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)
