"""Hearing without end: connects, and connects again whenever the connection is lost."""

from collections.abc import Callable
from typing import NoReturn, cast

from twisted.application.internet import backoffPolicy
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectError, ConnectingCancelledError, DNSLookupError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from towerws.client.audience import Audience, Bookmark
from towerws.client.protocol import ListenFactory, ListenProtocol, Lost
from towerws.client.subscription import Subscription
from towerws.client.target import Target

#: How long a connection must have lived, in seconds, before the next delay is the shortest again:
#: otherwise a server that accepts and closes at once would be stormed.
SETTLED = 10.0

#: Shortest and longest delay before the next attempt, in seconds; up to one second of jitter is
#: added to each, so that the listeners of a restarted server do not come back in one moment.
SHORTEST_DELAY, LONGEST_DELAY = 0.5, 15.0


class Listener:
    """Listens to groups of one server, for as long as it runs.

    Where the server speaks profile "towerws.v1", nothing is lost between two connections; the
    audience is told of a gap otherwise.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        target: Target,
        subscription: Subscription,
        audience: Audience,
        *,
        since: str | None = None,
        delay: Callable[[int], float] | None = None,
    ) -> None:
        """Connect to nothing yet.

        Args:
            reactor: Clock, and what the target's endpoint connects with.
            target: The server.
            subscription: What to ask for.
            audience: Who is told.
            since: A position, as an event or an earlier listener had it, to go on from.
            delay: Seconds to wait after so many attempts in a row (from 0) that did not settle.
        """
        self._reactor = reactor
        self._target = target
        self._audience = audience
        self._delay = delay or backoffPolicy(SHORTEST_DELAY, LONGEST_DELAY)
        self._endpoint = target.endpoint(reactor)
        self._bookmark = Bookmark(since)
        self._factory = ListenFactory(
            target,
            lambda: ListenProtocol(subscription, audience, self._bookmark, reactor),
            reactor,
        )

    @property
    def position(self) -> str | None:
        """Where the audience is: what another listener is to go on from; None if that is unknown.

        Everything up to there has been told, without exception.
        """
        return self._bookmark.position

    async def run(self) -> NoReturn:
        """Listen until cancelled; the connection is closed then, which takes 2 s at most.

        Raises:
            Refused: Another attempt is in vain.
            Exception: What the audience raised.
        """
        attempt = 0
        while True:
            lost = await self._listen_once()
            settled = lost.lived >= SETTLED
            attempt = 0 if settled else attempt
            delay = self._delay(attempt)
            if lost.after is not None:
                # The server's own, unless it sends us away again and again.
                delay = lost.after if settled else max(lost.after, delay)
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
