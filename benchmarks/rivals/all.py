"""Every server that is measured, in the order of the table."""

from benchmarks.rivals import Rival
from benchmarks.rivals.channels import LAYERS, Channels
from benchmarks.rivals.crossbar import Crossbar
from benchmarks.rivals.floor import Floor
from benchmarks.rivals.nchan import Nchan
from benchmarks.rivals.towerws import NO_HISTORY, WITH_POSITIONS, Towerws
from benchmarks.rivals.web_stomp import WebStomp


def all_rivals() -> list[Rival]:
    """Make them all; nothing is started."""
    return [
        Floor(),
        Floor(coalesce=True),
        Towerws(),
        Towerws(NO_HISTORY),
        Towerws(WITH_POSITIONS),
        Towerws(None),
        Nchan(),
        Crossbar(),
        WebStomp(),
        *(Channels(layer) for layer in LAYERS),
    ]
