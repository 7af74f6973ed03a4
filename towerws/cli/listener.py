"""Hearing without end: connects, and connects again whenever the connection is lost."""

from collections.abc import Callable
from typing import NoReturn, cast

from twisted.application.internet import backoffPolicy
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectError, ConnectingCancelledError, DNSLookupError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from towerws.cli.client import Audience, ListenFactory, ListenProtocol, Lost, Subscription
from towerws.cli.target import Target

#: How long a connection must have lived, in seconds, before the next delay is the shortest again:
#: otherwise a server that accepts and closes at once would be stormed.
SETTLED = 10.0

#: Shortest and longest delay before the next attempt, in seconds; up to one second of jitter is
#: added to each, so that the listeners of a restarted server do not come back in one moment.
SHORTEST_DELAY, LONGEST_DELAY = 0.5, 15.0


class Listener:
    """Listens to groups of one server, for as long as it runs."""

    def __init__(
        self,
        reactor: IReactorTime,
        target: Target,
        subscription: Subscription,
        audience: Audience,
        delay: Callable[[int], float] | None = None,
    ) -> None:
        """Connect to nothing yet.

        Args:
            reactor: Clock, and what the target's endpoint connects with.
            target: The server.
            subscription: What to ask for.
            audience: Who is told.
            delay: Seconds to wait after so many attempts in a row (from 0) that did not settle.
        """
        self._reactor = reactor
        self._target = target
        self._audience = audience
        self._delay = delay or backoffPolicy(SHORTEST_DELAY, LONGEST_DELAY)
        self._endpoint = target.endpoint(reactor)
        self._factory = ListenFactory(
            target, lambda: ListenProtocol(subscription, audience, reactor), reactor
        )

    async def run(self) -> NoReturn:
        """Listen until cancelled; the connection is closed then, which takes 2 s at most.

        Raises:
            Refused: Another attempt is in vain.
            Exception: What the audience raised.
        """
        attempt = 0
        while True:
            lost = await self._listen_once()
            attempt = 0 if lost.lived >= SETTLED else attempt
            delay = self._delay(attempt)
            attempt += 1
            self._audience.notice(f"{lost.reason}; connecting again in {delay:.1f} s")
            await deferLater(self._reactor, delay)

    async def _listen_once(self) -> Lost:
        try:
            protocol = cast(ListenProtocol, await self._endpoint.connect(self._factory))
        except ConnectingCancelledError:
            raise CancelledError from None
        except (ConnectError, DNSLookupError) as error:
            return Lost(f"cannot connect to {self._target.name}: {error}".rstrip("."))
        try:
            return await protocol.lost
        finally:
            await protocol.leave()
