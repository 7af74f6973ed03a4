"""Everything that a run of chaos consists of: broker, servers, proxies, clients, publishers."""

import asyncio
import random
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.chaos.crowd import Address, Client, Crowd
from tests.chaos.network import Cable
from tests.chaos.proxy import Proxy
from tests.chaos.publishing import Plan, Publishing
from tests.chaos.servers import ChaosServer
from tests.chaos.subscriber import Subscriber
from tests.integration.rabbitmq import RabbitMQNode

#: Of the servers: short times, and bounds that are met, so that everything happens within minutes.
_OPTIONS = {
    "classic": (
        "--linger=10", "--queue-bytes=131072", "--queue-seconds=20", "--history-seconds=20",
    ),
    "stream": ("--warm-up=3", "--history-seconds=5"),
}  # fmt: skip
_COMMON = (
    "--heartbeat=2", "--max-outbox=131072", "--drain=2", "--prefetch=100",
    "--history-bytes=4194304",
)  # fmt: skip

#: Heartbeats of AMQP in seconds: a broker that is cut off is noticed within two or three.
_BROKER_HEARTBEAT = 2

_SERVERS = 2


@dataclass(frozen=True, slots=True)
class Scale:
    """How large a run is.

    Attributes:
        mode: ``classic`` or ``stream``.
        seconds: How long faults rain.
        clients: How many.
        groups: How many there are.
        joined: How many of them each client hears.
        rate: Events a second, all groups together.
        threads: Publishers.
        seed: Decides everything that is drawn.
        pace: Faults are shorter, and closer to one another, by this factor.
    """

    mode: str
    seconds: float
    clients: int
    groups: int
    joined: int
    rate: float
    threads: int
    seed: int
    pace: float = 1.0


@dataclass(slots=True)
class World:
    """A broker, two servers, and who uses them.

    Attributes:
        scale: How large it is.
        node: The broker.
        logs: Directory for logs.
        groups: Names of all groups.
        servers: Each with its own way to the broker.
        entrances: The proxies between the clients and each server.
        exits: The proxies between each server and the broker.
        cable: The network between the last server and the broker, None where that is not allowed.
        no_cable: Why there is none.
    """

    scale: Scale
    node: RabbitMQNode
    logs: Path
    groups: list[str] = field(init=False)
    servers: list[ChaosServer] = field(default_factory=list)
    entrances: list[Proxy] = field(default_factory=list)
    exits: list[Proxy] = field(default_factory=list)
    cable: Cable | None = None
    no_cable: str = ""
    crowd: Crowd = field(init=False)
    publishing: Publishing = field(init=False)
    _addresses: list[Address] = field(default_factory=list)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def exchange(self) -> str:
        """The exchange that is published to; another one in each mode, and so is the stream."""
        return f"chaos.{self.scale.mode}"

    async def __aenter__(self) -> Self:
        """Start everything; clients connect over the next second."""
        self.groups = [f"chaos-{i}" for i in range(self.scale.groups)]
        try:
            self._plug_cable()
            for number in range(_SERVERS):
                await self._add_server(number)
            await asyncio.gather(
                *(asyncio.to_thread(each.launch, until_ready=True) for each in self.servers)
            )
            self._add_clients()
            self.crowd.start()
            self.publishing = Publishing(self._plan())
            self._stack.callback(self.publishing.stop)
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop everything but the broker."""
        await self._stack.aclose()

    def _plug_cable(self) -> None:
        try:
            self.cable = Cable()
        except OSError as error:
            self.no_cable = str(error)
        else:
            self._stack.callback(self.cable.close)

    async def _add_server(self, number: int) -> None:
        way = Proxy(("127.0.0.1", self.node.port))
        self._stack.push_async_callback(way.stop)
        host = "127.0.0.1"
        if self.cable is not None and number == _SERVERS - 1:
            host = self.cable.listening.getsockname()[0]
            port = await way.start(self.cable.listening)
        else:
            port = await way.start()
        url = f"amqp://guest:guest@{host}:{port}/%2F?heartbeat={_BROKER_HEARTBEAT}"
        options = ("--queue-type", self.scale.mode, "--exchange", self.exchange, *_COMMON)
        server = ChaosServer(
            f"server-{self.scale.mode}-{number + 1}",
            self.logs,
            *options,
            *_OPTIONS[self.scale.mode],
            broker=url,
        )
        self._stack.push_async_callback(asyncio.to_thread, server.finish)
        entrance = Proxy(("127.0.0.1", server.port))
        self._stack.push_async_callback(entrance.stop)
        self._addresses.append(Address(server.name, await entrance.start()))
        self.servers.append(server)
        self.exits.append(way)
        self.entrances.append(entrance)

    def _add_clients(self) -> None:
        chance = random.Random(f"clients {self.scale.seed}")
        clients = [
            Client(
                Subscriber(f"client-{number}", chance.sample(self.groups, self.scale.joined)),
                self._addresses,
                random.Random(chance.random()),
            )
            for number in range(self.scale.clients)
        ]
        self.crowd = Crowd(clients, self.groups, chance.randrange(1 << 30))
        self._stack.push_async_callback(self.crowd.stop)

    def _plan(self) -> Plan:
        scale = self.scale
        return Plan(
            self.node.url,
            self.exchange,
            self.groups,
            scale.rate,
            scale.threads,
            scale.seed,
            mandatory=scale.mode == "stream",
        )
