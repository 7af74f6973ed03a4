"""The layers of towerws: the map is followed, and the check that says so can fail."""

import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from tools import layering
from tools.layering_map import MAP


def _check(**sources: str) -> list[str]:
    """Check made-up modules; `core__hub="..."` stands for `towerws.core.hub`."""
    modules = {f"towerws.{name.replace('__', '.')}": text for name, text in sources.items()}
    return layering.violations(modules)


class TreeTests(SynchronousTestCase):
    """The checkout as it is."""

    maxDiff = None

    def test_follows_the_map(self) -> None:
        """No import of the source tree breaks the map."""
        self.assertEqual(layering.violations(layering.read_modules()), [])

    def test_reads_every_part(self) -> None:
        """The check finds modules for every entry of the map: no entry is left from the past."""
        places = set(map(layering.place_of, layering.read_modules()))
        self.assertEqual(places, set(MAP))

    def test_names_the_layers_downward(self) -> None:
        """The map itself has no arrow up: core knows only core, no shell knows composition."""
        composition = {"towerws.options", "towerws.tap", "towerws.cli", "towerws.__main__"}
        composition.add("towerws.workers.worker")
        for name, place in MAP.items():
            if name not in composition:
                self.assertEqual(place.towerws & composition, set(), name)
        self.assertEqual(MAP["towerws.core"].towerws, {"towerws.core"})
        self.assertEqual(MAP["towerws.core"].third_party, set())
        self.assertNotIn("towerws.cli", MAP["towerws.tap"].towerws)


class LoadedModulesTests(SynchronousTestCase):
    """What is really in memory after an import, whichever way it came there."""

    def _loaded_by(self, statement: str) -> set[str]:
        """Run a statement in a new interpreter and tell which modules it loaded."""
        program = (
            "import sys; before = set(sys.modules)\n"
            f"{statement}\n"
            "print(*(set(sys.modules) - before))"
        )
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=layering.ROOT,
            capture_output=True,
            check=False,
            text=True,
            timeout=60,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return set(done.stdout.split())

    def test_publisher_loads_no_twisted(self) -> None:
        """A backend that imports `towerws.notify` gets pika and no Twisted."""
        loaded = self._loaded_by("import towerws.notify")
        self.assertIn("towerws.notify", loaded)
        self.assertEqual({name for name in loaded if name.startswith("twisted")}, set())

    def test_core_loads_only_the_standard_library(self) -> None:
        """All modules of the core together load nothing that is installed."""
        core = [name for name in layering.read_modules() if name.startswith("towerws.core")]
        tops = {name.partition(".")[0] for name in self._loaded_by(f"import {', '.join(core)}")}
        self.assertEqual(tops - sys.stdlib_module_names, {"towerws"})

    def test_server_loads_no_reactor(self) -> None:
        """`twistd --reactor` can still choose: `towerws.tap` installs no reactor."""
        self.assertNotIn("twisted.internet.reactor", self._loaded_by("import towerws.tap"))


class ArrowTests(SynchronousTestCase):
    """Made-up modules that break the map are reported, those that follow it are not."""

    def test_allows_arrows_down(self) -> None:
        """Composition over shells over core, with the standard library everywhere."""
        found = _check(
            core__groups="import json\nfrom urllib.parse import quote",
            core__hub="from towerws.core.groups import Group",
            amqp__client="import txamqp.client\nfrom twisted.internet import defer",
            amqp_bridge="from towerws.amqp.client import Client\nfrom towerws.core import hub",
            tap="from towerws import amqp_bridge, embedded\nimport towerws.core.hub",
        )
        self.assertEqual(found, [])

    def test_refuses_up(self) -> None:
        """The core may not know a shell, nor a shell the composition."""
        self.assertEqual(
            _check(core__hub="import os.path\n\nfrom towerws.factory import Factory"),
            [
                "towerws.core.hub:1: towerws.core may not import os.path",
                "towerws.core.hub:3: towerws.core may not import towerws.factory.Factory",
            ],
        )
        self.assertEqual(
            _check(embedded="from towerws import tap"),
            ["towerws.embedded:1: towerws.embedded may not import towerws.tap"],
        )

    def test_refuses_sideways(self) -> None:
        """A shell may know another only where the map has an arrow."""
        self.assertEqual(
            _check(embedded="import towerws.amqp.codec"),
            ["towerws.embedded:1: towerws.embedded may not import towerws.amqp.codec"],
        )

    def test_refuses_foreign_packages(self) -> None:
        """Each place has its own list of packages: the publisher may not use Twisted."""
        self.assertEqual(
            _check(notify="import pika\nfrom twisted.internet import defer"),
            ["towerws.notify:2: towerws.notify may not import twisted.internet.defer"],
        )

    def test_refuses_the_application_in_the_plugin(self) -> None:
        """The plugin file imports nothing of towerws."""
        plugin = {"twisted.plugins.towerws_plugin": "import towerws.tap"}
        self.assertEqual(len(layering.violations(plugin)), 1)

    def test_looks_inside_functions(self) -> None:
        """An arrow is an arrow also where it is drawn late or for the type checker only."""
        late = "def f():\n    async def g():\n        import twisted"
        typing = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import twisted"
        found = _check(core__groups=late, core__wire=typing)
        self.assertEqual([sentence.split()[0] for sentence in found], _places("groups:3", "wire:3"))

    def test_refuses_relative_imports(self) -> None:
        """A relative import hides where the arrow goes."""
        self.assertEqual(
            _check(core__wire="from .groups import Group"),
            ["towerws.core.wire:1: relative import of groups.Group; write the full name"],
        )

    def test_refuses_strangers(self) -> None:
        """A module that the map does not name must be given a place first."""
        self.assertEqual(
            _check(utils="", core__anything=""),
            ["towerws.utils: has no place in tools/layering_map.py"],
        )

    def test_refuses_cycles(self) -> None:
        """The modules of a layer have an order among them."""
        found = _check(
            core__groups="from towerws.core.wire import parse",
            core__wire="def late():\n    from towerws.core import groups",
        )
        self.assertEqual(len(found), 1)
        self.assertIn("towerws.core.groups <- ", found[0])

    def test_allows_mutual_types_outside_the_core(self) -> None:
        """Two modules of a shell may name each other's types; two of the core may not."""
        types = "import typing\nif typing.TYPE_CHECKING:\n    import towerws.{}"
        shell = {"amqp__a": "import towerws.amqp.b", "amqp__b": types.format("amqp.a")}
        core = {"core__a": "import towerws.core.b", "core__b": types.format("core.a")}
        self.assertEqual(_check(**shell), [])
        self.assertEqual(len(_check(**core)), 1)
        otherwise = shell["amqp__b"] + "\nelse:\n    import towerws.amqp.a"
        self.assertEqual(len(_check(amqp__a=shell["amqp__a"], amqp__b=otherwise)), 1)

    def test_refuses_the_reactor_outside_functions(self) -> None:
        """Loading a module installs no reactor; a function may fetch it when it runs."""
        late = "def run():\n    from twisted.internet import reactor"
        early = "try:\n    from twisted.internet import reactor\nexcept ImportError:\n    raise"
        self.assertEqual(_check(tap=late), [])
        self.assertEqual(
            _check(tap=early),
            ["towerws.tap:2: imports the reactor while being loaded; take it as a parameter"],
        )


def _places(*positions: str) -> list[str]:
    return [f"towerws.core.{position}:" for position in positions]
