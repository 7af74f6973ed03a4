"""Carries out the faults of a schedule, one after the other at each place."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from tests.chaos.proxy import Link, Proxy
from tests.chaos.schedule import Fault, Step, Where, draw
from tests.chaos.world import World

#: Bytes a second of a slow reader, at least and at most: it still sees that the server lives.
_SLOW = (3000, 20000)

#: What is published at once while readers are slow: to so many groups, so many events of so many
#: bytes. It is more than the kernel and a server keep for one reader.
_BURST = 3, 150, 4096

#: Reads the pid of the queue's process, or of the stream's leader, and kills it.
_KILL_QUEUE = (
    '{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, <<"{}">>)), '
    "exit(amqqueue:get_pid(Q), kill)."
)


class Happening(NamedTuple):
    """A fault that happened.

    Attributes:
        fault: What.
        began: When, in seconds.
        ended: When everything was as before, in seconds.
        detail: To whom, for people; what went wrong if it could not be done.
        is_done: Whether it could be done.
    """

    fault: Fault
    began: float
    ended: float
    detail: str
    is_done: bool


class Rain:
    """The faults of one run.

    Attributes:
        happenings: What happened, in the order of its end.
    """

    def __init__(self, world: World, faults: Sequence[Fault], tell: Callable[[str], None]) -> None:
        """Prepare.

        Args:
            world: What it rains on.
            faults: Those that may be drawn.
            tell: Called with a line for each fault when it is over.
        """
        self._tell = tell
        self._world = world
        self._faults = faults
        self.happenings: list[Happening] = []
        self._ways: dict[Fault, Callable[[Step], Awaitable[str]]] = {
            Fault.CUT: self._cut,
            Fault.STALL: self._stall,
            Fault.SLOW: self._slow,
            Fault.REFUSE: self._refuse,
            Fault.SERVER_KILL: self._kill_server,
            Fault.SERVER_DRAIN: self._drain_server,
            Fault.SERVER_FREEZE: self._freeze_server,
            Fault.PARTITION: self._unplug,
            Fault.BROKER_STALL: self._stall_broker,
            Fault.BROKER_CUT: self._cut_broker,
            Fault.BROKER_KILL: self._kill_broker,
            Fault.BROKER_CLOSE: self._close_connections,
            Fault.ALARM: self._alarm,
            Fault.QUEUE_DELETED: self._delete_queue,
            Fault.QUEUE_KILLED: self._kill_queue,
            Fault.STREAM_DELETED: self._delete_stream,
        }

    async def fall(self) -> None:
        """Rain for as long as the scale says; returns when everything is as before."""
        until = time.monotonic() + self._world.scale.seconds
        await asyncio.gather(*(self._at(where, until) for where in Where))

    async def _at(self, where: Where, until: float) -> None:
        scale = self._world.scale
        for step in draw(where, self._faults, len(self._world.servers), scale.seed, scale.pace):
            await asyncio.sleep(step.pause)
            if time.monotonic() >= until:
                return
            await self.carry_out(step)

    async def carry_out(self, step: Step) -> None:
        """Let a fault happen, and be over.

        Args:
            step: Which.
        """
        began = time.monotonic()
        try:
            detail, is_done = await self._ways[step.fault](step), True
        except (OSError, RuntimeError) as error:
            detail, is_done = f"not done: {' '.join(str(error).split())}", False
        self.happenings.append(Happening(step.fault, began, time.monotonic(), detail, is_done))
        self._tell(f"{step.fault.title}: {detail}")

    # --- clients ---

    def _links(self, step: Step) -> list[Link]:
        links = [link for proxy in self._world.entrances for link in proxy.links]
        return random.Random(step.seed).sample(links, round(step.share * len(links)))

    async def _cut(self, step: Step) -> str:
        links = self._links(step)
        reset = bool(step.seed % 2)
        for link in links:
            link.cut(reset=reset)
        return f"{len(links)} connections{', reset' * reset}"

    async def _stall(self, step: Step) -> str:
        links = self._links(step)
        for link in links:
            link.stall(stalled=True)
        await asyncio.sleep(step.seconds)
        for link in links:
            link.stall(stalled=False)
        return f"{len(links)} connections, for {step.seconds:.1f} s"

    async def _slow(self, step: Step) -> str:
        chance = random.Random(step.seed)
        links = self._links(step)
        for link in links:
            link.slow_down(chance.uniform(*_SLOW))
        groups, count, size = _BURST
        for group in chance.sample(self._world.groups, min(groups, len(self._world.groups))):
            self._world.publishing.burst(group, count, size)
        await asyncio.sleep(step.seconds)
        for link in links:
            link.slow_down(None)
        return f"{len(links)} connections, for {step.seconds:.1f} s"

    async def _refuse(self, step: Step) -> str:
        proxies: list[Proxy] = [self._world.entrances[step.server]]
        if step.share == 1:
            proxies = self._world.entrances
        for proxy in proxies:
            proxy.is_refusing = True
        await asyncio.sleep(step.seconds)
        for proxy in proxies:
            proxy.is_refusing = False
        return f"at {len(proxies)} servers, for {step.seconds:.1f} s"

    # --- servers ---

    async def _kill_server(self, step: Step) -> str:
        server = self._world.servers[step.server]
        await asyncio.to_thread(server.kill)
        await asyncio.sleep(step.seconds)
        await asyncio.to_thread(server.launch)
        return f"{server.name}, away for {step.seconds:.1f} s"

    async def _drain_server(self, step: Step) -> str:
        server = self._world.servers[step.server]
        status = await asyncio.to_thread(server.drain)
        await asyncio.sleep(step.seconds)
        await asyncio.to_thread(server.launch)
        return f"{server.name}, ended with {status}"

    async def _freeze_server(self, step: Step) -> str:
        server = self._world.servers[step.server]
        with server.frozen():
            await asyncio.sleep(step.seconds)
        return f"{server.name}, for {step.seconds:.1f} s"

    async def _unplug(self, step: Step) -> str:
        cable = self._world.cable
        assert cable is not None, "not drawn without one"
        await asyncio.to_thread(cable.unplug)
        await asyncio.sleep(step.seconds)
        await asyncio.to_thread(cable.plug)
        return f"{self._world.servers[-1].name}, for {step.seconds:.1f} s"

    async def _stall_broker(self, step: Step) -> str:
        proxy = self._world.exits[step.server]
        proxy.stall(stalled=True)
        await asyncio.sleep(step.seconds)
        proxy.stall(stalled=False)
        return f"{self._world.servers[step.server].name}, for {step.seconds:.1f} s"

    async def _cut_broker(self, step: Step) -> str:
        links = list(self._world.exits[step.server].links)
        for link in links:
            link.cut(reset=bool(step.seed % 2))
        return f"{self._world.servers[step.server].name}, {len(links)} connections"

    # --- the broker ---

    async def _ctl(self, *arguments: str) -> str:
        return await asyncio.to_thread(self._world.node.ctl, *arguments)

    async def _kill_broker(self, step: Step) -> str:
        await asyncio.to_thread(self._world.node.kill)
        await asyncio.sleep(step.seconds)
        await asyncio.to_thread(self._world.node.start)
        return f"away for {step.seconds:.1f} s, and its start"

    async def _close_connections(self, step: Step) -> str:
        await self._ctl("close_all_connections", "--", "chaos")
        return "all connections"

    async def _alarm(self, step: Step) -> str:
        await self._ctl("set_vm_memory_high_watermark", "absolute", "1MB")
        try:
            await asyncio.sleep(step.seconds)
        finally:
            await self._ctl("set_vm_memory_high_watermark", "absolute", "512MB")
        return f"for {step.seconds:.1f} s"

    async def _queue(self, step: Step) -> str:
        listed = await self._ctl("list_queues", "name", "exclusive")
        queues = sorted(
            line.split("\t")[0] for line in listed.splitlines() if line.endswith("\ttrue")
        )
        if not queues:
            raise RuntimeError("no server has a queue now")
        return random.Random(step.seed).choice(queues)

    async def _delete_queue(self, step: Step) -> str:
        queue = await self._queue(step)
        await self._ctl("delete_queue", queue)
        return queue

    async def _kill_queue(self, step: Step) -> str:
        is_stream = self._world.scale.mode == "stream"
        queue = f"{self._world.exchange}.stream" if is_stream else await self._queue(step)
        await self._ctl("eval", _KILL_QUEUE.format(queue))
        return queue

    async def _delete_stream(self, step: Step) -> str:
        await self._ctl("delete_queue", f"{self._world.exchange}.stream")
        return f"{self._world.exchange}.stream"
