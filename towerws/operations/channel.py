"""One connection to the site: what every answer has, also those that Twisted gives by itself."""

import json
from typing import Any

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.http_headers import Headers

#: No cache keeps an answer, no browser takes it for something else, shows it within a page of
#: another site, or runs anything in it.
_HEADERS = Headers(
    {
        b"Cache-Control": [b"no-store"],
        b"Content-Security-Policy": [b"default-src 'none'; frame-ancestors 'none'"],
        b"Cross-Origin-Resource-Policy": [b"same-origin"],
        b"Referrer-Policy": [b"no-referrer"],
        b"X-Content-Type-Options": [b"nosniff"],
        b"X-Frame-Options": [b"DENY"],
    }
)

_BAD_REQUEST = json.dumps({"error": "This is not an HTTP request that can be understood."})


class Channel(HTTPChannel):
    """HTTP/1.1, with the security headers on every answer.

    Attributes:
        site: The `towerws.operations.site.OperationsSite` that it is a connection to.
    """

    site: Any

    def connectionMade(self) -> None:
        """Be counted; see `twisted.internet.interfaces.IProtocol`."""
        self.site.connections += 1
        super().connectionMade()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Be counted no more; see `twisted.internet.interfaces.IProtocol`."""
        self.site.connections -= 1
        super().connectionLost(reason)

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Headers) -> None:
        """Begin an answer; see `twisted.web.http.HTTPChannel`."""
        for name, values in _HEADERS.getAllRawHeaders():
            headers.setRawHeaders(name, values)
        # Who asks for the version is looking for one with a known hole.
        headers.removeHeader(b"server")
        super().writeHeaders(version, code, reason, headers)

    def headerReceived(self, line: bytes) -> bool:
        """Take a header; see `twisted.web.http.HTTPChannel`."""
        try:
            return bool(super().headerReceived(line))
        except ValueError:
            # A length of more digits than Python makes a number of; Twisted has no answer to it.
            self._respondToBadRequestAndDisconnect()
            return False

    def lineLengthExceeded(self, line: bytes) -> None:
        """Answer a line without an end; see `twisted.protocols.basic.LineReceiver`."""
        self._respondToBadRequestAndDisconnect()

    def _respondToBadRequestAndDisconnect(self) -> None:
        # Twisted's own is a status line and nothing else.
        body = _BAD_REQUEST.encode() + b"\n"
        headers = Headers(
            {
                b"Content-Type": [b"application/json"],
                b"Content-Length": [b"%d" % len(body)],
                b"Connection": [b"close"],
            }
        )
        self.writeHeaders(b"HTTP/1.1", b"400", b"Bad Request", headers)
        self.write(body)
        self.loseConnection()
