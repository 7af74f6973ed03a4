"""The schemes that come with towerws, as `twisted.cred.strcred` plugins.

Light, because any Twisted server that lists authentication plugins loads this: what a scheme needs
is loaded when the scheme is used, or its help is asked for.
"""

import importlib
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.strcred import ICheckerFactory
from twisted.plugin import IPlugin
from zope.interface import implementer

from towerws.auth.interfaces import IHandshake


@implementer(ICheckerFactory, IPlugin)
class Scheme:
    """A way to authenticate, in a module of its own.

    The module has ``ARGUMENTS`` and ``HELP``, texts for ``--help-auth``, and
    ``make_checker(arguments)``, which takes the argument string.

    Attributes:
        authType: Its name on the command line.
        credentialInterfaces: What it checks.
    """

    credentialInterfaces = (IHandshake,)

    def __init__(self, name: str, module: str) -> None:
        """Name a scheme.

        Args:
            name: As on the command line.
            module: Where it is.
        """
        self.authType = name
        self._module = module

    @property
    def argStringFormat(self) -> str:
        """How arguments are written."""
        return str(self._load().ARGUMENTS)

    @property
    def authHelp(self) -> str:
        """What the scheme does, for people."""
        return str(self._load().HELP)

    def generateChecker(self, argstring: str) -> ICredentialsChecker:
        """Make a checker.

        Args:
            argstring: What stands behind the name on the command line.

        Returns:
            The checker; nothing is connected yet.

        Raises:
            InvalidAuthArgumentString: It cannot be made; the text is one sentence.
        """
        checker: ICredentialsChecker = self._load().make_checker(argstring)
        return checker

    def _load(self) -> Any:
        return importlib.import_module(self._module)


jwt = Scheme("jwt", "towerws.auth.jwt.arguments")
session = Scheme("session", "towerws.auth.session.arguments")
awx = Scheme("awx", "towerws.auth.awx.arguments")
