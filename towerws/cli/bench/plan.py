"""What a load test is to do: the options, and how far each of them goes."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from math import ceil
from typing import Self

from towerws.cli.bench.stamp import SMALLEST
from towerws.cli.errors import CommandError
from towerws.core.wire_v1 import SUBPROTOCOL

#: Most events per second of all groups together. Publishers of one process that wait for each
#: confirmation get nowhere near it.
MAX_EVENTS = 10_000


#: The subprotocol to ask for, by profile.
PROFILES: Mapping[str, str | None] = {"awx": None, "v1": SUBPROTOCOL}


@dataclass(frozen=True, slots=True)
class Plan:
    """A load test.

    Attributes:
        connections: How many.
        groups: How many; each connection is subscribed to one of them, in turn.
        rate: Events per second in each group.
        seconds: How long they are published and timed.
        warm_up: How long they are published before, without being timed.
        burst: How many events of a group are published one right behind the other.
        size: Bytes of each event.
        connect_rate: Connections that are opened per second.
        publishers: How many publish at a time, each to groups of its own.
        profile: How the connections are spoken to: one of `PROFILES`.
    """

    connections: int = 100
    groups: int = 10
    rate: float = 1.0
    seconds: float = 10.0
    warm_up: float = 1.0
    burst: int = 1
    size: int = 256
    connect_rate: float = 500.0
    publishers: int = 1
    profile: str = "awx"

    @classmethod
    def of(cls, arguments: Namespace) -> Self:
        """Make the plan that a command line asks for.

        Args:
            arguments: With the options of `add_arguments`.

        Returns:
            The plan.

        Raises:
            CommandError: The options do not go together.
        """
        plan = cls(**{field.name: getattr(arguments, field.name) for field in fields(cls)})
        if plan.groups > plan.connections:
            raise CommandError(
                f"{plan.groups} groups are more than {plan.connections} connections: "
                "nobody would hear some of them"
            )
        if (events := plan.rate * plan.groups) > MAX_EVENTS:
            raise CommandError(
                f"{plan.groups} groups with {plan.rate:g} events per second each are {events:,g} "
                f"events per second; {MAX_EVENTS:,} is the most"
            )
        return plan

    @property
    def duration(self) -> float:
        """How long events are published, in seconds."""
        return self.warm_up + self.seconds

    @property
    def parts(self) -> int:
        """How many publishers have a group to publish to."""
        return min(self.publishers, self.groups)

    @property
    def bursts(self) -> int:
        """How many bursts of all groups fit into the time."""
        # Of a product such as 1.1 * 30 / 3 the last digits are not to make a burst more.
        return ceil(self.duration * self.rate * self.groups / self.burst - 1e-6)

    @property
    def events(self) -> int:
        """How many events are to be published."""
        return self.bursts * self.burst


def add_arguments(parser: ArgumentParser) -> None:
    """Add the options that make a plan.

    Args:
        parser: The command's parser.
    """
    default = Plan()
    for name, kind, low, high, what in (
        ("connections", int, 1, 50_000, "how many websocket connections to open"),
        ("groups", int, 1, 1_000, "how many groups; each connection subscribes to one"),
        ("rate", float, 0.01, MAX_EVENTS, "events per second in each group"),
        ("seconds", float, 0.1, 3_600, "how long to publish and measure"),
        ("warm-up", float, 0, 60, "how many seconds to publish before that, unmeasured"),
        ("burst", int, 1, 1_000, "events of a group that are published one behind the other"),
        ("size", int, SMALLEST, 1_048_576, "bytes of an event"),
        ("connect-rate", float, 1, 10_000, "connections to open per second at most"),
        ("publishers", int, 1, 32, "publish so many events at a time, of different groups"),
    ):
        value = getattr(default, name.replace("-", "_"))
        parser.add_argument(
            f"--{name}",
            type=_number(kind, low, high),
            default=value,
            metavar="N",
            help=f"{what} ({low:,} to {high:,}, default {value:,g})",
        )
    parser.add_argument(
        "--profile",
        choices=PROFILES,
        default=default.profile,
        help="what the connections speak: awx, which every server understands, or v1, with a "
        f"position in each event (default {default.profile})",
    )


def _number(kind: type[int] | type[float], low: float, high: float) -> Callable[[str], float]:
    """Make what reads a number within bounds."""

    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = -1
        if not low <= value <= high:
            whole = "a whole number" if kind is int else "a number"
            raise ArgumentTypeError(f"{text!r} is not {whole} from {low:,} to {high:,}")
        return value

    return read
