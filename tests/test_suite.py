"""The tests themselves: each module has its tests, and no test passes without running."""

import ast
import importlib
import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

from twisted.trial.unittest import SynchronousTestCase, TestCase

from tools import layering

_ROOT = Path(__file__).resolve().parent.parent
_TESTS = _ROOT / "tests"

#: Modules that no test file mirrors, and why.
_WITHOUT_MIRROR = {
    "towerws/__main__.py": "two lines; tests/integration runs `python -m towerws`",
    "towerws/__init__.py": "the version, which tests/test_packaging.py compares",
    "towerws/core/archive.py": "a seam; tests/core/test_resuming_archive.py and tests/feeds/"
    "test_archive.py are at its two ends",
}

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

#: Longest file and longest function of the package, in lines: what a reader can hold.
_LONGEST_FILE = 300
_LONGEST_FUNCTION = 40

#: Longest test module, which is read a class at a time.
_LONGEST_TESTS = 330


def _sources(*parts: str) -> Iterator[Path]:
    """Find the Python files of parts of the checkout, in order."""
    for part in parts:
        yield from sorted((_ROOT / part).rglob("*.py"))


def _name(path: Path) -> str:
    return path.relative_to(_ROOT).as_posix()


def mirror_of(module: str) -> str:
    """Say where the tests of a module belong.

    Args:
        module: Path of a module from the top of the checkout, such as `towerws/core/hub.py`.

    Returns:
        Path of its test file, such as `tests/core/test_hub.py`.
    """
    path = Path(module)
    path = path.parent if path.name == "__init__.py" else path.with_suffix("")
    return Path("tests", *path.parent.parts[1:], f"test_{path.name}.py").as_posix()


def silent_tests(case: type[SynchronousTestCase]) -> list[str]:
    """Find the tests of a class that would be called, return at once, and count as passed.

    trial awaits coroutines only in its `TestCase`, and runs generators nowhere.

    Args:
        case: A test class.

    Returns:
        Names of the test, `setUp` and `tearDown` methods whose body would never run.
    """
    silent = []
    for name, method in inspect.getmembers(case, inspect.isfunction):
        if not name.startswith("test_") and name not in {"setUp", "tearDown"}:
            continue
        body = inspect.unwrap(method)
        generator = inspect.isgeneratorfunction(body) or inspect.isasyncgenfunction(body)
        coroutine = inspect.iscoroutinefunction(body)
        if generator or (coroutine and not issubclass(case, TestCase)):
            silent.append(name)
    return silent


def undocumented(source: str) -> list[str]:
    """Find what needs a docstring and has none.

    Args:
        source: Text of a test module.

    Returns:
        `module`, and the names of the classes and test methods without a docstring.
    """
    tree = ast.parse(source)
    found = [] if ast.get_docstring(tree) else ["module"]
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) or (
            isinstance(node, _FUNCTIONS) and node.name.startswith("test_")
        ):
            found += [] if ast.get_docstring(node) else [node.name]
    return found


def loads_reactor(source: str) -> bool:
    """Tell whether a module fetches the global reactor while it is being loaded."""
    # Most modules do not even have the word, and need not be parsed.
    return "reactor" in source and any(
        found.target == "twisted.internet.reactor" and not found.in_function
        for found in layering.imports_of("", source)
    )


def long_functions(source: str) -> list[str]:
    """Name the functions of a module that are longer, docstring aside, than a reader can hold."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, _FUNCTIONS):
            first, last = node.body[0], node.end_lineno or 0
            docstring = (first.end_lineno or 0) - first.lineno + 1 if ast.get_docstring(node) else 0
            if last - node.lineno + 1 - docstring > _LONGEST_FUNCTION:
                found.append(node.name)
    return found


def _test_modules() -> list[ModuleType]:
    return [
        importlib.import_module(_name(path).removesuffix(".py").replace("/", "."))
        for path in _sources("tests")
        if path.name.startswith("test_")
    ]


def _test_classes(modules: Iterable[ModuleType]) -> set[type[SynchronousTestCase]]:
    return {
        case
        for module in modules
        for _, case in inspect.getmembers(module, inspect.isclass)
        if issubclass(case, SynchronousTestCase)
    }


class TreeTests(SynchronousTestCase):
    """The checkout as it is."""

    maxDiff = None

    def test_every_module_is_mirrored(self) -> None:
        """Every module that holds code has a test file of its own, where a reader looks for it."""
        missing = [
            f"{_name(path)} -> {mirror_of(_name(path))}"
            for path in _sources("towerws", "tools")
            if _name(path) not in _WITHOUT_MIRROR
            and len(ast.parse(path.read_text(encoding="utf-8")).body) > 1
            and not (_ROOT / mirror_of(_name(path))).exists()
        ]
        self.assertEqual(missing, [])

    def test_no_exception_is_stale(self) -> None:
        """The modules excused from a mirror exist."""
        self.assertEqual([name for name in _WITHOUT_MIRROR if not (_ROOT / name).exists()], [])

    def test_every_test_runs(self) -> None:
        """No coroutine or generator stands where trial would not run it."""
        silent = [
            f"{case.__module__}.{case.__qualname__}.{name}"
            for case in _test_classes(_test_modules())
            for name in silent_tests(case)
        ]
        self.assertEqual(sorted(silent), [])

    def test_everything_says_what_it_is_for(self) -> None:
        """Every test module, class and method has a docstring."""
        found = [
            f"{_name(path)}: {name}"
            for path in _sources("tests")
            for name in undocumented(path.read_text(encoding="utf-8"))
        ]
        self.assertEqual(found, [])

    def test_unit_tests_load_no_reactor(self) -> None:
        """Outside tests/integration nothing uses the global reactor."""
        found = [
            _name(path)
            for path in _sources("tests")
            if (_TESTS / "integration") not in path.parents
            and loads_reactor(path.read_text(encoding="utf-8"))
        ]
        self.assertEqual(found, [])

    def test_tests_are_short(self) -> None:
        """No test module passes 330 lines: what is longer tests two things."""
        lines = {
            _name(path): len(path.read_text(encoding="utf-8").splitlines())
            for path in _sources("tests")
        }
        self.assertEqual([name for name, count in lines.items() if count > _LONGEST_TESTS], [])

    def test_files_and_functions_are_short(self) -> None:
        """No module of the package passes 300 lines, no function 40."""
        found = []
        for path in _sources("towerws", "tools"):
            source = path.read_text(encoding="utf-8")
            if len(source.splitlines()) > _LONGEST_FILE:
                found.append(_name(path))
            found.extend(f"{_name(path)}: {name}" for name in long_functions(source))
        self.assertEqual(found, [])


class MirrorTests(SynchronousTestCase):
    """`mirror_of` puts tests where the module's path says."""

    def test_top_and_packages(self) -> None:
        """A module of the package itself has its tests in `tests/`, one below in a folder."""
        self.assertEqual(mirror_of("towerws/factory.py"), "tests/test_factory.py")
        self.assertEqual(mirror_of("towerws/core/hub.py"), "tests/core/test_hub.py")
        self.assertEqual(mirror_of("tools/layering.py"), "tests/test_layering.py")
        self.assertEqual(mirror_of("towerws/notify/__init__.py"), "tests/test_notify.py")


class SilentTests(SynchronousTestCase):
    """`silent_tests` knows which bodies trial runs."""

    def test_finds_them(self) -> None:
        """Coroutines without a reactor and generators are found, in base classes too."""

        class _Base(SynchronousTestCase):
            """Three that never run, and two others."""

            async def setUp(self) -> None:  # type: ignore[override]
                """Never awaited."""

            async def test_coroutine(self) -> None:
                """Never awaited."""

            def test_generator(self) -> Iterator[None]:
                """Never advanced."""
                yield

            async def waits(self) -> None:
                """No test."""

            def test_plain(self) -> None:
                """Runs."""

        class _Derived(_Base):
            """Inherits the three."""

        self.assertEqual(silent_tests(_Derived), ["setUp", "test_coroutine", "test_generator"])

    def test_knows_the_asynchronous_case(self) -> None:
        """A coroutine is awaited in trial's `TestCase`, but a generator is not run there either."""

        class _Case(TestCase):
            """One that runs, one that does not."""

            async def test_coroutine(self) -> None:
                """Awaited."""

            def test_generator(self) -> Iterator[None]:
                """Never advanced."""
                yield

        self.assertEqual(silent_tests(_Case), ["test_generator"])


class SourceTests(SynchronousTestCase):
    """The checks that read sources can fail."""

    def test_undocumented(self) -> None:
        """A module, a class and a test without a docstring are named; other functions are not."""
        source = "class A:\n  async def test_x(self): 1\n  def run(self): 1"
        self.assertEqual(undocumented(source), ["module", "A", "test_x"])
        self.assertEqual(undocumented('"""M."""\ndef test_x():\n  """T."""'), [])

    def test_loads_reactor(self) -> None:
        """Both spellings at the top of a module are found; one in a function is not."""
        self.assertTrue(loads_reactor("from twisted.internet import defer, reactor"))
        self.assertTrue(loads_reactor("import twisted.internet.reactor"))
        self.assertFalse(loads_reactor("def f():\n  from twisted.internet import reactor"))

    def test_long_functions(self) -> None:
        """Forty lines pass, forty-one do not."""
        longest = "def f():\n" + "  x = 1\n" * (_LONGEST_FUNCTION - 1)
        self.assertEqual(long_functions(longest), [])
        self.assertEqual(long_functions(longest + "  x = 1\n"), ["f"])
        self.assertEqual(long_functions(longest.replace("x = 1", "'doc'\n  x = 1", 1)), [])
