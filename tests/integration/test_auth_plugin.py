"""A scheme of somebody else, as a drop-in plugin: the very one of docs/authentication.md."""

import re
import subprocess
from pathlib import Path

from tests.integration.case import ServerCase
from tests.integration.server import ServerProcess, clean_environment, twistd

_PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "authentication.md"


class PluginTests(ServerCase):
    """It is found, listed, and asked."""

    def setUp(self) -> None:
        """Put the file of the page where Python finds it."""
        page = _PAGE.read_text(encoding="utf-8")
        (source,) = re.findall(
            r"```python\n# twisted/plugins/[a-z_]+\.py\n(.*?)```", page, re.DOTALL
        )
        self.root = Path(self.mktemp())
        plugins = self.root / "twisted" / "plugins"
        plugins.mkdir(parents=True)
        (plugins / "acme_auth.py").write_text(source, encoding="utf-8")
        (self.root / "badges").write_text("s3cret-badge 7 jobs-*\n", encoding="utf-8")

    def test_is_listed(self) -> None:
        """``--help-auth`` names it beside our own."""
        done = subprocess.run(
            [twistd(), "towerws", "--help-auth"],
            env=clean_environment(PYTHONPATH=str(self.root.resolve())),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        for scheme in ("badge", "jwt", "session", "awx", "anonymous"):
            self.assertRegex(done.stdout, rf"(?m)^  {scheme} *\t")

    def test_is_asked(self) -> None:
        """Who shows a badge is in, and hears what it allows; with workers as well."""
        for workers in ("1", "2"):
            server = self.start_server(
                f"--auth=badge:{self.root.resolve() / 'badges'}",
                f"--workers={workers}",
                environment={"PYTHONPATH": str(self.root.resolve())},
            )
            self._is_asked(server)

    def _is_asked(self, server: ServerProcess) -> None:
        known = self.client(server, headers={"X-Badge": "s3cret-badge"})
        self.assertEqual(known.greeting, {"accept": True, "user": 7})
        known.send({"groups": {"jobs": [1], "secrets": [1]}})
        denied, reply = known.receive_json(), known.receive_json()
        self.assertEqual(denied, {"error": "access denied to channel secrets for resource id 1"})
        self.assertEqual(reply["groups_current"], ["jobs-1"])
        unknown = self.client(server, headers={"X-Badge": "another"})
        self.assertEqual(unknown.greeting, {"close": True})
        self.assertEqual(unknown.wait_closed(), 1000)
        self.assertNotIn("s3cret", server.log())
