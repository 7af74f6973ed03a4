"""Tests of `towerws.notify.connecting`: which way a URL leads."""

import os

from twisted.trial.unittest import SynchronousTestCase

from towerws.notify.amqp import AMQPConnector
from towerws.notify.connecting import DEFAULT_URL, connector
from towerws.notify.http import HTTPConnector


class ConnectorTests(SynchronousTestCase):
    """What makes connections."""

    def setUp(self) -> None:
        """Begin with an empty environment."""
        self.patch(os, "environ", {})

    def test_brokers(self) -> None:
        """AMQP, in any spelling of the scheme."""
        for url in ("amqp://tower", " AMQP://tower", "amqps://tower"):
            self.assertIsInstance(connector(url, None, "towerws.events"), AMQPConnector)

    def test_sites(self) -> None:
        """Everything else is a server's site, or nothing."""
        for url in (None, "", DEFAULT_URL, "https://tower", "unix:///run/towerws.sock"):
            self.assertIsInstance(connector(url, None, "towerws.events"), HTTPConnector)
        self.assertRaises(ValueError, connector, "ftp://tower", None, "towerws.events")

    def test_environment(self) -> None:
        """What nobody says is taken from there."""
        os.environ["TOWERWS_URL"] = "amqp://tower"
        self.assertIsInstance(connector(None, None, "towerws.events"), AMQPConnector)
        self.assertIsInstance(connector(DEFAULT_URL, None, "towerws.events"), HTTPConnector)

    def test_tokens(self) -> None:
        """That of the environment is for who has none; white space around it is not part of it."""
        os.environ["TOWERWS_TOKEN"] = " s3cret\n"
        for token, header in ((None, "Bearer s3cret"), ("other", "Bearer other")):
            made = connector(None, token, "towerws.events")
            assert isinstance(made, HTTPConnector)
            self.assertEqual(made._headers["Authorization"], header)
