"""`towerws.auth.schemes`: the plugins that name the schemes."""

import sys
from types import ModuleType

from twisted.cred.checkers import AllowAnonymousAccess, ICredentialsChecker
from twisted.cred.strcred import ICheckerFactory, InvalidAuthArgumentString, makeChecker
from twisted.plugin import IPlugin, getPlugins
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from towerws.auth import schemes
from towerws.auth.interfaces import IHandshake
from towerws.auth.schemes import Scheme


class SchemeTests(SynchronousTestCase):
    """`Scheme`."""

    def setUp(self) -> None:
        """Make a scheme whose module a test has written."""
        self.module = ModuleType("tests.auth.written_here")
        vars(self.module).update(ARGUMENTS="key=FILE", HELP="Signs in.")
        self.patch(sys, "modules", {**sys.modules, self.module.__name__: self.module})
        self.scheme = Scheme("signed", self.module.__name__)

    def test_interface(self) -> None:
        """`twisted.cred.strcred` finds it, and knows what it checks."""
        self.assertTrue(verifyObject(ICheckerFactory, self.scheme))
        self.assertTrue(IPlugin.providedBy(self.scheme))
        self.assertEqual(self.scheme.authType, "signed")
        self.assertEqual(self.scheme.credentialInterfaces, (IHandshake,))

    def test_help(self) -> None:
        """``--help-auth`` and ``--help-auth-type`` show what the module says."""
        self.assertEqual(self.scheme.argStringFormat, "key=FILE")
        self.assertEqual(self.scheme.authHelp, "Signs in.")

    def test_checker(self) -> None:
        """The module makes the checker of the arguments as they are."""
        checker = AllowAnonymousAccess()
        arguments: list[str] = []

        def make_checker(argstring: str) -> ICredentialsChecker:
            arguments.append(argstring)
            return checker

        vars(self.module)["make_checker"] = make_checker
        self.assertIs(self.scheme.generateChecker("key=a:b"), checker)
        self.assertEqual(arguments, ["key=a:b"])

    def test_bad_arguments(self) -> None:
        """What the module objects to reaches the command line as it is."""
        error = InvalidAuthArgumentString("key has no value")

        def make_checker(argstring: str) -> ICredentialsChecker:
            raise error

        vars(self.module)["make_checker"] = make_checker
        raised = self.assertRaises(InvalidAuthArgumentString, self.scheme.generateChecker, "key=")
        self.assertIs(raised, error)

    def test_loaded_when_used(self) -> None:
        """Naming a scheme loads nothing of it."""
        self.assertRaises(ImportError, Scheme("away", "tests.auth.nowhere").generateChecker, "")


class PluginTests(SynchronousTestCase):
    """What comes with towerws is found."""

    def test_found(self) -> None:
        """Each scheme is among Twisted's plugins, once and by its name."""
        found = {
            plugin.authType: plugin
            for plugin in getPlugins(ICheckerFactory)
            if isinstance(plugin, Scheme)
        }
        self.assertEqual(sorted(found), ["awx", "jwt", "session"])
        self.assertIs(found["jwt"], schemes.jwt)

    def test_usable(self) -> None:
        """Each has a module with all that is asked of it."""
        for scheme in (schemes.jwt, schemes.session, schemes.awx):
            self.assertTrue(scheme.argStringFormat, scheme.authType)
            self.assertTrue(scheme.authHelp, scheme.authType)

    def test_bad_arguments(self) -> None:
        """Each refuses an argument that it does not know, in the way of `twisted.cred`."""
        for scheme in ("jwt", "session", "awx"):
            self.assertRaises(InvalidAuthArgumentString, makeChecker, f"{scheme}:nothing=s3cret")
