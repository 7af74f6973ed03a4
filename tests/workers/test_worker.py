"""`towerws.workers.worker`: the worker's end of the conversation."""

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from txaio import tx

from tests.fakes import FakeConnection
from towerws.amqp_bridge import AMQPBridge
from towerws.core.metrics import Family
from towerws.core.revocation import Revocation
from towerws.options import Options
from towerws.workers import worker as worker_module
from towerws.workers.messages import MAX_BODY, Decoder, Kind, Message, encode
from towerws.workers.worker import TOLD_WITHIN, Worker


class StoppableReactor(MemoryReactorClock):
    """A reactor that counts how often it is stopped.

    Attributes:
        stops: That.
    """

    stops = 0

    def stop(self) -> None:
        """Take note."""
        self.stops += 1


class WorkerCase(SynchronousTestCase):
    """A test with a worker in memory."""

    def setUp(self) -> None:
        """Connect it to a supervisor."""
        self.reactor = StoppableReactor()
        self.patch(tx.config, "loop", self.reactor)
        self.worker = Worker(self.reactor)
        self.transport = StringTransport()
        self.worker.makeConnection(self.transport)
        self._decoder = Decoder()

    def replies(self) -> list[Message]:
        """Take what it has answered."""
        data = self.transport.value()
        self.transport.clear()
        return list(self._decoder.feed(data))

    def say(self, kind: Kind, body: bytes = b"", **fields: Any) -> None:
        """Say something to it."""
        self.worker.dataReceived(encode(Message(kind, fields, body)))

    def start(
        self,
        *arguments: str,
        listen: tuple[str, ...] = (),
        behind: bytes = b"",
        **environment: str,
    ) -> None:
        """Let it serve; more may come with the same read."""
        options = Options(environment)
        options.parseOptions(list(arguments))
        # As it arrives, through the pipe.
        fields = {"options": options.for_workers(), "listen": listen}
        self.worker.dataReceived(encode(Message(Kind.START, fields)) + behind)

    @property
    def server(self) -> Any:
        """What it serves with."""
        return self.worker._server

    def subscribe(self, group: str) -> FakeConnection:
        """Let a client subscribe."""
        connection = FakeConnection()
        self.server.clients.hub.subscribe(connection, [group], lambda _: None)
        return connection


class ConversationTests(WorkerCase):
    """It speaks first, and answers each message with one reply."""

    def test_order(self) -> None:
        """There, serving, as it is."""
        self.assertEqual(self.replies(), [Message(Kind.REPLY)])
        self.start()
        self.say(Kind.STATUS)
        self.assertEqual(self.replies(), [Message(Kind.REPLY, {"unready": None})] * 2)
        self.assertTrue(self.server.running)

    def test_events(self) -> None:
        """Events reach its clients, in order, as they came."""
        self.start()
        connection = self.subscribe("jobs-1")
        self.replies()
        for group, payload in (("jobs-1", b'{"n":1}'), ("jobs-2", b"{}"), ("jobs-1", b'{"n":2}')):
            self.say(Kind.EVENT, payload, group=group)
        reached = [reply.fields["connections"] for reply in self.replies()]
        self.assertEqual(reached, [1, 0, 1])
        self.assertEqual(connection.messages, [b'{"n":1}', b'{"n":2}'])

    def test_revocations(self) -> None:
        """Its clients are concerned, and nobody is."""
        self.start()
        self.replies()
        self.say(Kind.REVOKE, Revocation("7", "jobs-*").encode())
        self.assertEqual(self.replies(), [Message(Kind.REPLY, {"connections": 0})])

    def test_large_events(self) -> None:
        """Events of the size that the options allow are taken, even in one read with the start."""
        event = Message(Kind.EVENT, {"group": "jobs-1"}, b"x" * (MAX_BODY + 1))
        self.replies()
        self.start(f"--max-event={MAX_BODY + 1}", behind=encode(event))
        self.worker.dataReceived(encode(event))
        taken = Message(Kind.REPLY, {"connections": 0})
        self.assertEqual(self.replies(), [Message(Kind.REPLY, {"unready": None}), taken, taken])

    def test_metrics(self) -> None:
        """All that it counts."""
        self.start()
        self.subscribe("jobs-1")
        self.replies()
        self.say(Kind.METRICS)
        (reply,) = self.replies()
        families = {family.name: family for family in map(Family.from_json, json.loads(reply.body))}
        self.assertEqual(families["towerws_groups"].samples, [({}, 1)])

    def test_reload(self) -> None:
        """All files are read anew, and that is answered."""
        self.start()
        self.replies()
        with capturedLogs() as logs:
            self.say(Kind.RELOAD)
        self.assertEqual(self.replies(), [Message(Kind.REPLY)])
        self.assertEqual(formatEvent(logs[0]), "all files are read anew")

    def test_broker(self) -> None:
        """With a broker its own bridge is what tells how it is."""
        self.replies()
        self.start(TOWERWS_BROKER="amqp://user:s3cret@broker.example/")
        self.assertIsInstance(self.server.source, AMQPBridge)
        reason = "not connected to the broker yet"
        self.assertEqual(self.replies(), [Message(Kind.REPLY, {"unready": reason})])

    def test_broker_metrics(self) -> None:
        """Of publishing it shows nothing: the supervisor does that."""
        self.start(TOWERWS_BROKER="amqp://user:s3cret@broker.example/")
        self.replies()
        self.say(Kind.METRICS)
        (reply,) = self.replies()
        names = {family.name for family in map(Family.from_json, json.loads(reply.body))}
        self.assertIn("towerws_broker_connected", names)
        self.assertNotIn("towerws_broker_blocked", names)

    def test_listens(self) -> None:
        """The descriptors are behind the pipes, in the order of the strings."""
        self.patch(worker_module, "FIRST_SOCKET", 100)
        with socket.create_server(("127.0.0.1", 0)) as listening:
            os.dup2(listening.fileno(), 100)
        adopted: list[tuple[int, Any]] = []
        adopt = self.reactor.adoptStreamPort

        def take_note(descriptor: int, family: int, factory: Any) -> Any:
            adopted.append((descriptor, factory))
            return adopt(descriptor, family, factory)

        self.patch(self.reactor, "adoptStreamPort", take_note)
        self.start(listen=("systemd:domain=INET:index=0",))
        self.assertEqual(adopted, [(100, self.server.clients)])


class EndTests(WorkerCase):
    """When it ends."""

    def test_supervisor_gone(self) -> None:
        """Both ends of the conversation count, and once is enough."""
        self.start()
        self.worker.readConnectionLost()
        self.worker.writeConnectionLost()
        self.assertEqual(self.reactor.stops, 1)
        self.assertEqual(self.worker.status, 0)
        server = self.server
        stopped: Any = self.worker.stop()
        self.successResultOf(stopped)
        self.assertFalse(server.running)

    def test_drain(self) -> None:
        """Told to drain it answers at once, and ends when its clients have gone."""
        self.start()
        self.replies()
        drained: Deferred[None] = Deferred()
        self.patch(self.server, "drain", lambda: drained)
        self.say(Kind.DRAIN)
        self.assertEqual(self.replies(), [Message(Kind.REPLY)])
        self.say(Kind.STATUS)
        self.assertEqual(self.replies(), [Message(Kind.REPLY, {"unready": None})])
        self.assertEqual(self.reactor.stops, 0)
        drained.callback(None)
        self.assertEqual((self.reactor.stops, self.worker.status), (1, 0))

    def test_hurried(self) -> None:
        """While it drains, the end of the conversation ends it at once."""
        self.start()
        self.patch(self.server, "drain", Deferred)
        self.say(Kind.DRAIN)
        self.worker.readConnectionLost()
        self.assertEqual(self.reactor.stops, 1)

    def test_terminated(self) -> None:
        """SIGTERM ends it, unless the supervisor has it drain, before or soon after."""
        self.start()
        self.worker.terminated()
        self.reactor.advance(TOLD_WITHIN - 0.1)
        self.assertEqual(self.reactor.stops, 0)
        self.reactor.advance(0.1)
        self.assertEqual(self.reactor.stops, 1)
        for told_first in (True, False):
            self.setUp()
            self.start()
            self.patch(self.server, "drain", Deferred)
            steps: list[Callable[[], None]] = [
                lambda: self.say(Kind.DRAIN),
                self.worker.terminated,
            ]
            for step in steps if told_first else reversed(steps):
                step()
            self.reactor.advance(TOLD_WITHIN)
            self.assertEqual(self.reactor.stops, 0)

    def test_before_the_start(self) -> None:
        """Nothing is to be closed then."""
        self.worker.readConnectionLost()
        self.assertIsNone(self.worker.stop())

    def test_cannot_start(self) -> None:
        """What it cannot do is one line of the log, and ends it with a status of its own."""
        self.replies()
        with capturedLogs() as logs:
            self.start(listen=("tcp:x",))
            self.say(Kind.STATUS)
        (line,) = map(formatEvent, logs)
        self.assertTrue(line.startswith("the worker cannot start: towerws: 'tcp:x' is not"), line)
        self.assertNotIn("log_failure", logs[0])
        self.assertEqual(self.replies(), [])
        self.assertEqual((self.reactor.stops, self.worker.status), (1, 1))

    def test_no_scheme(self) -> None:
        """So is a scheme whose file has become useless since the supervisor has read it."""
        path = Path(self.mktemp()).absolute()
        path.write_text("0123456789abcdef" * 2)
        options = Options({})
        options.parseOptions(["--auth", f"jwt:key={path}"])
        path.write_text("short")
        start = Message(Kind.START, {"options": options.for_workers(), "listen": []})
        with capturedLogs() as logs:
            self.worker.dataReceived(encode(start))
        (line,) = map(formatEvent, logs)
        expected = f"the worker cannot start: towerws: --auth jwt: the key file {path} is of no use"
        self.assertTrue(line.startswith(expected), line)
        self.assertNotIn("short", line)
        self.assertEqual((self.reactor.stops, self.worker.status), (1, 1))

    def test_nonsense(self) -> None:
        """So does a supervisor that says what is not to be understood."""
        for kind in (Kind.STATUS, Kind.EVENT, Kind.REVOKE, Kind.METRICS, Kind.DRAIN):
            self.setUp()
            self.say(kind)
            self.assertEqual(len(self.flushLoggedErrors(Exception)), 1)
            self.assertEqual((self.reactor.stops, self.worker.status), (1, 1))
