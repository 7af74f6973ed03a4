"""Which fault comes when: drawn from a seed, so that a run can be had again.

Pure. What is drawn is decided before the run begins, and does not depend on how it goes.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum


class Where(Enum):
    """What a fault is done to. Faults of one place come one after the other; places overlap."""

    CLIENTS = "clients"
    SERVERS = "servers"
    BROKER = "broker"


class Fault(Enum):
    """What can go wrong: the place, and the name in the table."""

    CUT = Where.CLIENTS, "clients cut"
    STALL = Where.CLIENTS, "clients' connections stalled"
    SLOW = Where.CLIENTS, "slow readers, and a burst"
    REFUSE = Where.CLIENTS, "connections refused"
    SERVER_KILL = Where.SERVERS, "server killed (-9) and started"
    SERVER_DRAIN = Where.SERVERS, "server drained (SIGTERM) and started"
    SERVER_FREEZE = Where.SERVERS, "server frozen (SIGSTOP)"
    PARTITION = Where.SERVERS, "server cut off from the broker (netns)"
    BROKER_STALL = Where.SERVERS, "server's broker connection stalled"
    BROKER_CUT = Where.SERVERS, "server's broker connection cut"
    BROKER_KILL = Where.BROKER, "RabbitMQ killed (-9) and started"
    BROKER_CLOSE = Where.BROKER, "connections closed by RabbitMQ"
    ALARM = Where.BROKER, "memory alarm raised and cleared"
    QUEUE_DELETED = Where.BROKER, "queue deleted"
    QUEUE_KILLED = Where.BROKER, "consumer cancelled (queue process killed)"
    STREAM_DELETED = Where.BROKER, "stream deleted"

    def __init__(self, where: Where, title: str) -> None:
        """Give a member its attributes."""
        self.where = where
        self.title = title


#: Faults that need what not every machine or mode has.
CLASSIC_ONLY = frozenset({Fault.QUEUE_DELETED})
NEVER_DRAWN = frozenset({Fault.STREAM_DELETED})

#: Seconds from the end of one fault to the next at the same place, at least and at most.
_PAUSES = {Where.CLIENTS: (0.5, 3.0), Where.SERVERS: (2.0, 8.0), Where.BROKER: (4.0, 12.0)}

#: Seconds that a fault lasts, at least and at most; those that are not here are over at once.
_DURATIONS = {
    Fault.STALL: (0.5, 7.0),
    Fault.SLOW: (4.0, 10.0),
    Fault.REFUSE: (0.5, 3.0),
    Fault.SERVER_KILL: (0.0, 3.0),
    Fault.SERVER_DRAIN: (0.0, 2.0),
    Fault.SERVER_FREEZE: (0.5, 6.0),
    Fault.PARTITION: (1.0, 10.0),
    Fault.BROKER_STALL: (1.0, 10.0),
    Fault.BROKER_KILL: (0.0, 3.0),
    Fault.ALARM: (1.0, 5.0),
}


@dataclass(frozen=True, slots=True)
class Step:
    """One fault of a schedule.

    Attributes:
        fault: What.
        pause: Seconds from the end of the one before, at the same place.
        seconds: How long it lasts.
        share: Of the clients, from 0 to 1, where it concerns some of them.
        server: Which server, where it concerns one.
        seed: For whatever else has to be chosen.
    """

    fault: Fault
    pause: float
    seconds: float
    share: float
    server: int
    seed: int


def draw(
    where: Where, faults: Sequence[Fault], servers: int, seed: int, pace: float = 1.0
) -> Iterator[Step]:
    """Draw the faults of one place, without an end.

    Each comes once before one comes again, in another order each time.

    Args:
        where: The place.
        faults: Those that are possible; of other places as well.
        servers: How many servers there are.
        seed: Decides everything.
        pace: All times are shorter by this factor.

    Yields:
        One after the other; nothing if none is possible at this place.
    """
    chance = random.Random(f"{seed} {where.value}")
    possible = [fault for fault in faults if fault.where is where]
    while possible:
        for fault in chance.sample(possible, len(possible)):
            yield Step(
                fault,
                pause=chance.uniform(*_PAUSES[where]) / pace,
                seconds=chance.uniform(*_DURATIONS.get(fault, (0.0, 0.0))) / pace,
                share=chance.choice((0.1, 0.3, 0.6, 1.0)),
                server=chance.randrange(servers),
                seed=chance.randrange(1 << 30),
            )
