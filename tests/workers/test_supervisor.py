"""`towerws.workers.supervisor`: several workers as one server."""

import inspect
import json
import os
import sys
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase

from tests.workers.fakes import ProcessReactor
from towerws.core.hub import SourceUnavailable
from towerws.core.metrics import Family, Metrics
from towerws.listening import Listener
from towerws.notify import Publisher
from towerws.workers import supervisor
from towerws.workers.messages import Kind, Message
from towerws.workers.process import HEARTBEAT
from towerws.workers.sockets import HeldPort, OpeningReactor
from towerws.workers.supervisor import REPLY_WITHIN, SCRAPE_WITHIN, Supervisor


class FakeBroker(Service):
    """A `BrokerEmitter` that confirms everything."""

    def __init__(self) -> None:
        """Take note of what is emitted."""
        self.emitted: list[tuple[str, bytes]] = []
        self.stopped = 0

    async def emit(self, group: str, payload: bytes) -> dict[str, object]:
        """See `BrokerEmitter`."""
        self.emitted.append((group, payload))
        return {"confirmed": True}

    def stopService(self) -> Deferred[None]:
        """See `BrokerEmitter`."""
        self.stopped += 1
        return succeed(None)


class SupervisorCase(SynchronousTestCase):
    """A test with a supervisor of two workers, on a real socket of this machine."""

    broker: FakeBroker | None = None

    def setUp(self) -> None:
        """Start it."""
        self.reactor = ProcessReactor()
        self.metrics = Metrics()
        opening = OpeningReactor(self.reactor, 2)
        factory = Factory()
        factory.noisy = False
        self.listeners = [
            Listener(description, serverFromString(opening, description), factory)
            for description in ("tcp:0:interface=127.0.0.1", *self.more())
        ]
        options: Any = {"path": ["/x/"]}
        broker: Any = self.broker
        self.supervisor = Supervisor(
            2, options, self.listeners, self.metrics, self.reactor, broker=broker
        )
        self.addCleanup(self.close)
        self.supervisor.privilegedStartService()
        self.supervisor.startService()
        self.workers = self.reactor.processes

    def more(self) -> list[str]:
        """Name more endpoints to listen on."""
        return []

    def close(self) -> None:
        """Close the sockets, if the test has not."""
        for listener in self.listeners:
            listener.stopService()
        self.reactor.advance(0)

    def boot(self) -> None:
        """Let both workers come up."""
        for worker in self.workers:
            worker.boot()


class StartTests(SupervisorCase):
    """What workers are started with."""

    def more(self) -> list[str]:
        """Listen on a Unix socket as well."""
        self.path = self.mktemp()
        return [f"unix:{self.path}:lockfile=0"]

    def test_launch(self) -> None:
        """Each has its own TCP socket, and the Unix socket with the others."""
        tcp, unix = (listener.port for listener in self.listeners)
        assert isinstance(tcp, HeldPort) and isinstance(unix, HeldPort)
        self.assertEqual(len(self.workers), 2)
        for number, worker in enumerate(self.workers):
            sockets = worker.options["childFDs"]
            self.assertEqual(sockets[4], tcp.sockets[number].fileno())
            self.assertEqual(sockets[5], unix.sockets[0].fileno())
            self.assertEqual(max(sockets), 5)
            executable, arguments, environment, directory = worker.args
            self.assertEqual(executable, sys.executable)
            expected = [executable, "-P", "-m", "towerws.workers.worker", str(number + 1)]
            self.assertEqual(arguments, expected)
            self.assertEqual(directory, str(Path.cwd()))
            path = environment["PYTHONPATH"].split(os.pathsep)
            self.assertEqual(path, [entry for entry in sys.path if entry])
            self.assertEqual(
                worker.boot(),
                Message(
                    Kind.START,
                    {
                        "options": {"path": ["/x/"]},
                        "listen": ["tcp:0:interface=127.0.0.1", f"unix:{self.path}:lockfile=0"],
                    },
                ),
            )

    def test_stopped_before_it_runs(self) -> None:
        """A reactor that never gets to run starts no workers."""
        reactor = ProcessReactor()
        reactor.running = False
        idle = Supervisor(2, {}, [], Metrics(), reactor, broker=None)
        idle.startService()
        self.assertEqual(idle.unready(), "worker 1: it has not been started")
        self.successResultOf(idle.stopService())
        reactor.run()
        self.assertEqual(reactor.processes, [])


class ReadyTests(SupervisorCase):
    """What operators are told."""

    def test_reasons(self) -> None:
        """The first worker that is not ready tells why."""
        self.assertEqual(self.supervisor.unready(), "worker 1: it starts")
        self.workers[0].boot()
        self.workers[1].boot("not connected to the broker yet")
        reason = "worker 2: not connected to the broker yet"
        self.assertEqual(self.supervisor.unready(), reason)
        self.assertIn("towerws_workers 1\n", self.metrics.render())
        self.reactor.advance(HEARTBEAT)
        for worker in self.workers:
            worker.reply(unready=None)
        self.assertIsNone(self.supervisor.unready())
        self.assertIn("towerws_workers 2\n", self.metrics.render())
        self.workers[0].end(1)
        self.assertEqual(self.supervisor.unready(), "worker 1: it ended with exit 1")
        self.assertIn('towerws_worker_restarts_total{cause="exit"} 1\n', self.metrics.render())


class EmitTests(SupervisorCase):
    """Events for the clients of all workers."""

    def emit(self, payload: bytes = b"{}") -> Deferred[dict[str, object]]:
        """Publish something."""
        return self.supervisor.emit("jobs-1", payload)

    def test_all(self) -> None:
        """Every worker gets it; the answer waits for all and is the sum."""
        self.boot()
        emitted = self.emit(b'{"a": 1}')
        for worker in self.workers:
            event = Message(Kind.EVENT, {"group": "jobs-1"}, b'{"a": 1}')
            self.assertEqual(worker.sent, [event])
        self.workers[1].reply(connections=3)
        self.assertNoResult(emitted)
        self.workers[0].reply(connections=4)
        self.assertEqual(self.successResultOf(emitted), {"connections": 7})

    def test_one_that_starts(self) -> None:
        """A worker without clients is not waited for."""
        self.workers[0].boot()
        emitted = self.emit()
        self.workers[0].reply(connections=4)
        self.assertEqual(self.successResultOf(emitted), {"connections": 4})
        self.assertEqual(self.workers[1].sent, [])

    def test_one_that_ends(self) -> None:
        """A worker that ends has no clients any more."""
        self.boot()
        emitted = self.emit()
        self.workers[0].end(0, 9)
        self.workers[1].reply(connections=3)
        self.assertEqual(self.successResultOf(emitted), {"connections": 3})

    def test_all_end(self) -> None:
        """Where nobody is left who has the event, it is not accepted."""
        self.boot()
        emitted = self.emit()
        for worker in self.workers[:2]:
            worker.end(0, 9)
        failure = self.failureResultOf(emitted, SourceUnavailable)
        self.assertEqual(
            str(failure.value),
            "All workers ended before they answered; some clients may have the event.",
        )

    def test_late(self) -> None:
        """A worker that hangs keeps nobody waiting for long; it has the event all the same."""
        patience = inspect.signature(Publisher).parameters["timeout"].default
        self.assertLessEqual(REPLY_WITHIN, patience / 2)
        self.boot()
        emitted = self.emit()
        self.workers[1].reply(connections=3)
        self.reactor.advance(REPLY_WITHIN - 0.1)
        self.assertNoResult(emitted)
        # Together with a heartbeat.
        self.reactor.advance(0.1)
        self.assertEqual(self.successResultOf(emitted), {"connections": 3})
        self.workers[1].reply(unready=None)
        # It has used up its time. The other one has not.
        emitted = self.emit()
        self.reactor.advance(0)
        self.assertNoResult(emitted)
        self.workers[1].reply(connections=3)
        self.assertEqual(self.successResultOf(emitted), {"connections": 3})
        self.assertEqual(self.workers[0].kinds(), [Kind.EVENT, Kind.STATUS, Kind.EVENT])
        self.assertIn("towerws_worker_replies_late_total 2\n", self.metrics.render())
        # Its answers come all the same, and belong to nothing else.
        for answer in ({"connections": 4}, {"unready": None}, {"connections": 4}):
            self.workers[0].reply(**answer)
        emitted = self.emit()
        self.workers[0].reply(connections=5)
        self.workers[1].reply(connections=3)
        self.assertEqual(self.successResultOf(emitted), {"connections": 8})

    def test_late_and_gone(self) -> None:
        """A late worker has the event, so that it is accepted though the other one has ended."""
        self.boot()
        emitted = self.emit()
        self.workers[0].end(0, 9)
        self.reactor.advance(REPLY_WITHIN)
        self.assertEqual(self.successResultOf(emitted), {"connections": 0})

    def test_none(self) -> None:
        """Where nobody is, it is refused with the reason."""
        failure = self.failureResultOf(self.emit(), SourceUnavailable)
        self.assertEqual(str(failure.value), "No worker runs: worker 1: it starts.")

    def test_backlog(self) -> None:
        """A worker that does not keep up is not buried; nobody gets what not all can get."""
        self.patch(supervisor, "MAX_BACKLOG", 1000)
        self.boot()
        half = b"x" * 400
        emitted = [self.emit(half), self.emit(half)]
        self.workers[0].reply(connections=0)
        self.workers[0].reply(connections=0)
        failure = self.failureResultOf(self.emit(half), SourceUnavailable)
        self.assertEqual(str(failure.value), "Worker 2 does not keep up.")
        self.assertEqual([len(worker.sent) for worker in self.workers], [2, 2])
        self.workers[1].reply(connections=0)
        emitted.append(self.emit(half))
        self.assertEqual([len(worker.sent) for worker in self.workers], [3, 3])

    def test_large(self) -> None:
        """One event of any size goes to workers that wait for it."""
        self.patch(supervisor, "MAX_BACKLOG", 1000)
        self.boot()
        self.emit(b"x" * 1001)
        self.assertEqual([len(worker.sent) for worker in self.workers], [1, 1])


class MetricsTests(SupervisorCase):
    """One page for all."""

    def scrape(self) -> Deferred[str]:
        """Ask for the page."""
        return Deferred.fromCoroutine(self.supervisor.render())

    def told(self, number: int, value: int) -> None:
        """Let a worker tell its metrics."""
        family = Family("events_total", "counter", "Events.", [({"kind": "x"}, value)])
        self.workers[number - 1].reply(json.dumps([family.as_json()]).encode())

    def test_labels(self) -> None:
        """Each series of a worker has its number; ours have none."""
        self.boot()
        page = self.scrape()
        self.assertEqual([worker.kinds() for worker in self.workers], [[Kind.METRICS]] * 2)
        self.told(1, 5)
        self.assertNoResult(page)
        self.told(2, 6)
        text = self.successResultOf(page)
        self.assertIn("\ntowerws_workers 2\n", text)
        self.assertTrue(
            text.endswith(
                "# HELP events_total Events.\n"
                "# TYPE events_total counter\n"
                'events_total{worker="1",kind="x"} 5\n'
                'events_total{worker="2",kind="x"} 6\n'
            ),
            text,
        )

    def test_late(self) -> None:
        """A worker that does not answer in time is left out, and counted."""
        self.boot()
        page = self.scrape()
        self.told(2, 6)
        self.reactor.advance(SCRAPE_WITHIN)
        text = self.successResultOf(page)
        self.assertNotIn('worker="1"', text)
        self.assertIn('worker="2"', text)
        self.assertIn("towerws_worker_scrapes_missed_total 1\n", self.metrics.render())
        # Its answer comes all the same, and belongs to nothing else.
        self.told(1, 5)
        self.workers[0].sent.clear()
        self.workers[0].reply(unready="it sleeps")
        self.assertEqual(self.supervisor.unready(), "worker 1: it sleeps")

    def test_gone(self) -> None:
        """One that ends meanwhile, or starts, has none."""
        self.workers[0].boot()
        page = self.scrape()
        self.workers[0].end(1)
        self.assertNotIn("events_total", self.successResultOf(page))


class StopTests(SupervisorCase):
    """The end."""

    def setUp(self) -> None:
        """Have a broker as well, and a site."""
        self.broker = FakeBroker()
        super().setUp()
        self.boot()

    def test_order(self) -> None:
        """Sockets are closed, workers end, and then the connection to the broker."""
        closed: Deferred[None] = Deferred()

        class Site(Listener):
            """A listener whose end the test decides on."""

            def __init__(self) -> None:
                """Listen nowhere."""

            def startService(self) -> None:
                """Nothing."""

            privilegedStartService = startService

            def stopService(self) -> Deferred[None]:
                """See `Listener`."""
                return closed

        self.supervisor.add_site(Site())
        stopped = self.supervisor.stopService()
        self.reactor.advance(0)
        self.assertEqual([listener.port for listener in self.listeners], [None])
        self.assertFalse(self.workers[0].finished)
        closed.callback(None)
        self.assertTrue(all(worker.finished for worker in self.workers))
        self.workers[0].end()
        assert self.broker is not None
        self.assertEqual(self.broker.stopped, 0)
        self.workers[1].end()
        self.assertEqual(self.broker.stopped, 1)
        self.successResultOf(stopped)
        self.assertEqual(len(self.workers), 2)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_emit(self) -> None:
        """With a broker it gets the event, once, and the workers nothing."""
        emitted = self.supervisor.emit("jobs-1", b"{}")
        self.assertEqual(self.successResultOf(emitted), {"confirmed": True})
        assert self.broker is not None
        self.assertEqual(self.broker.emitted, [("jobs-1", b"{}")])
        self.assertEqual([worker.sent for worker in self.workers], [[], []])
