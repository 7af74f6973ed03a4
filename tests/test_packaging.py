"""What is built and installed: the wheel's content, and the plugin that twistd must find."""

import configparser
import functools
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import towerws

_ROOT = Path(__file__).resolve().parent.parent

#: The drop-ins: the server, and its authentication schemes.
_PLUGINS = {"twisted/plugins/towerws_auth.py", "twisted/plugins/towerws_plugin.py"}

#: What a build reads.
_BUILD_FILES = ("LICENSE", "README.md", "pyproject.toml", "setup.cfg", "towerws", "twisted")

#: Seconds for one pip or Python process; each takes one to three.
_PATIENCE = 120

#: Builds the wheel of the current directory as pip does, and prints its name.
_BUILD = "import sys, setuptools.build_meta as b; print(b.build_wheel(sys.argv[1]))"

#: Tells where towerws is, then what twistd would list, from whatever is installed.
_LOOK = (
    "import towerws; print(towerws.__file__)\n"
    "from twisted.application.service import IServiceMaker\n"
    "from twisted.plugin import getPlugins\n"
    "print(*(plugin.tapname for plugin in getPlugins(IServiceMaker)))\n"
    "from twisted.cred.strcred import ICheckerFactory\n"
    "print(*(plugin.authType for plugin in getPlugins(ICheckerFactory)))\n"
)


def _run(*command: str | Path, cwd: Path | None = None) -> str:
    """Run a program away from the checkout, so that only what is installed is found.

    Args:
        *command: Program and arguments.
        cwd: Where, if not in the workshop.

    Returns:
        What it printed; on another exit status than 0 an error that shows it is raised.
    """
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd or _workshop(),
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_PATIENCE,
    )
    if done.returncode:
        raise AssertionError(f"{command[0]} ended with status {done.returncode}:\n{done.stdout}")
    return done.stdout


@functools.cache
def _workshop() -> Path:
    """Make a directory for this run; trial removes its temporary directory before the next."""
    directory = Path("packaging").absolute()
    directory.mkdir()
    return directory


def _copy_checkout(name: str) -> Path:
    """Copy what a build reads, so that building leaves nothing in the checkout."""
    copy = _workshop() / name
    copy.mkdir()
    ignored = shutil.ignore_patterns("__pycache__", "dropin.cache", "*.egg-info")
    for source in map(_ROOT.joinpath, _BUILD_FILES):
        if source.is_dir():
            shutil.copytree(source, copy / source.name, ignore=ignored)
        else:
            shutil.copy(source, copy)
    return copy


@functools.cache
def _wheel() -> Path:
    """Build the wheel once for all tests, offline, with the installed setuptools."""
    printed = _run(sys.executable, "-c", _BUILD, _workshop(), cwd=_copy_checkout("checkout"))
    return _workshop() / printed.splitlines()[-1]


def _environment(name: str, *requirement: str | Path) -> Path:
    """Make an environment with towerws in it, and all that towerws needs.

    The libraries are those of the running environment; a line of a .pth file adds their directory
    without executing the .pth files in it, so an editable towerws there stays out.

    Args:
        name: Name of its directory.
        *requirement: What pip shall install.

    Returns:
        The directory of its programs.
    """
    directory = _workshop() / name
    venv.create(directory, symlinks=True)
    paths = {"base": str(directory), "platbase": str(directory)}
    libraries = Path(sysconfig.get_path("purelib", "venv", paths))
    (libraries / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    pip = (directory / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-compile")
    options = ("--no-deps", "--no-index", "--no-build-isolation", "--ignore-installed")
    _run(*pip, *options, *requirement)
    return directory / "bin"


@functools.cache
def _environments() -> tuple[Path, Path, Path]:
    """Make an environment with the wheel and an editable one, at once: pip takes its time.

    Returns:
        The directories of their programs, and the checkout of the editable one.
    """
    checkout = _copy_checkout("editable-checkout")
    with ThreadPoolExecutor() as pool:
        from_wheel = pool.submit(lambda: _environment("from-wheel", _wheel()))
        editable = pool.submit(_environment, "editable", "--editable", checkout)
        return from_wheel.result(), editable.result(), checkout


class WheelTests(SynchronousTestCase):
    """The wheel holds what it must and nothing else."""

    def test_content(self) -> None:
        """Plugins, JavaScript, the protocol's XML, the recorded job, the type marker are in it."""
        names = set(zipfile.ZipFile(_wheel()).namelist())
        data = {
            path.relative_to(_ROOT).as_posix()
            for pattern in ("amqp/*.xml", "console/*.*", "data/*.jsonl", "py.typed")
            for path in (_ROOT / "towerws").glob(pattern)
        }
        modules = {path.relative_to(_ROOT).as_posix() for path in _ROOT.glob("towerws/**/*.py")}
        endings = {"js", "json", "jsonl", "ts", "typed", "xml"}
        self.assertEqual({name.rpartition(".")[2] for name in data}, endings)
        installed = {name for name in names if ".dist-info/" not in name}
        self.assertEqual(installed, modules | data | _PLUGINS)

    def test_leaves_twisted_alone(self) -> None:
        """No `__init__.py` under `twisted/`, here or in the wheel: it would hide Twisted itself."""
        in_wheel = [name for name in zipfile.ZipFile(_wheel()).namelist() if "twisted/" in name]
        self.assertEqual(in_wheel, sorted(_PLUGINS))
        self.assertEqual([*_ROOT.glob("twisted/**/__init__.py")], [])

    def test_metadata(self) -> None:
        """Version, licence and Python are what the sources say."""
        with zipfile.ZipFile(_wheel()) as wheel:
            (name,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))
            metadata = wheel.read(name).decode()
        self.assertIn(f"\nVersion: {towerws.__version__}\n", metadata)
        self.assertIn("\nLicense-Expression: MIT\n", metadata)
        self.assertIn("\nRequires-Python: >=3.11\n", metadata)
        self.assertRegex(metadata, r"\n\n# towerws\n")


class InstalledTests(SynchronousTestCase):
    """Installed either way, twistd finds the plugin and the command is there."""

    def _check(self, programs: Path, home: Path) -> None:
        python = programs / "python"
        with ThreadPoolExecutor() as pool:
            looked = pool.submit(_run, python, "-c", _LOOK)
            options = pool.submit(_run, python, "-m", "twisted", "towerws", "--help")
            commands = pool.submit(_run, programs / "towerws", "--help")
        where, plugins, schemes = looked.result().splitlines()
        self.assertEqual(Path(where), home / "towerws" / "__init__.py")
        self.assertIn("towerws", plugins.split())
        self.assertLessEqual({"jwt", "session", "awx", "anonymous"}, set(schemes.split()))
        self.assertRegex(options.result(), r"(?m)^ *--listen=")
        self.assertRegex(commands.result(), r"\breplay\b")

    def test_wheel(self) -> None:
        """`pip install` of the built wheel."""
        programs, _, _ = _environments()
        (libraries,) = programs.parent.glob("lib/python*/site-packages")
        self._check(programs, libraries)

    def test_editable(self) -> None:
        """`pip install --editable` of a checkout."""
        _, programs, checkout = _environments()
        self._check(programs, checkout)


class SetupCfgTests(SynchronousTestCase):
    """setup.cfg says what is so."""

    def setUp(self) -> None:
        """Read it."""
        self.metadata = configparser.ConfigParser(interpolation=None)
        self.metadata.read(_ROOT / "setup.cfg", encoding="utf-8")

    def test_lists_every_package(self) -> None:
        """The explicit list has every package of the tree, and the plugin's directory."""
        packages = self.metadata["options"]["packages"].split()
        found = {
            path.parent.relative_to(_ROOT).as_posix().replace("/", ".")
            for path in _ROOT.glob("towerws/**/*.py")
        }
        self.assertEqual(sorted(packages), sorted(found | {"twisted.plugins"}))

    def test_version_has_one_place(self) -> None:
        """The version is read from the package."""
        self.assertEqual(self.metadata["metadata"]["version"], "attr: towerws.__version__")
        self.assertTrue(re.fullmatch(r"\d+\.\d+\.\d+", towerws.__version__))

    def test_licence_is_there(self) -> None:
        """The licence that the metadata names is the one in the file."""
        self.assertTrue((_ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License"))
