"""The lower bounds that are promised are those that `make unit-lowest` installs."""

import contextlib
import io

from twisted.trial.unittest import SynchronousTestCase

from tools.lowest import constraints, main

_SETUP_CFG = """
[options]
install_requires =
    autobahn[twisted] >= 24.4.2
    twisted[tls] >= 24.11, < 28
    zope.interface>=6.0
"""


class LowestTests(SynchronousTestCase):
    """`constraints` and the command around it."""

    def test_takes_the_lower_bound(self) -> None:
        """Extras and upper bounds are left out."""
        expected = ["autobahn==24.4.2", "twisted==24.11", "zope.interface==6.0"]
        self.assertEqual(constraints(_SETUP_CFG), expected)

    def test_refuses_a_requirement_without_bound(self) -> None:
        """A requirement that promises every version there ever was is an error."""
        with self.assertRaisesRegex(ValueError, "no lower bound .*'pika'"):
            constraints("[options]\ninstall_requires =\n  pika\n")

    def test_this_checkout(self) -> None:
        """The command prints a constraint for everything that setup.cfg requires."""
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            self.assertEqual(main(), 0)
        names = {line.partition("==")[0] for line in printed.getvalue().splitlines()}
        expected = "autobahn cryptography pika pyjwt pyopenssl twisted txamqp zope.interface"
        self.assertEqual(names, set(expected.split()))
