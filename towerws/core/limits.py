"""How much one client may ask for, and what is told of those that ask for more."""

from collections.abc import Callable
from dataclasses import dataclass

from towerws.core.metrics import Metrics
from towerws.core.throttle import Throttle


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one client may ask for, and how long it is believed.

    Attributes:
        groups: Groups of one connection. The largest page of AWX's interface has some ten; a
            dashboard of a hundred jobs has a hundred.
        pending: Messages that may wait for their turn. A person who changes pages while an
            access check takes its time makes a handful.
        rate: Messages per second in the long run. A person who hurries through pages makes two.
        burst: Messages at once.
        strikes: How often in a row a client may ask for too many groups, or too often, before it
            is closed.
        subscribe_within: Seconds until a client has to have asked for groups; 0 for no limit. All
            known clients do so at once; a script may look something up before.
        recheck_every: Seconds after which it is looked at again whether a client may still hear
            what it hears; 0 for never.
        heartbeat: Seconds between two signs of life to a client of profile "towerws.v1". Two of
            them are what it takes such a client to notice that nothing comes any more.
    """

    groups: int = 1000
    pending: int = 16
    rate: int = 20
    burst: int = 200
    strikes: int = 10
    subscribe_within: float = 120
    recheck_every: float = 0
    heartbeat: float = 15


class Excesses:
    """Counts what goes over a limit, and has it logged: once a minute for each limit."""

    def __init__(
        self,
        metrics: Metrics,
        seconds: Callable[[], float],
        report: Callable[[str, str, int], None],
    ) -> None:
        """Begin with nothing over any limit.

        Args:
            metrics: Where it is counted.
            seconds: The clock.
            report: Logs; called with the limit, with who it was, and with how many such lines were
                held back since the last one.
        """
        self._metrics = metrics
        self._throttle = Throttle(seconds)
        self._report = report

    def note(self, limit: str, who: str) -> None:
        """Take note that something went over a limit.

        Args:
            limit: Its name, from a small fixed set.
            who: For people; nothing secret.
        """
        self._metrics.counter(
            "towerws_limited_total", "What was refused or cut for a limit, by the limit.",
            limit=limit,
        ).add()  # fmt: skip
        held_back = self._throttle.permit(limit)
        if held_back is not None:
            self._report(limit, who, held_back)


class SessionCounters:
    """What sessions count, shared by all of them."""

    def __init__(self, metrics: Metrics, excesses: Excesses) -> None:
        """Register the counters.

        Args:
            metrics: Where they are shown.
            excesses: Are told of what goes over a limit.
        """
        name, description = "towerws_frames_total", "Messages of clients, by what became of them."
        self.excesses = excesses
        self.subscribed = metrics.counter(name, description, result="subscribed")
        self.ignored = metrics.counter(name, description, result="ignored")
        self.not_understood = metrics.counter(name, description, result="not_understood")
        self.bad_token = metrics.counter(name, description, result="bad_token")
        self.over_limit = metrics.counter(name, description, result="over_limit")
        self.denied = metrics.counter(
            "towerws_groups_denied_total", "Groups that were asked for and refused."
        )
        self.withdrawn = metrics.counter(
            "towerws_groups_withdrawn_total",
            "Groups that a client was in and lost, because it may not hear them any more.",
        )
