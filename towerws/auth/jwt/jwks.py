"""Keys from a URL with a JWK set, fetched again and again, so that the issuer may change them."""

from collections.abc import Collection
from http import HTTPStatus
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from towerws.auth.backend import Backend
from towerws.auth.errors import Unavailable
from towerws.auth.jwt.keys import ASYMMETRIC, KeySet, NoUsableKey, parse_jwk_set
from towerws.core.metrics import Metrics
from towerws.core.throttle import Throttle

#: Seconds from one fetch to the next. For so long, a key that was withdrawn may still be good.
DEFAULT_REFRESH = 300.0

#: Seconds for which keys are good after they were fetched last. Somebody who keeps the URL from
#: answering can keep a withdrawn key for so long; an issuer that is away for longer could not have
#: made tokens that are still valid.
DEFAULT_KEEP = 3600.0

#: Seconds for a fetch: handshakes, whose schemes have 2.75, wait for it while there are no keys.
DEFAULT_TIMEOUT = 2.0

#: Seconds from one fetch to another that is made before its time: the last one failed, or a token
#: comes that no key fits. Anybody can send such tokens, so that this is what the issuer has to
#: stand.
COOLDOWN = 10.0

#: Largest set, in bytes. With certificates in it, one has some 20 kB.
MAX_BODY = 256 * 1024


def make_backend(url: str, *, timeout: float = DEFAULT_TIMEOUT, ca: str | None = None) -> Backend:
    """Take the URL of a JWK set.

    Args:
        url: HTTPS; or HTTP on this machine, without a network that somebody could sit in.
        timeout: Seconds for a fetch.
        ca: A PEM file with the authorities to trust instead of the system's.

    Returns:
        What fetches it.

    Raises:
        ValueError: The URL or the file is not usable; in one sentence without the URL.
    """
    backend = Backend(url, timeout=timeout, max_body=MAX_BODY, ca=ca)
    if backend.is_exposed:
        raise ValueError("keys that come by plain HTTP could be anybody's: use https://")
    return backend


class RemoteKeys:
    """The keys at a URL.

    They are fetched when the server starts, every so often from then on, and when there is a token
    that no key fits, but then not more often than every `COOLDOWN` seconds. When a fetch fails,
    those of before stay for a while. Handshakes wait for a fetch only if they cannot do without.
    """

    _log = Logger()

    def __init__(
        self,
        backend: Backend,
        allowed: Collection[str],
        *,
        refresh: float = DEFAULT_REFRESH,
        keep: float = DEFAULT_KEEP,
    ) -> None:
        """Begin without keys; nothing is fetched yet.

        Args:
            backend: Where they are; see `make_backend`.
            allowed: The algorithms to choose from. Secrets are never taken from a URL.
            refresh: Seconds from one fetch to the next.
            keep: Seconds for which keys are good after they were fetched last.
        """
        self.files = ()
        self._backend = backend
        self._allowed = ASYMMETRIC & set(allowed)
        self._refresh = refresh
        self._keep = keep
        self._keys: KeySet | None = None
        self._fetched_at = self._began_at = float("-inf")
        self._next: IDelayedCall | None = None
        self._fetching: Deferred[Any] | None = None
        self._waiting: list[Deferred[None]] = []
        self._stopped = False

    def attach(self, reactor: Any, metrics: Metrics) -> None:
        """Begin to fetch; see `towerws.auth.jwt.checker.KeySource`.

        Args:
            reactor: Connects and measures time.
            metrics: Where fetches are counted.
        """
        self._reactor = reactor
        self._throttle = Throttle(reactor.seconds)
        self._results = {
            result: metrics.counter(
                "towerws_jwks_fetches_total",
                "Requests for the keys that tokens are signed with, by result.",
                result=result,
            )
            for result in ("fetched", "failed")
        }
        self._backend.attach(reactor)
        # Not yet: the process may still be about to fork.
        self._next = reactor.callLater(0, self._begin)

    def current(self) -> KeySet:
        """Give the keys; see `towerws.auth.jwt.checker.KeySource`.

        Returns:
            Those of the last fetch that succeeded.

        Raises:
            Unavailable: There was none, or too long ago.
        """
        if self._keys is None:
            raise Unavailable("the keys have not been fetched yet")
        if self._reactor.seconds() - self._fetched_at >= self._keep:
            raise Unavailable("the keys were fetched too long ago")
        return self._keys

    def look_again(self) -> Deferred[None] | None:
        """Fetch the keys before it is time; see `towerws.auth.jwt.checker.KeySource`.

        Returns:
            Fires when a fetch has ended, well or not, which may be one that is under way; it never
            fails. None if there is no fetch, because there was one a moment ago.
        """
        under_way = self._fetching is not None
        waited = self._reactor.seconds() - self._began_at >= COOLDOWN
        if self._stopped or not (under_way or waited):
            return None
        # One whose client leaves does not end the fetch: nobody could be kept from new keys so.
        waiter: Deferred[None] = Deferred()
        self._waiting.append(waiter)
        if not under_way:
            self._begin()
        return waiter

    def reload(self) -> None:
        """Fetch the keys before it is time; see `towerws.auth.interfaces.IAttached`."""
        self.look_again()

    def detach(self) -> Deferred[None]:
        """Fetch no more; see `towerws.auth.jwt.checker.KeySource`."""
        self._stopped = True
        self._unschedule()
        if self._fetching is not None:
            self._fetching.cancel()
        return self._backend.close()

    def _begin(self) -> None:
        self._unschedule()
        self._began_at = self._reactor.seconds()
        self._fetching = fetching = Deferred.fromCoroutine(self._fetch())
        fetching.addBoth(self._end)

    def _end(self, result: Failure | bool) -> None:
        self._fetching = None
        if isinstance(result, Failure) and not result.check(CancelledError):
            self._log.failure("fetching the keys for tokens", failure=result)
        if not self._stopped:
            delay = self._refresh if result is True else min(COOLDOWN, self._refresh)
            self._next = self._reactor.callLater(delay, self._begin)
        self._release()

    def _release(self) -> None:
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.callback(None)

    def _unschedule(self) -> None:
        if self._next is not None and self._next.active():
            self._next.cancel()
        self._next = None

    async def _fetch(self) -> bool:
        try:
            reply = await self._backend.get("", {})
            if reply.status != HTTPStatus.OK:
                raise Unavailable(f"it answered with status {reply.status}")
            keys = parse_jwk_set(reply.body, self._allowed)
        except (Unavailable, NoUsableKey) as error:
            self._fail(error)
            return False
        self._results["fetched"].add()
        if keys != self._keys:
            self._log.info(
                "fetched {count} key(s) for tokens from {url}",
                count=len(keys.keys),
                url=self._backend.url,
            )
        self._keys, self._fetched_at = keys, self._reactor.seconds()
        return True

    def _fail(self, error: Exception) -> None:
        self._results["failed"].add()
        self._throttle.log(
            self._log.warn,
            "failed",
            "could not fetch the keys for tokens from {url}: {error}",
            url=self._backend.url,
            error=error,
        )
