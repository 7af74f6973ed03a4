"""The JavaScript client: the tests beside this file in the oldest Node and the newest; types."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.console.node import NODES, node, output_of, tsc

_HERE = Path(__file__).resolve().parent
_CONSOLE = _HERE.parent.parent / "towerws" / "console"

#: Seconds; a quarter of one is what it takes.
_PATIENCE = 60


class TowerWSTests(SynchronousTestCase):
    """The client, with websockets whose other end is the test, and with mocked time."""

    def _check(self, major: int) -> None:
        # In one process, for starting one takes as long as all tests of a file.
        files = sorted(_HERE.glob("*.test.mjs"))
        script = "".join(f"import {file.as_uri()!r};" for file in files)
        printed = self._output(
            node(major), "--test-reporter=tap", "--input-type=module", "--eval", script
        )
        count = sum(file.read_text(encoding="utf-8").count("\ntest(") for file in files)
        (passed,) = (line for line in printed.splitlines() if line.startswith("# pass "))
        # Some are written once for several values.
        self.assertGreaterEqual(int(passed.removeprefix("# pass ")), count)
        self.assertIn("\n# skipped 0\n# todo 0\n", printed)

    def _output(self, *command: str | Path) -> str:
        return output_of(self, command, _PATIENCE)

    def test_oldest_node(self) -> None:
        """All passes in the oldest Node that the client is for."""
        self._check(NODES[0])

    def test_newest_node(self) -> None:
        """All passes in the newest."""
        self._check(NODES[-1])

    def test_types(self) -> None:
        """TypeScript takes what is right by the declarations, and nothing else.

        It reads the client as well, and finds nothing in it that is newer than ES2022.
        """
        libraries = ("--strict", "--target", "es2022", "--lib", "es2022,dom")
        modules = ("--module", "nodenext", "--noEmit", "--skipDefaultLibCheck")
        self._output(*tsc(), *libraries, *modules, _HERE / "types.ts")
        lenient = (*libraries[1:], *modules, "--allowJs", "--checkJs")
        self._output(*tsc(), *lenient, _CONSOLE / "towerws.js")
