"""`towerws.auth.interfaces`: what a third party writes against."""

from twisted.cred.credentials import ICredentials
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.interface import InterfaceClass

from towerws.auth.interfaces import IAttached, IHandshake, IUser


class InterfaceTests(SynchronousTestCase):
    """The three interfaces are a promise: taking a name away breaks schemes of others."""

    def _names(self, interface: InterfaceClass) -> list[str]:
        for name in interface:
            self.assertTrue(interface[name].getDoc(), name)
        return sorted(interface)

    def test_handshake(self) -> None:
        """Credentials of `twisted.cred`."""
        self.assertTrue(IHandshake.extends(ICredentials))
        self.assertEqual(
            self._names(IHandshake),
            ["address", "bearer", "certificate", "cookies", "headers", "path", "subprotocols"],
        )

    def test_user(self) -> None:
        """What is known of a user, and two questions."""
        self.assertEqual(self._names(IUser), ["csrf_token", "denied", "expires", "renew", "user"])
        self.assertEqual(IUser["denied"].getSignatureString(), "(groups)")
        self.assertEqual(IUser["renew"].getSignatureString(), "()")

    def test_attached(self) -> None:
        """The server's life, from the first handshake to its end."""
        self.assertEqual(self._names(IAttached), ["attach", "detach", "files", "forget", "reload"])
        self.assertEqual(IAttached["attach"].getSignatureString(), "(reactor, metrics)")
        self.assertEqual(IAttached["forget"].getSignatureString(), "(user)")
