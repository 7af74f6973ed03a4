"""A page in Chromium: how a browser shows a token, and which pages may connect."""

import time
from pathlib import Path

import jwt

from tests.integration.browser import Page
from tests.integration.case import ServerCase

_KEY = "s3cret-" * 8

_SCRIPT = """
const open = (url, protocols) => new Promise(done => {{
    const socket = new WebSocket(url, protocols);
    socket.onmessage = message => {{
        const {{accept, close, user}} = JSON.parse(message.data);
        done([socket.protocol, accept ? user : {{close}}]);
    }};
    socket.onerror = () => done("refused");
}});
const url = "{url}", token = "bearer.{token}";
return [
    await open(url, ["towerws.awx", token]),
    await open(url, ["towerws.v1", "towerws.awx", token]),
    await open(url, ["towerws.awx", token + "x"]),
    await open(url.replace("127.0.0.1", "localhost"), ["towerws.awx", token]),
];
"""


class BrowserTests(ServerCase):
    """What only a browser does: origins, and no other place for a token than the subprotocols."""

    def setUp(self) -> None:
        """Serve a page, and its token."""
        self.page = Page()
        self.addCleanup(self.page.close)
        self.key = Path(self.mktemp()).resolve()
        self.key.write_text(_KEY, encoding="ascii")
        self.token = jwt.encode({"sub": "7", "exp": time.time() + 600, "groups": ["jobs-*"]}, _KEY)

    def test_token(self) -> None:
        """The token is read from the subprotocols; what is selected is another of them."""
        server = self.start_server(f"--auth=jwt:key={self.key}", f"--origin={self.page.origin}")
        accepted = ["towerws.awx", "7"]
        refused = ["towerws.awx", {"close": True}]
        self.assertEqual(
            self.page.run(_SCRIPT.format(url=server.websocket_url, token=self.token)),
            [accepted, ["towerws.v1", "7"], refused, accepted],
        )
        self.assertNotIn(self.token, server.log())

    def test_origin(self) -> None:
        """A page of another origin is refused, whatever it shows."""
        server = self.start_server(f"--auth=jwt:key={self.key}")
        self.assertEqual(
            self.page.run(_SCRIPT.format(url=server.websocket_url, token=self.token)),
            ["refused"] * 4,
        )
        self.assertEqual(server.metric('towerws_handshakes_refused_total{status="403"}'), 4)
