"""`towerws.auth.awx.arguments`: ``--auth awx:...``."""

from twisted.cred.strcred import InvalidAuthArgumentString, makeChecker
from twisted.trial.unittest import SynchronousTestCase

from towerws.auth.awx.arguments import make_checker
from towerws.auth.awx.checker import AwxChecker
from towerws.auth.awx.objects import Rules
from towerws.core.patterns import Patterns


class ArgumentsTests(SynchronousTestCase):
    """`make_checker`."""

    def url(self, argstring: str) -> str:
        """Make a checker and tell whom it asks."""
        return make_checker(argstring)._backend.url

    def test_plugin(self) -> None:
        """Twisted finds the scheme by its name."""
        self.assertIsInstance(makeChecker("awx:url=http://127.0.0.1:8013"), AwxChecker)

    def test_url(self) -> None:
        """The API is at AWX's usual path unless the URL has one."""
        for given in ("https://awx.example.org", "https://awx.example.org/"):
            self.assertEqual(self.url(f"url={given}"), "https://awx.example.org/api/v2/")
        gateway = "https://aap.example.org/api/controller/v2/"
        self.assertEqual(self.url(f"url={gateway}"), gateway)

    def test_all(self) -> None:
        """Everything may be set."""
        checker = make_checker(
            "url=http://127.0.0.1:8013,timeout=1.5,cookie=tower,status=auditors,"
            "groups=deploy-*+alerts-red,keep=0,keep-refused=0.5"
        )
        self.assertEqual(checker._rules, Rules(True, Patterns(["deploy-*", "alerts-red"])))
        self.assertEqual(checker._session_cookies, ("tower",))
        self.assertEqual((checker._keep, checker._keep_refused), (0, 0.5))

    def test_refused(self) -> None:
        """What cannot be is refused in one sentence, which repeats no URL."""
        url = "url=https://awx.example.org"
        for argstring, sentence in {
            "": "awx needs url=",
            "timeout=1": "awx needs url=",
            "url=ftp://ann:s3cret@awx": "",
            "url=https://ann:s3cret@awx": "",
            "url=https://[s3cret": "",
            f"{url},timeout=0": "timeout is no number of seconds",
            f"{url},timeout=nan": "timeout is no number of seconds",
            f"{url},timeout=5.1": "timeout is no number of seconds",
            f"{url},timeout=soon": "timeout is no number of seconds",
            f"{url},keep=-1": "keep is no number of seconds",
            f"{url},keep=inf": "keep is no number of seconds",
            f"{url},keep-refused=301": "keep-refused is no number of seconds",
            f"{url},status=some": "status is neither all nor auditors",
            f"{url},groups=a+b/c": "a group is neither",
            f"{url},cookie=a=b": "cookie is not the name",
            f"{url},ca=/does/not/exist": "",
            f"{url},other=1": "'other' is not one of",
        }.items():
            error = self.assertRaises(InvalidAuthArgumentString, make_checker, argstring)
            self.assertIn(sentence, str(error))
            self.assertNotIn("s3cret", str(error))
