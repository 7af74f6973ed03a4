"""Opens the sockets, keeps the workers running, and stands for all of them to operators."""

import json
import os
import sys
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any, cast

from twisted.application.service import MultiService
from twisted.internet import defer
from twisted.internet.defer import Deferred, DeferredList, fail, gatherResults

from towerws.broker_emitter import BrokerEmitter
from towerws.core.hub import SourceUnavailable
from towerws.core.metrics import Counter, Family, Metrics, render
from towerws.core.revocation import Revocation
from towerws.network.listening import Listener
from towerws.reloading import Reloader
from towerws.workers.keeper import CAUSES, Keeper
from towerws.workers.messages import Kind, Message, encode
from towerws.workers.process import Launch, WorkerEnded, WorkerProcess
from towerws.workers.sockets import HeldPort

#: Bytes that one worker may have before it, sent and not yet answered. Above that emits are
#: refused; a single event, however large, is not.
MAX_BACKLOG = 1 << 26

#: Seconds that a worker may be silent before an emit no longer waits for its answer; it has the
#: event in its pipe by then. Half of what `towerws.notify` waits for ours.
REPLY_WITHIN = 1.0

#: Seconds for a worker to tell its metrics. Prometheus waits 10 by default.
SCRAPE_WITHIN = 2.0


class Supervisor(MultiService):
    """Several workers as one server.

    Attributes:
        keepers: One for each worker, once the service has started.
        reloader: Has files read anew.
        files: None, for `Reloadable`: each worker looks at its own.
    """

    files: Sequence[str] = ()

    def __init__(
        self,
        workers: int,
        options: dict[str, Any],
        listeners: Sequence[Listener],
        metrics: Metrics,
        reactor: Any,
        *,
        broker: BrokerEmitter | None,
        reloader: Reloader,
        drain: float,
    ) -> None:
        """Put the parts together.

        Args:
            workers: How many.
            options: Of the command line, for the workers; nothing but JSON.
            listeners: Of the websocket; each opens a `HeldPort`.
            metrics: Where things are counted.
            reactor: Starts processes and measures the time.
            broker: Where emits go; None to send them to the workers.
            reloader: Has files of this process read anew, and at SIGHUP those of the workers.
            drain: Seconds over which each worker sends its clients away at the end.
        """
        super().__init__()
        self.keepers: list[Keeper] = []
        self._workers = workers
        self._options = options
        self._listeners = listeners
        self._sites: list[Listener] = []
        self._broker = broker
        self._drain_spread = drain
        self._draining = False
        self._metrics = metrics
        self._reactor = reactor
        # Later twistd may change the directory, and relative paths of the options mean this one.
        self._directory = str(Path.cwd())
        self.reloader = reloader
        reloader.add(self)
        for service in (*listeners, broker, reloader):
            if service is not None:
                service.setServiceParent(self)
        metrics.gauge("towerws_workers", "Workers that are ready.", self._count_ready)
        self._missed = metrics.counter(
            "towerws_worker_scrapes_missed_total", "Metrics that a worker did not tell in time."
        )
        self._late = metrics.counter(
            "towerws_worker_replies_late_total",
            "Events and revocations that a worker was sent and did not answer in time.",
        )
        self._restarts = _restart_counters(metrics)

    def add_site(self, listener: Listener) -> None:
        """Listen for operators.

        Args:
            listener: The listener of their site.
        """
        self._sites.append(listener)
        listener.setServiceParent(self)

    def startService(self) -> None:
        """Start the workers; the sockets are open already."""
        super().startService()
        self.keepers = [
            Keeper(number, self._launch(number), self._reactor, self._restarts)
            for number in range(1, self._workers + 1)
        ]
        # Until it runs, the reactor does not see the end of a process.
        self._reactor.callWhenRunning(self._keep)

    def drain(self) -> Deferred[None]:
        """Take no new clients, and have each worker let its own go and end.

        `stopService` is to follow; if it comes before this has ended, it ends it.

        Returns:
            Fires when all have ended, within a bounded time.
        """
        # First our descriptors, lest clients wait at sockets from which nobody accepts.
        self._refuse_clients()
        ended = DeferredList([keeper.drain(self._drain_spread) for keeper in self.keepers])
        return ended.addCallback(lambda _: None)

    def stopService(self) -> Deferred[None]:
        """Stop in order: no new clients, then the workers, then the broker, then the site.

        Returns:
            Fires when all is done, within a bounded time.
        """
        self.running = 0
        return Deferred.fromCoroutine(self._stop())

    def unready(self) -> str | None:
        """Give the reason of the first worker that is not ready, None if all are."""
        if self._draining:
            return "draining"
        for keeper in self.keepers:
            reason = keeper.unready()
            if reason is not None:
                return f"worker {keeper.number}: {reason}"
        return None

    def emit(self, group: str, payload: bytes) -> Deferred[dict[str, object]]:
        """Publish an event to the clients of all workers; see `operations.publishing.Emitter`.

        Args:
            group: The group's name.
            payload: A JSON object in UTF-8.

        Returns:
            Fires with what became of it, as without workers; fails with `SourceUnavailable`.
        """
        if self._broker is not None:
            return Deferred.fromCoroutine(self._broker.emit(group, payload))
        message = Message(Kind.EVENT, {"group": group}, payload)
        return Deferred.fromCoroutine(self._broadcast(message))

    def revoke(self, revocation: Revocation) -> Deferred[dict[str, object]]:
        """Take access away, in all workers; see `operations.publishing.Emitter`.

        Args:
            revocation: Who may hear less.

        Returns:
            Fires with what became of it, as without workers; fails with `SourceUnavailable`.
        """
        if self._broker is not None:
            reason = self.unready()
            if reason is not None and not self._count_ready():
                # The broker would confirm what nobody here hears.
                return fail(SourceUnavailable(f"No worker hears the broker: {reason}."))
            return Deferred.fromCoroutine(self._broker.revoke(revocation))
        message = Message(Kind.REVOKE, body=revocation.encode())
        return Deferred.fromCoroutine(self._broadcast(message))

    def reload(self) -> None:
        """Let the workers read their files anew; see `towerws.reloading.Reloadable`."""
        for keeper in self.keepers:
            # One that is not there yet reads them when it starts.
            if keeper.process is not None and keeper.process.takes_events:
                asked = keeper.process.request(Message(Kind.RELOAD))
                asked.addErrback(lambda failure: failure.trap(WorkerEnded))

    async def render(self) -> str:
        """Write the metrics of all workers, and our own, as Prometheus text.

        Returns:
            The page; each series of a worker has its number as a label.
        """
        processes = [keeper.process for keeper in self.keepers]
        told = await gatherResults(
            Deferred.fromCoroutine(self._scrape(process)) for process in processes if process
        )
        return render(chain(self._metrics.collect(), *told))

    def _keep(self) -> None:
        if self.running:
            for keeper in self.keepers:
                keeper.start()

    def _refuse_clients(self) -> Deferred[Any]:
        self._draining = True
        return DeferredList([listener.stopService() for listener in self._listeners])

    async def _stop(self) -> None:
        await self._refuse_clients()
        await DeferredList([keeper.stop() for keeper in self.keepers])
        if self._broker is not None:
            await self._broker.stopService()
        self.reloader.stopService()
        await DeferredList([site.stopService() for site in self._sites])

    async def _broadcast(self, message: Message) -> dict[str, object]:
        present = [keeper.process for keeper in self.keepers]
        processes = [process for process in present if process and process.takes_events]
        if not processes:
            raise SourceUnavailable(f"No worker runs: {self.unready()}.")
        data = encode(message)
        for process in processes:
            # To none if not to all: who publishes may try again.
            if process.backlog and process.backlog + len(data) > MAX_BACKLOG:
                raise SourceUnavailable(f"Worker {process.number} does not keep up.")
        answers = await gatherResults(
            Deferred.fromCoroutine(self._deliver(process, data)) for process in processes
        )
        # A worker that ended meanwhile has no connections any more.
        reached = [count for count in answers if count is not None]
        if not reached:
            raise SourceUnavailable(
                "All workers ended before they answered; it may have reached some clients."
            )
        return {"connections": sum(reached)}

    async def _deliver(self, process: WorkerProcess, data: bytes) -> int | None:
        """Send one message; tell how many connections it is known to reach, None if none are."""
        # A worker that hangs costs its publishers this time once, and not for each event.
        patience = max(0.0, REPLY_WITHIN - process.silence())
        try:
            reply = await process.request_encoded(data).addTimeout(patience, self._reactor)
        except WorkerEnded:
            return None
        except defer.TimeoutError:
            self._late.add()
            return 0
        return int(reply.fields["connections"])

    async def _scrape(self, process: WorkerProcess) -> list[Family]:
        if not process.takes_events:
            return []
        asked = process.request(Message(Kind.METRICS))
        try:
            reply = await asked.addTimeout(SCRAPE_WITHIN, self._reactor)
        except (WorkerEnded, defer.TimeoutError):
            self._missed.add()
            return []
        return [
            Family.from_json(family).labelled(worker=str(process.number))
            for family in json.loads(reply.body)
        ]

    def _launch(self, number: int) -> Launch:
        ports = [cast(HeldPort, listener.port).sockets for listener in self._listeners]
        sockets = [each[(number - 1) % len(each)].fileno() for each in ports]
        listen = [listener.description for listener in self._listeners]
        # The modules that a worker finds are to be those that we have, wherever they came from, and
        # none that somebody has put into the directory.
        path = os.pathsep.join(filter(None, sys.path))
        return Launch(
            [sys.executable, "-P", "-m", "towerws.workers.worker", str(number)],
            {**os.environ, "PYTHONPATH": path},
            self._directory,
            sockets,
            Message(Kind.START, {"options": self._options, "listen": listen}),
        )

    def _count_ready(self) -> int:
        return sum(keeper.unready() is None for keeper in self.keepers)


def _restart_counters(metrics: Metrics) -> dict[str, Counter]:
    return {
        cause: metrics.counter(
            "towerws_worker_restarts_total", "Workers that ended unasked, by cause.", cause=cause
        )
        for cause in CAUSES
    }
