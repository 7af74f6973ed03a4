"""`tools.layering_map`; tests/test_layering.py follows it."""

from twisted.trial.unittest import SynchronousTestCase

from tools.layering_map import MAP


class MapTests(SynchronousTestCase):
    """What the map itself must be."""

    def test_names(self) -> None:
        """Nobody may import what has no place, but for packages that have parts with one."""
        parts = {name.rpartition(".")[0] for name in MAP}
        for name, place in MAP.items():
            self.assertLessEqual(place.towerws, MAP.keys() | parts, name)

    def test_only_the_core_is_barred(self) -> None:
        """From I/O and from clocks."""
        barred = {name for name, place in MAP.items() if place.barred}
        self.assertEqual(barred, {"towerws.core"})
        self.assertLessEqual({"socket", "time", "os"}, MAP["towerws.core"].barred)
