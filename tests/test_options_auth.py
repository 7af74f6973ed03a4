"""`towerws.options`: who may connect."""

import json
import re
from collections.abc import Sequence
from io import StringIO
from typing import Any

from twisted.cred import strcred
from twisted.cred.checkers import AllowAnonymousAccess
from twisted.cred.credentials import IUsernamePassword
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from towerws.auth.interfaces import IHandshake
from towerws.network.listening import StartError
from towerws.options import Options


class _Checker:
    """What a scheme makes."""

    def __init__(self, *interfaces: object) -> None:
        self.credentialInterfaces = interfaces


@implementer(strcred.ICheckerFactory)
class _Scheme:
    """A scheme of somebody else."""

    authType = "card"
    authHelp = "Asks for a card.\nAny card."
    argStringFormat = "COLOUR"

    def __init__(self, *interfaces: object) -> None:
        self.credentialInterfaces = interfaces
        self.arguments: list[str] = []

    def generateChecker(self, argstring: str) -> _Checker:
        """See `ICheckerFactory`."""
        self.arguments.append(argstring)
        if argstring == "fault":
            raise ZeroDivisionError("a fault")
        if argstring == "green":
            raise strcred.InvalidAuthArgumentString("there are no green cards")
        return _Checker(*self.credentialInterfaces)


class AuthCase(SynchronousTestCase):
    """A test with a scheme of somebody else beside those that are there."""

    def setUp(self) -> None:
        """Add the scheme to the plugins."""
        self.scheme = _Scheme(IHandshake)
        self.others = [_Scheme(IUsernamePassword)]
        self.others[0].authType = "user"
        found = list(strcred.findCheckerFactories())
        self.patch(strcred, "findCheckerFactories", lambda: [*found, self.scheme, *self.others])

    def parse(self, *arguments: str) -> Options:
        """Parse a command line."""
        options = Options({})
        options.parseOptions(list(arguments))
        return options


class AuthTests(AuthCase):
    """``--auth``, as in other Twisted servers."""

    def test_anonymous(self) -> None:
        """The default, and Twisted's own checker."""
        for arguments in ((), ("--auth=anonymous",)):
            options = self.parse(*arguments)
            (checker,) = options["credCheckers"]
            self.assertIsInstance(checker, AllowAnonymousAccess)
            self.assertTrue(options.is_anonymous)

    def test_named(self) -> None:
        """Schemes are made in the order in which they are named, and nobody is anonymous."""
        options = self.parse("--auth=card:red", "--auth", "card:blue:a=b")
        self.assertEqual(self.scheme.arguments, ["red", "blue:a=b"])
        self.assertEqual(len(options["credCheckers"]), 2)
        self.assertEqual(options["auth"], ["card:red", "card:blue:a=b"])
        self.assertFalse(options.is_anonymous)

    def test_anonymous_beside_others(self) -> None:
        """Whoever is anonymous when all else fails is anonymous."""
        self.assertTrue(self.parse("--auth=card", "--auth=anonymous").is_anonymous)

    def test_for_workers(self) -> None:
        """Workers are told the strings, and make checkers of their own."""
        told = self.parse("--auth=card:red", "--workers=2").for_workers()
        self.assertEqual(json.loads(json.dumps(told))["auth"], ["card:red"])

    def test_public_listener(self) -> None:
        """Who asks for a card may be reached from everywhere; who also lets others in, may not."""
        endpoints: Sequence[str] = ["tcp:8051", "ssl:443:privateKey=/etc/key.pem"]
        options = self.parse(*(f"--listen={each}" for each in endpoints), "--auth=card")
        self.assertEqual(options["listen"], endpoints)
        error = self.assertRaises(
            StartError, self.parse, "--listen=tcp:8051", "--auth=card", "--auth=anonymous"
        )
        self.assertIn("'anonymous' lets everybody in", str(error))


class MistakeTests(AuthCase):
    """Each is one sentence, with the scheme and without its arguments."""

    def mistake(self, argument: str) -> str:
        """Parse a wrong one."""
        text = str(self.assertRaises(StartError, self.parse, f"--auth={argument}"))
        self.assertTrue(re.fullmatch(r"towerws: --auth [^\n]{5,300}", text), text)
        self.assertNotIn("s3cret", text)
        return text

    def test_unknown(self) -> None:
        """No scheme has this name."""
        self.assertIn("--help-auth", self.mistake("nothing:s3cret"))

    def test_arguments(self) -> None:
        """The scheme says what is wrong with its arguments."""
        self.assertIn("--auth card: there are no green cards", self.mistake("card:green"))

    def test_fault(self) -> None:
        """A scheme that fails is a mistake as well, and no traceback."""
        self.assertIn("--auth card: a fault", self.mistake("card:fault"))

    def test_not_for_websockets(self) -> None:
        """Twisted's checkers for passwords do not know what a handshake is."""
        self.assertIn("it does not know websockets", self.mistake("user:s3cret"))


class HelpTests(AuthCase):
    """``--help-auth`` and ``--help-auth-type``."""

    def shown(self, *arguments: str) -> str:
        """Ask for help."""
        output: Any = StringIO()
        self.patch(Options, "authOutput", output)
        ended = self.assertRaises(SystemExit, self.parse, *arguments)
        self.assertEqual(ended.code, 0)
        return str(output.getvalue())

    def test_all(self) -> None:
        """Those that know websockets are listed, ours and others, and no more."""
        shown = self.shown("--help-auth")
        for scheme in ("anonymous", "jwt", "session", "awx", "card"):
            self.assertRegex(shown, rf"(?m)^  {scheme} *\t")
        self.assertNotRegex(shown, r"(?m)^  (user|file|memory|unix|sshkey)\b")

    def test_one(self) -> None:
        """What it does, and how its arguments are written."""
        shown = self.shown("--help-auth-type=card")
        self.assertIn("COLOUR", shown)
        self.assertIn("Any card.", shown)
        for scheme in ("jwt", "session", "awx"):
            self.assertGreater(len(self.shown(f"--help-auth-type={scheme}")), 300)
