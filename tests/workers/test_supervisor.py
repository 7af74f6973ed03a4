"""`towerws.workers.supervisor`: several workers as one server."""

import json
import os
import sys
from pathlib import Path

from twisted.internet.defer import Deferred

from tests.workers.fakes import ProcessReactor
from tests.workers.supervisor_case import FakeBroker, SupervisorCase
from towerws.core.metrics import Family, Metrics
from towerws.core.revocation import Revocation
from towerws.network.listening import Listener
from towerws.reloading import Reloader
from towerws.workers.messages import Kind, Message
from towerws.workers.process import HEARTBEAT
from towerws.workers.sockets import HeldPort
from towerws.workers.supervisor import SCRAPE_WITHIN, Supervisor


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
        metrics = Metrics()
        reloader = Reloader(reactor, (), metrics)
        idle = Supervisor(2, {}, [], metrics, reactor, broker=None, reloader=reloader, drain=1)
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


class ReloadTests(SupervisorCase):
    """Files that workers have read."""

    def test_passed_on(self) -> None:
        """All workers that are there are told to read them anew."""
        self.workers[0].boot()
        self.supervisor.reloader.reload_all()
        self.assertEqual(self.workers[0].kinds(), [Kind.RELOAD])
        self.assertEqual(self.workers[1].kinds(), [])
        # It ends before it has answered.
        self.workers[0].end(1)
        self.supervisor.reloader.reload_all()


class StopTests(SupervisorCase):
    """The end."""

    def setUp(self) -> None:
        """Have a broker as well, and a site."""
        self.broker = FakeBroker()
        super().setUp()
        self.boot()

    def test_order(self) -> None:
        """Sockets are closed, workers end, then the connection to the broker, then the site."""
        closed: Deferred[None] = Deferred()
        stopped_sites: list[Listener] = []

        class Site(Listener):
            """A listener whose end the test decides on."""

            def __init__(self) -> None:
                """Listen nowhere."""

            def startService(self) -> None:
                """Nothing."""

            privilegedStartService = startService

            def stopService(self) -> Deferred[None]:
                """See `Listener`."""
                stopped_sites.append(self)
                return closed

        self.supervisor.add_site(Site())
        stopped = self.supervisor.stopService()
        self.reactor.advance(0)
        self.assertEqual([listener.port for listener in self.listeners], [None])
        self.assertTrue(all(worker.finished for worker in self.workers))
        self.assertEqual(self.supervisor.unready(), "draining")
        self.workers[0].end()
        assert self.broker is not None
        self.assertEqual(self.broker.stopped, 0)
        self.assertTrue(self.supervisor.reloader.running)
        self.assertEqual(stopped_sites, [])
        self.workers[1].end()
        self.assertEqual(self.broker.stopped, 1)
        self.assertFalse(self.supervisor.reloader.running)
        self.assertEqual(len(stopped_sites), 1)
        self.assertNoResult(stopped)
        closed.callback(None)
        self.successResultOf(stopped)
        self.assertEqual(len(self.workers), 2)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_drain(self) -> None:
        """Nobody accepts clients any more, and each worker is told; what is emitted goes on."""
        drained = self.supervisor.drain()
        self.reactor.advance(0)
        self.assertEqual([listener.port for listener in self.listeners], [None])
        self.assertEqual(self.supervisor.unready(), "draining")
        self.assertEqual([worker.kinds() for worker in self.workers], [[Kind.DRAIN]] * 2)
        self.assertFalse(any(worker.finished for worker in self.workers))
        for send in (
            lambda: self.supervisor.emit("jobs-1", b"{}"),
            lambda: self.supervisor.revoke(Revocation("7", None)),
        ):
            self.assertEqual(self.successResultOf(send()), {"confirmed": True})
        self.workers[0].end()
        self.assertNoResult(drained)
        self.workers[1].end()
        self.successResultOf(drained)
        self.assertIn(
            "No worker hears",
            str(self.failureResultOf(self.supervisor.revoke(Revocation("7", None))).value),
        )
        assert self.broker is not None
        self.assertEqual(self.broker.stopped, 0)
        self.successResultOf(self.supervisor.stopService())
        self.assertEqual(self.broker.stopped, 1)
        self.assertEqual(len(self.workers), 2)

    def test_in_a_hurry(self) -> None:
        """Stopped while it drains, the workers are to end at once."""
        drained = self.supervisor.drain()
        stopped = self.supervisor.stopService()
        self.assertTrue(all(worker.finished for worker in self.workers))
        for worker in self.workers:
            worker.end()
        self.successResultOf(drained)
        self.successResultOf(stopped)

    def test_emit(self) -> None:
        """With a broker it gets the event, once, and the workers nothing."""
        emitted = self.supervisor.emit("jobs-1", b"{}")
        self.assertEqual(self.successResultOf(emitted), {"confirmed": True})
        assert self.broker is not None
        self.assertEqual(self.broker.emitted, [("jobs-1", b"{}")])
        self.assertEqual([worker.sent for worker in self.workers], [[], []])
