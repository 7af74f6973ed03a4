"""`towerws.auth.session.arguments`: ``--auth session:...``."""

from twisted.cred.strcred import InvalidAuthArgumentString
from twisted.trial.unittest import SynchronousTestCase

from towerws.auth.session.arguments import make_checker
from towerws.core.patterns import Patterns


class ArgumentsTests(SynchronousTestCase):
    """`make_checker`."""

    def test_all(self) -> None:
        """All arguments of the command line arrive."""
        checker = make_checker(
            "url=http://127.0.0.1:8000/s/,timeout=1,groups=jobs-*+schedules-*,keep=5,keep-refused=1"
        )
        self.assertEqual(
            (checker._backend.url, checker._backend._timeout, checker._keep, checker._keep_refused),
            ("http://127.0.0.1:8000/s/", 1, 5, 1),
        )
        self.assertEqual(checker._groups, Patterns(["jobs-*", "schedules-*"]))
        self.assertIsNone(make_checker("url=http://127.0.0.1/")._groups)

    def test_refused(self) -> None:
        """What is wrong is said in a sentence, without secrets."""
        for arguments, text in (
            ("", "session needs url="),
            ("keep=1", "session needs url="),
            ("url=ftp://secret/", "http:// or https://"),
            ("url=http://admin:secret@h/", "user or a password"),
            ("url=http://h/,groups=jobs-+secret!", "pattern"),
            ("url=http://h/,timeout=0", "timeout is no number of seconds from 0.1 to 2.5"),
            ("url=http://h/,keep=301", "keep is no number of seconds from 0 to 300"),
            ("url=http://h/,keep-refused=nan", "keep-refused is no number"),
            ("url=https://h/,ca=/nowhere", "/nowhere cannot be read"),
            ("url=http://h/,cookie=a", "'cookie' is not one of"),
        ):
            error = self.assertRaises(InvalidAuthArgumentString, make_checker, arguments)
            self.assertIn(text, str(error))
            self.assertNotIn("secret", str(error))
