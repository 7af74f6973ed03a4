"""The server that a command listens to."""

import os
from argparse import ArgumentParser
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from towerws.cli import connecting
from towerws.cli.errors import CommandError
from towerws.client import Subscription


class EnvironmentCase(SynchronousTestCase):
    """A test without settings in the environment."""

    def setUp(self) -> None:
        """Forget them, until the test ends."""
        environment = mock.patch.dict(os.environ)
        environment.start()
        self.addCleanup(environment.stop)
        for name in ("TOWERWS_WS_URL", "TOWERWS_COOKIE", "TOWERWS_BEARER"):
            os.environ.pop(name, None)


class TargetTests(EnvironmentCase):
    """`target_of` finds the server."""

    def test_url_of_the_environment(self) -> None:
        """The URL comes from the command line, else from the environment, else it is our own."""
        for url, variable, host in (
            ("ws://a:1/", "ws://b:1/", "a"),
            (None, "ws://b:1/", "b"),
            (None, "", "127.0.0.1"),
        ):
            os.environ["TOWERWS_WS_URL"] = variable
            self.assertEqual(connecting.target_of(url).host, host)

    def test_bad_url(self) -> None:
        """A URL that is none is told."""
        error = self.assertRaises(CommandError, connecting.target_of, "http://a")
        self.assertIn("does not begin with ws://", str(error))


class SubscriptionTests(EnvironmentCase):
    """`subscription_to` takes the credentials along."""

    def subscription(self, *argv: str) -> Subscription:
        """Say what is asked for with these arguments."""
        parser = ArgumentParser()
        connecting.add_header(parser)
        return connecting.subscription_to(["a-b"], parser.parse_args(argv).header)

    def test_headers(self) -> None:
        """They are as given; the environment's credentials come on top."""
        os.environ["TOWERWS_COOKIE"] = 'awx_sessionid="k"; csrftoken="t1"'
        os.environ["TOWERWS_BEARER"] = "abc.def\n"
        subscription = self.subscription("--header", "x-a:  b c ", "--header", "cookie:d=e")
        self.assertEqual(
            subscription.headers,
            {
                "X-A": "b c",
                "Cookie": 'awx_sessionid="k"; csrftoken="t1"',
                "Authorization": "Bearer abc.def",
            },
        )
        self.assertEqual(subscription.xrftoken, "t1")

    def test_none(self) -> None:
        """Without any of it only the groups are asked for."""
        self.assertEqual(self.subscription(), Subscription(["a-b"]))

    def test_cookie_of_the_command_line(self) -> None:
        """AWX's token is taken out of a cookie wherever that comes from."""
        self.assertEqual(self.subscription("--header", "Cookie: csrftoken=t2").xrftoken, "t2")

    def test_bad_secrets(self) -> None:
        """What would be a second header is refused, and not repeated."""
        for variable in ("TOWERWS_COOKIE", "TOWERWS_BEARER"):
            os.environ[variable] = "secret\r\nX: y"
            error = str(self.assertRaises(CommandError, self.subscription))
            del os.environ[variable]
            self.assertIn(variable, error)
            self.assertNotIn("secret", error)
