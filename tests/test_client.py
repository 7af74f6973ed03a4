"""The client as its users import it."""

import io
import os
import subprocess
import sys
import textwrap
from contextlib import redirect_stdout
from unittest import mock

from twisted.internet import task
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.client.memory import Network, end
from tests.client.v1 import ACCEPT_V1, V1, enveloped, gap, reply
from towerws import client


class ExampleTests(SynchronousTestCase):
    """The example of the package's documentation."""

    def test_example(self) -> None:
        """It runs as it stands, and hears."""
        example = textwrap.dedent(
            (client.__doc__ or "").partition("::\n")[2].rpartition("docs/")[0]
        )
        react = mock.Mock()
        self.patch(task, "react", react)
        exec(compile(example, "example", "exec"), {})
        ((main,), _) = react.call_args
        network = Network(self)
        running: Deferred[None] = main(network.reactor)
        self.addCleanup(end, running)
        with redirect_stdout(io.StringIO()) as stdout:
            network.accept(subprotocol=V1).send(
                ACCEPT_V1,
                reply("p1"),
                enveloped("p2", b'{"status": "running"}', "jobs-status_changed"),
                gap("broker away", "p3"),
            )
        self.assertEqual(
            stdout.getvalue(),
            "hearing jobs-summary\njobs-status_changed running\nfetch the jobs anew: broker away\n",
        )


class ImportTests(SynchronousTestCase):
    """What importing it does not do."""

    def test_no_reactor(self) -> None:
        """No reactor is installed: that is the application's choice."""
        program = "import sys, towerws.client; sys.exit('twisted.internet.reactor' in sys.modules)"
        environment = {"PATH": os.environ["PATH"]}
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, check=False, timeout=30
        )
        self.assertEqual(done.returncode, 0)
