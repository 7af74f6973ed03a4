"""``--auth session`` with the real thing behind it: Django, its users and its sessions."""

from pathlib import Path

from websockets.exceptions import InvalidStatus

from tests.integration.case import ServerCase
from tests.integration.clients import Client
from tests.integration.django_site import Browser, shared_site
from tests.integration.loopback import free_ports

_ROOT = Path(__file__).resolve().parent.parent.parent

#: The close code of docs/protocol.md.
_EXPIRED = 4401


class SessionAuthTests(ServerCase):
    """Clients with the cookies of a Django project."""

    def setUp(self) -> None:
        """Start Django, if nobody has, and open a browser."""
        self.site = shared_site()
        self.browser = Browser(self.site)

    def _start(self, *options: str, arguments: str = "") -> None:
        auth = f"session:url={self.site.session_url}{arguments}"
        self.server = self.start_server("--auth", auth, *options)

    def _connect(self) -> Client:
        client = self.client(self.server, headers=self.browser.headers)
        client.csrf_token = self.browser.cookies.get("csrftoken")
        return client

    def test_logged_in(self) -> None:
        """A user hears what the view says, and nothing else, with the page's CSRF token."""
        self._start()
        self.browser.log_in("alice")
        client = self._connect()
        self.assertEqual(client.greeting, {"accept": True, "user": 1})
        client.send({"groups": {"jobs": ["summary"]}, "xrftoken": "a guess"})
        self.assertEqual(client.receive_json(), {"error": "access denied to channel"})
        client.send(
            {"groups": {"jobs": ["summary"], "inbox": [1, 2]}, "xrftoken": self.browser.token}
        )
        self.assertEqual(
            client.receive_json(), {"error": "access denied to channel inbox for resource id 2"}
        )
        self.assertEqual(client.receive_json()["groups_joined"], ["inbox-1", "jobs-summary"])
        self.assertEqual(self.server.emit("inbox-1", b'{"x": 1}'), (202, {"connections": 1}))
        self.assertEqual(client.receive(), b'{"x": 1}')

    def test_staff(self) -> None:
        """What the view says depends on the user."""
        self._start()
        self.browser.log_in("bob")
        reply = self._connect().subscribe(audit=["log"])
        self.assertEqual(reply["groups_joined"], ["audit-log"])

    def test_logged_out(self) -> None:
        """Whoever logs out is found out at the next look, and cannot come back."""
        self._start("--recheck", "1", arguments=",keep=0,keep-refused=0")
        nobody = self._connect()
        self.assertEqual(nobody.greeting, {"close": True})
        self.assertEqual(nobody.wait_closed(), 1000)
        self.browser.log_in("alice")
        client = self._connect()
        client.subscribe(jobs=["summary"])
        self.browser.log_out()
        self.assertEqual(client.wait_closed(), _EXPIRED)
        self.assertEqual(self._connect().greeting, {"close": True})

    def test_expiry(self) -> None:
        """The end of a session is the end of its connections."""
        self._start()
        self.browser.log_in("alice", seconds=2)
        client = self._connect()
        self.assertEqual(client.greeting, {"accept": True, "user": 1})
        self.assertEqual(client.wait_closed(), _EXPIRED)

    def test_backend_away(self) -> None:
        """Without the backend nobody can be let in, and nobody is told that they are nobody."""
        (port,) = free_ports(1)
        self.server = self.start_server("--auth", f"session:url=http://127.0.0.1:{port}/")
        self.browser.log_in("alice")
        with self.assertRaises(InvalidStatus) as caught:
            self._connect()
        self.assertEqual(caught.exception.response.status_code, 503)
        log = self.server.log()
        self.assertIn(f"http://127.0.0.1:{port} cannot be reached: ", log)
        self.assertNotIn(self.browser.cookies["sessionid"], log)

    def test_documented(self) -> None:
        """The view is the one that docs/authentication.md shows."""
        source = Path(__file__).with_name("session_view.py").read_text()
        view = source.partition('"""\n\n')[2]
        self.assertIn(view, (_ROOT / "docs" / "authentication.md").read_text())
