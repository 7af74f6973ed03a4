"""Whatever is sent to the websocket's port as, or in place of, an opening handshake."""

import re
import tempfile

import jwt
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.mutations import CUTS, cut, mutated
from tests.fuzz.websocket_case import OutsideCase
from tests.properties import CONVERSATION
from tests.raw_websocket import REQUEST, SUBSCRIBE_FRAME
from towerws.auth.jwt.arguments import make_checker
from towerws.auth.jwt.checker import JWTChecker
from towerws.auth.portal import PortalAuthenticator
from towerws.core.forwarding import Proxies

#: The statuses that docs/protocol.md names.
_STATUSES = {101, 400, 403, 404, 405, 426, 429, 431, 503, 505}

#: What is never sent back: somebody may like to see it as a part of a page, and may have a token
#: at its place.
_MARK = b"<injected>"

_ODD = st.sampled_from(
    [
        b"",
        b" ",
        b"\x00",
        b"\xff\xfe",
        "é\N{SNOWMAN}".encode(),
        b"a" * 5000,
        b"a, b,, c;q=0.5",
        b"\t" + _MARK,
        b"13",
        b"websocket",
        b"9" * 5000,
        b"-1",
        b"chunked",
        b"100-continue",
        b"http://evil.example",
        b"[::1",
        b"a@b:c:d",
        b"permessage-deflate; client_max_window_bits=99; x",
        b'a="\\\n b',
    ]
) | st.binary(max_size=20).filter(lambda value: b"\n" not in value)

_NAMES = st.sampled_from(
    [
        b"Host",
        b"Upgrade",
        b"Connection",
        b"Sec-WebSocket-Key",
        b"Sec-WebSocket-Version",
        b"Sec-WebSocket-Protocol",
        b"Sec-WebSocket-Extensions",
        b"Origin",
        b"Cookie",
        b"Authorization",
        b"Content-Length",
        b"Transfer-Encoding",
        b"Expect",
        b"X-Forwarded-For",
        b"X-Forwarded-Proto",
        b"Forwarded",
    ]
)
_HEADER = st.builds(lambda name, value: name + b": " + value, _NAMES, _ODD) | _ODD
_GOOD = REQUEST.split(b"\r\n")[1:-2]


@st.composite
def _requests(draw: st.DrawFn) -> bytes:
    """A handshake with some headers left out, and others put in anywhere."""
    method = draw(st.sampled_from([b"GET"] * 9 + [b"POST", b"get", b"", b"\xff", b"CONNECT"]))
    target = draw(
        st.sampled_from(
            [b"/websocket/"] * 9
            + b"/websocket / * //websocket/ /../websocket/ http://[/ /%00%ff \xff".split(b" ")
            + [b"/websocket/?" + _MARK, b"http://evil.example/websocket/", b"/a b", b""]
        )
    )
    version = draw(
        st.sampled_from([b"HTTP/1.1"] * 9 + [b"HTTP/1.0", b"HTTP/2", b"", b"http/1.1", b"HTTP/1.x"])
    )
    lines = [line for line in _GOOD if draw(st.integers(0, 19))]
    for header in draw(st.lists(_HEADER, max_size=4)):
        lines.insert(draw(st.integers(0, len(lines))), header)
    end = draw(st.sampled_from([b"\r\n"] * 9 + [b"\n", b"\r"]))
    return end.join([b" ".join([method, target, version]), *lines, b"", b""])


#: A key that only this test has, in place of one from a file.
_KEY = "a key of forty-three characters, no shorter"

#: protocol.md: what a client gets that is not authenticated.
_NOBODY = b'{"close": true}\x88'

_TOKEN = jwt.encode({"sub": "7", "exp": 2**33, "groups": ["jobs-*"]}, _KEY, "HS256").encode()


def _checker() -> JWTChecker:
    with tempfile.NamedTemporaryFile("w", prefix="towerws-fuzz-") as file:
        file.write(_KEY)
        file.flush()
        return make_checker(f"key={file.name},cookie=token")


_CHECKER = _checker()


@st.composite
def _credentials(draw: st.DrawFn) -> bytes:
    """A handshake with tokens, cookies, and what a proxy has added."""
    token = draw(mutated(st.just(_TOKEN)) | st.just(_TOKEN))
    places = [
        b"Authorization: Bearer " + token,
        b"Authorization: " + token,
        b"Cookie: token=" + token,
        b'Cookie: a="b; token="' + token + b'"',
        b"Sec-WebSocket-Protocol: towerws.awx, bearer." + token,
        b"Sec-WebSocket-Protocol: bearer." + token + b", bearer.",
        b"X-Forwarded-For: 192.0.2.1, unknown, [::1]:80",
        b"X-Forwarded-For: " + token,
        b"X-Forwarded-Proto: https, http",
        b"X-Forwarded-Proto: \xff",
    ]
    lines = draw(st.lists(st.sampled_from(places), min_size=1, max_size=4))
    return REQUEST[:-2] + b"\r\n".join([*lines, b"", b""])


class HandshakeTests(OutsideCase):
    """The answer is a documented one, or the server waits for more within its timeout."""

    def _check(self, answer: bytes, *, closed: bool) -> None:
        if not answer:
            return
        found = re.match(rb"HTTP/1\.1 (\d{3}) [A-Za-z -]+\r\n", answer)
        assert found is not None, answer
        status = int(found[1])
        self.assertIn(status, _STATUSES)
        self.assertNotIn(b"Server:", answer)
        self.assertNotIn(_MARK, answer)
        if status != 101:
            head, _, body = answer.partition(b"\r\n\r\n")
            self.assertIn(b"\r\nContent-Type: text/plain; charset=utf-8\r\n", head)
            self.assertIn(b"\r\nContent-Length: %d\r\n" % len(body), head + b"\r\n")
            self.assertTrue(body.endswith(b"\n"))
            self.assertTrue(closed, "a refused handshake ends the connection")

    @given(_requests(), st.sampled_from([b"", SUBSCRIBE_FRAME, b"GET / HTTP/1.1\r\n\r\n"]), CUTS)
    @CONVERSATION
    def test_headers(self, request: bytes, behind: bytes, shares: list[float]) -> None:
        """Odd, missing, repeated, huge and non-ASCII headers; other methods, targets, versions."""
        self.setUp()
        self.listener()
        answer, closed = self.converse(cut(request + behind, shares))
        self._check(answer, closed=closed)

    @given(_credentials(), CUTS)
    @CONVERSATION
    def test_credentials(self, request: bytes, shares: list[float]) -> None:
        """Tokens that are good, damaged or in odd places, behind a proxy that is trusted."""
        self.setUp()
        authenticator = PortalAuthenticator([_CHECKER])
        authenticator.attach(self.reactor, self.metrics)
        self.listener(
            authenticator, trusted_proxies=Proxies(["127.0.0.1"]), max_connections_per_user=1
        )
        answer, closed = self.converse(cut(request, shares))
        self._check(answer, closed=closed)
        if answer.startswith(b"HTTP/1.1 101 "):
            self.assertNotIn(b"bearer", answer)
            greeting = answer.partition(b"\r\n\r\n")[2][2:]
            self.assertTrue(
                greeting.startswith((b'{"accept": true, "user": "7"}', _NOBODY)), greeting
            )

    @given(mutated(st.just(REQUEST + SUBSCRIBE_FRAME)), CUTS)
    @CONVERSATION
    def test_damaged(self, stream: bytes, shares: list[float]) -> None:
        """A good handshake that was damaged on its way."""
        self.setUp()
        self.listener()
        answer, closed = self.converse(cut(stream, shares))
        self._check(answer, closed=closed)

    @given(st.binary(max_size=200), CUTS)
    @CONVERSATION
    def test_anything(self, stream: bytes, shares: list[float]) -> None:
        """Something that is no HTTP at all, such as TLS."""
        self.setUp()
        self.listener()
        answer, closed = self.converse(cut(stream + b"\r\n\r\n", shares))
        self._check(answer, closed=closed)
