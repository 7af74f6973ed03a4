"""docs/security.md: the tests that it names are there."""

import importlib
import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

_ROOT = Path(__file__).resolve().parent.parent

_REFERENCE = re.compile(r"tests/([\w/]+)\.py(?:::(\w+))?")


class PageTests(SynchronousTestCase):
    """Each promise names a test, and the test exists."""

    def setUp(self) -> None:
        """Read the page."""
        self.page = (_ROOT / "docs" / "security.md").read_text(encoding="utf-8")

    def test_tests_exist(self) -> None:
        """Modules can be loaded, and have the classes with tests in them."""
        found = set(_REFERENCE.findall(self.page))
        self.assertGreater(len(found), 40)
        for module, name in sorted(found):
            loaded = importlib.import_module(f"tests.{module.replace('/', '.')}")
            if name:
                methods = dir(getattr(loaded, name))
                self.assertTrue(any(method.startswith("test_") for method in methods), name)

    def test_each_promise_has_one(self) -> None:
        """No row of a table of promises is left without."""
        part = self.page.partition("## What is promised")[2].partition("## What is not promised")[0]
        rows = [line for line in part.splitlines() if line.startswith("| ") and "---" not in line]
        bare = [row for row in rows if "tests/" not in row and not row.endswith("| shown by |")]
        self.assertEqual(bare, [])

    def test_links(self) -> None:
        """Pages that are linked are there."""
        for name in ("docs/security.md", "SECURITY.md"):
            source = _ROOT / name
            for target in re.findall(r"\]\(([^)#]+)", source.read_text(encoding="utf-8")):
                self.assertTrue((source.parent / target).exists(), f"{name}: {target}")
