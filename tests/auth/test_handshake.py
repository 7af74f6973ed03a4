"""`towerws.auth.handshake`: what a client shows."""

import dataclasses

from twisted.cred.credentials import ICredentials
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from towerws.auth.handshake import Handshake
from towerws.auth.interfaces import IHandshake


def handshake(**headers: str) -> Handshake:
    """Make a handshake with headers."""
    return Handshake("/websocket/", "192.0.2.1", headers)


class HandshakeTests(SynchronousTestCase):
    """`Handshake`."""

    def test_interface(self) -> None:
        """It has all that a scheme is promised, and `twisted.cred` takes it for credentials."""
        shown = handshake()
        self.assertTrue(verifyObject(IHandshake, shown))
        self.assertTrue(ICredentials.providedBy(shown))

    def test_defaults(self) -> None:
        """No subprotocols and no certificate, unless they are given."""
        self.assertEqual(handshake().subprotocols, ())
        self.assertIsNone(handshake().certificate)

    def test_unchangeable(self) -> None:
        """One scheme cannot change what the next one sees."""
        with self.assertRaises(dataclasses.FrozenInstanceError):
            handshake().path = "/"  # type: ignore[misc]

    def test_repr_has_no_secrets(self) -> None:
        """What may be a secret is not shown: cookies, tokens in headers, tokens in subprotocols."""
        shown = Handshake(
            "/websocket/",
            "192.0.2.1",
            {"cookie": "sessionid=s3cret", "authorization": "Bearer s3cret"},
            ("towerws.awx", "bearer.s3cret"),
        )
        for text in (repr(shown), str(shown), f"{shown}"):
            self.assertNotIn("s3cret", text)
            self.assertIn("192.0.2.1", text)


class CookiesTests(SynchronousTestCase):
    """`Handshake.cookies`."""

    def test_none(self) -> None:
        """Without the header there are none."""
        self.assertEqual(handshake().cookies, {})

    def test_cookies(self) -> None:
        """Values by name, as `towerws.core.cookies` reads them."""
        shown = handshake(cookie='awx_sessionid="abc"; csrftoken=def')
        self.assertEqual(shown.cookies, {"awx_sessionid": "abc", "csrftoken": "def"})


class BearerTests(SynchronousTestCase):
    """`Handshake.bearer`."""

    def test_token(self) -> None:
        """What stands behind the scheme, which may be in any case."""
        for value in ("Bearer abc.def", "bearer abc.def", " BEARER   abc.def "):
            self.assertEqual(handshake(authorization=value).bearer, "abc.def", value)

    def test_none(self) -> None:
        """No header, another scheme and nothing behind it are no token."""
        self.assertIsNone(handshake().bearer)
        for value in ("", "Bearer", "Bearer ", "Basic YTpi", "Bearerabc", "abc"):
            self.assertIsNone(handshake(authorization=value).bearer, value)
