"""A backend that is asked over HTTP, with the client's own credentials."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from OpenSSL import SSL
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore, succeed
from twisted.internet.error import ConnectError, ConnectingCancelledError, ConnectionClosed
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.ssl import CertificateOptions, platformTrust, trustRootFromCertificates
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import (
    RequestGenerationFailed,
    RequestTransmissionFailed,
    ResponseDone,
    ResponseFailed,
)
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers

from towerws.auth.errors import Unavailable
from towerws.auth.pool import Pool, TooLarge
from towerws.core.quota import is_local
from towerws.network.client_tls import describe_tls_failure, load_authorities

#: Requests at once; others wait for their turn, within their time. What a web server of some
#: workers can answer in a second.
MAX_REQUESTS = 64

#: Bytes for the headers of an answer, beside its body.
MAX_HEADERS = 1 << 16

#: RFC 9110, section 5.5: what a header's value may consist of. Twisted replaces line breaks and
#: sends everything else.
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")

_HOST = re.compile(r"[A-Za-z0-9_.-]{1,253}|[0-9A-Fa-f:.]+")

_DEFAULT_PORTS = {"http": 80, "https": 443}

#: Visible ASCII, as all of a URL is; and of that, what a path and a query may have.
_VISIBLE = re.compile(r"[!-~]+")
_PATH = re.compile(r"[A-Za-z0-9/?&=._~%:@!$'()*+,;-]*")
_DOTS = re.compile(r"(?:^|/)(?:\.|%2e){1,2}(?:[/?]|$)", re.IGNORECASE)

#: What connecting and asking may raise: nobody listens; the name is unknown, or the system is out
#: of files; the connection broke.
_FAILURES = (
    ConnectError,
    OSError,
    RequestGenerationFailed,
    RequestTransmissionFailed,
    ResponseFailed,
)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a backend answered.

    Attributes:
        status: The HTTP status; redirects are not followed.
        body: The whole body.
    """

    status: int
    body: bytes = field(repr=False)

    def json(self) -> Any:
        """Read the body as JSON.

        Returns:
            What it stands for.

        Raises:
            Unavailable: It is none.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise Unavailable("the backend's answer is not JSON") from None


class Backend:
    """An HTTP or HTTPS server below one URL.

    Attributes:
        url: The URL, for people.
    """

    _log = Logger()

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 2.5,
        max_body: int = 1 << 18,
        ca: str | None = None,
    ) -> None:
        """Check the settings; nothing is connected yet.

        Args:
            url: Such as ``https://app.example.org/towerws/``.
            timeout: Seconds for a whole request, from waiting for its turn to the end of the body.
            max_body: How many bytes a body may have.
            ca: A PEM file with the authorities to trust instead of the system's.

        Raises:
            ValueError: The URL or the file is not usable; in one sentence, which repeats nothing
                of a URL.
        """
        self._secure, self._host, self._port, self._path = _parse(url)
        self.url = url
        self._timeout = timeout
        self._max_body = max_body
        self._context = _trusting(ca) if self._secure else None
        if ca is not None and not self._secure:
            raise ValueError("a file of authorities is of use with an https URL only")
        self._turns = DeferredSemaphore(MAX_REQUESTS)
        self._pool: Pool | None = None
        self._reactor: Any = None

    @property
    def is_exposed(self) -> bool:
        """Whether others than this machine can read, and change, what goes there and back."""
        return not self._secure and self._host != "localhost" and not is_local(self._host)

    def attach(self, reactor: Any) -> None:
        """Get ready to ask.

        Args:
            reactor: Resolves, connects and measures time.
        """
        # Chunks of a few bytes each take several times their content.
        max_bytes = MAX_HEADERS + 2 * self._max_body
        self._reactor = reactor
        if self.is_exposed:
            self._log.warn("what is sent to {url} can be read on the way: use https", url=self.url)
        self._pool = Pool(reactor, self._host, self._port, self._context, max_bytes)

    async def get(self, path: str, headers: Mapping[str, str]) -> Reply:
        """Make a GET request.

        Args:
            path: Below the URL's path, with a query if need be; empty for the URL itself.
            headers: Values by name. The values may come from a client, the names may not.

        Returns:
            The answer, whatever its status.

        Raises:
            Unavailable: There was none in time, or it is too large; in a sentence that has nothing
                of the headers.
            UnauthorizedLogin: A header has what HTTP cannot carry.
            ValueError: The path has what no path has, or leads out of the URL's.
        """
        uri = self._locate(path)
        sent = _encode(headers)
        if self._pool is None:
            raise Unavailable(f"{self._name} is not asked any more")
        asking = Deferred.fromCoroutine(self._ask(self._pool, uri, sent))
        return await asking.addTimeout(self._timeout, self._reactor, self._late)

    def close(self) -> Deferred[None]:
        """Ask no more. What is being asked comes to its end within the timeout.

        Returns:
            Fires when all idle connections are closed, within a bounded time.
        """
        pool, self._pool = self._pool, None
        return succeed(None) if pool is None else pool.close()

    @property
    def _name(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._secure else 'http'}://{host}:{self._port}"

    def _locate(self, path: str) -> bytes:
        if _PATH.fullmatch(path) is None or _DOTS.search(path.partition("?")[0]) is not None:
            raise ValueError("not a path below the backend's URL")
        below = f"{self._path.rstrip('/')}/{path.lstrip('/')}" if path else self._path
        return f"{self._name}{below or '/'}".encode("ascii")

    def _late(self, result: Any, seconds: float) -> Any:
        raise Unavailable(f"{self._name} did not answer within {seconds:g} s")

    async def _ask(self, pool: Pool, uri: bytes, headers: Headers) -> Reply:
        await self._turns.acquire()
        try:
            response = await pool.agent.request(b"GET", uri, headers)
            body = _Body(self._max_body)
            response.deliverBody(body)
            return Reply(response.code, await body.whole)
        except ConnectingCancelledError:
            raise CancelledError from None
        except _FAILURES as error:
            raise Unavailable(f"{self._name} {_describe(error)}") from None
        finally:
            self._turns.release()


class _Body(Protocol):
    """Collects the body of an answer.

    Attributes:
        whole: Fires with it, or fails with `ResponseFailed`. To cancel it closes the connection.
    """

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._pieces: list[bytes] = []
        self.whole: Deferred[bytes] = Deferred(lambda _: self._stop())

    def dataReceived(self, data: bytes) -> None:
        """Take a piece, unless it is too much."""
        self._left -= len(data)
        if self._left >= 0:
            self._pieces.append(data)
        elif not self.whole.called:
            self.whole.errback(ResponseFailed([Failure(TooLarge())]))
            self._stop()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Take the end of the body."""
        if self.whole.called:
            return
        # The latter is an answer that tells no length: half a JSON object is none, at least.
        if reason.check(ResponseDone, PotentialDataLoss):
            self.whole.callback(b"".join(self._pieces))
        else:
            self.whole.errback(ResponseFailed([reason]))

    def _stop(self) -> None:
        assert self.transport is not None, "a body has a connection from the start"
        self.transport.loseConnection()


def _parse(url: str) -> tuple[bool, str, int, str]:
    """Take a URL apart: whether it is HTTPS, the host, the port, and the path."""
    if _VISIBLE.fullmatch(url) is None:
        raise ValueError("a URL has neither spaces nor characters outside ASCII")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # its text repeats parts of the URL
        raise ValueError("not a URL: the host or the port is none") from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise ValueError("not a URL that begins with http:// or https://")
    if "@" in parts.netloc:
        raise ValueError("a URL with a user or a password in it: the clients' own are sent")
    if "?" in url or "#" in url:
        raise ValueError("a URL with a query or a fragment, which cannot be")
    if port == 0 or _HOST.fullmatch(parts.hostname or "") is None:
        raise ValueError("not a URL: the host or the port is none")
    host = str(parts.hostname)
    return parts.scheme == "https", host, port or _DEFAULT_PORTS[parts.scheme], parts.path


def _trusting(ca: str | None) -> SSL.Context:
    try:
        trusted = platformTrust() if ca is None else trustRootFromCertificates(load_authorities(ca))
    except OSError as error:
        raise ValueError(f"the authorities in {ca} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ValueError(f"the file of authorities {ca} {error}") from None
    return CertificateOptions(trustRoot=trusted).getContext()


def _encode(headers: Mapping[str, str]) -> Headers:
    encoded = Headers({b"Accept": [b"application/json"], b"User-Agent": [b"towerws"]})
    for name, value in headers.items():
        if _VALUE.fullmatch(value) is None:
            raise UnauthorizedLogin("a header has characters that HTTP cannot carry")
        encoded.setRawHeaders(name.encode("ascii"), [value.encode("latin-1")])
    return encoded


def _describe(error: BaseException) -> str:
    """Put a failure into words, without anything of what was sent or received."""
    reasons = getattr(error, "reasons", None)
    if reasons:
        # What the loss of the connection was, before what it did to the body.
        return _describe(reasons[0].value)
    if isinstance(error, ConnectError | OSError):
        return f"cannot be reached: {str(error).rstrip('.')}"
    if isinstance(error, TooLarge):
        return "sent more than an answer may have"
    if isinstance(error, ConnectionClosed):
        return "closed the connection before its answer was whole"
    return describe_tls_failure(error, "was reached, but its") or "sent something that is not HTTP"
