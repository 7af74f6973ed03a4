"""All clients of a listener, and what is done to every one of them.

What each client costs is little, and all at once it is too much: for this process, which is why it
is done in slices; for whoever has to answer for each, a backend or the server that they go to next,
which is why it is spread over seconds.
"""

from collections.abc import Callable
from functools import partial
from math import ceil
from operator import methodcaller

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from towerws.core.wire import CloseCode
from towerws.websocket.protocol import ClientProtocol
from towerws.websocket.turns import Slices

#: Over how many seconds all clients are looked at again, so that no backend has to answer for all
#: of them at once. For ten thousand that is some 300 a second.
RECHECK_SPREAD = 30.0

#: Seconds between two steps of what is spread. Each takes one client at least, so that a few are
#: not kept waiting for the sake of a crowd that they are not.
STEP = 0.1

#: Milliseconds after which a client that is sent away is to come back, at least and at most. A
#: server that is started again, and has nobody beside it, listens after a second; and where all
#: have to go at once, they do not come back at once.
COME_BACK_AFTER = (1000, 4000)


class Crowd:
    """The clients whose handshake is done.

    Attributes:
        connections: They.
    """

    def __init__(self, clock: IReactorTime, slices: Slices, random: Callable[[], float]) -> None:
        """Begin with nobody.

        Args:
            clock: The reactor.
            slices: Keeps the reactor's turns short.
            random: Gives numbers from 0 to 1.
        """
        self.connections: set[ClientProtocol] = set()
        self._clock = clock
        self._slices = slices
        self._random = random
        self._to_recheck: list[ClientProtocol] = []
        self._to_leave: list[ClientProtocol] = []
        self._drains = False

    def add(self, protocol: ClientProtocol) -> None:
        """Take in a client.

        Args:
            protocol: Whose handshake is done. Where it was under way when all began to leave, it
                leaves behind the others.
        """
        self.connections.add(protocol)
        if self._drains:
            self._to_leave.append(protocol)

    def discard(self, protocol: ClientProtocol) -> None:
        """Let go of a connection that has ended, if it is one of these."""
        self.connections.discard(protocol)

    def recheck_all(self) -> None:
        """Look again at what every client may hear, spread over `RECHECK_SPREAD` seconds.

        To be called when the rules have changed; once more meanwhile, and it begins anew.
        """
        is_under_way = bool(self._to_recheck)
        self._to_recheck[:] = self.connections
        if not is_under_way:
            step = methodcaller("recheck")
            Deferred.fromCoroutine(self._each(self._to_recheck, RECHECK_SPREAD, step))

    def drain(self, seconds: float, code: CloseCode, reason: str) -> Deferred[None]:
        """Send every client away, evenly over some time; until its turn comes, each is served.

        What waits for a client is sent before its Close, however long that takes.

        Args:
            seconds: How long at most; 0 for all at once.
            code: Why.
            reason: The same for people.

        Returns:
            Fires when each has been told. May be cancelled, which leaves the others as they are.
        """

        def send_away(protocol: ClientProtocol) -> None:
            self._announce(protocol)
            protocol.finish(code, reason)

        self._drains = True
        self._to_leave[:] = self.connections
        return Deferred.fromCoroutine(self._each(self._to_leave, seconds, send_away))

    def close_all(self, code: CloseCode, reason: str) -> Deferred[None]:
        """Close every connection that is there now, some in each turn of the reactor.

        What waits for clients that read slowly is not sent.

        Args:
            code: Why.
            reason: The same for people.

        Returns:
            Fires when each was told.
        """

        def cut(protocol: ClientProtocol) -> None:
            self._announce(protocol)
            protocol.send_close(code, reason)

        return self._slices.run(partial(cut, protocol) for protocol in tuple(self.connections))

    def _announce(self, protocol: ClientProtocol) -> None:
        low, high = COME_BACK_AFTER
        protocol.announce(round(low + self._random() * (high - low)))

    async def _each(
        self,
        waiting: list[ClientProtocol],
        seconds: float,
        step: Callable[[ClientProtocol], None],
    ) -> None:
        """Take a step with each; the list may be changed meanwhile."""
        count = 0
        while waiting:
            # Where more come than leave, faster: they are not to keep all of this from its end.
            count = max(count, ceil(len(waiting) * STEP / max(seconds, STEP)))
            some, waiting[:count] = waiting[:count], []
            await self._slices.run(partial(step, protocol) for protocol in some)
            if waiting:
                await deferLater(self._clock, STEP)
