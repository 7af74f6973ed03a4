"""A worker: the server as it is without a supervisor, on sockets that it was given.

Run by the supervisor as ``python -m towerws.workers.worker NUMBER``, the number for whoever lists
the processes. What it is to do comes as the first message.
"""

import json
import signal
import sys
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.strcred import makeChecker
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol, ITransport
from twisted.internet.protocol import Protocol
from twisted.internet.stdio import StandardIO
from twisted.logger import FileLogObserver, Logger, globalLogBeginner
from zope.interface import implementer

from towerws.core.broker_url import BrokerURL
from towerws.core.metrics import Metrics
from towerws.core.revocation import Revocation
from towerws.network.listening import StartError
from towerws.server import Server
from towerws.tap import make_server
from towerws.workers.levels import marked_text
from towerws.workers.messages import MAX_BODY, Decoder, Kind, Message, MessageError, encode
from towerws.workers.process import FIRST_SOCKET, MESSAGES_IN, MESSAGES_OUT
from towerws.workers.sockets import AcceptingReactor, accepting_description

#: Seconds for the supervisor to have us drain, when we get SIGTERM. systemd, for one, sends it to
#: all processes of a service at the same time.
TOLD_WITHIN = 1.0


@implementer(IHalfCloseableProtocol)
class Worker(Protocol):
    """Does what the supervisor says, and ends when there is none any more.

    Attributes:
        status: The exit status that the process is to have.
    """

    _log = Logger()
    transport: ITransport

    def __init__(self, reactor: Any) -> None:
        """Wait for the first message.

        Args:
            reactor: Runs the server.
        """
        self.status = 0
        self._reactor = reactor
        self._ending = False
        self._draining = False
        self._decoder = Decoder()
        self._metrics = Metrics()
        self._server: Server | None = None

    def connectionMade(self) -> None:
        """Say that we are there."""
        self._reply({})

    def dataReceived(self, data: bytes) -> None:
        """Do what the messages say, and answer each."""
        if self.status:
            # It ends; what comes behind a failure would only fail as well.
            return
        try:
            for message in self._decoder.feed(data):
                self._obey(message)
        except StartError as error:
            # A SystemExit as well, which the reactor would not heed. It comes back every few
            # seconds while a file is broken, so the sentence is to be enough.
            self._log.error("the worker cannot start: {error}", error=error)
            self._fail()
        except Exception:  # noqa: BLE001  # whatever it is, this worker is of no use
            self._log.failure("the worker ends")
            self._fail()

    def readConnectionLost(self) -> None:
        """End: the supervisor wants that, or is gone."""
        self.end()

    def writeConnectionLost(self) -> None:
        """End: the supervisor is gone."""
        self.end()

    def terminated(self) -> None:
        """Take note of SIGTERM: if it was for us alone we end, and another worker starts.

        If it was for all, the supervisor says what to do, and ends us if it is in a hurry.
        """
        self._reactor.callLater(TOLD_WITHIN, self._end_alone)

    def end(self) -> None:
        """Let the process end. Idempotent: both pipes may tell us."""
        if not self._ending:
            self._ending = True
            self._reactor.stop()

    def stop(self) -> Deferred[None] | None:
        """Close all connections; to be called before the reactor stops.

        Returns:
            Fires when they are closed, within a bounded time.
        """
        return None if self._server is None else self._server.stopService()

    def _end_alone(self) -> None:
        if not self._draining:
            self.end()

    def _fail(self) -> None:
        self.status = 1
        self.end()

    def _obey(self, message: Message) -> None:
        if message.kind is Kind.START:
            self._start(message.fields["options"], message.fields["listen"])
            self._tell_status()
            return
        if self._server is None:
            raise MessageError(f"{message.kind} comes before the start")
        if message.kind is Kind.EVENT:
            emitted = self._server.source.emit(message.fields["group"], message.body)
            emitted.addCallback(self._reply)
        elif message.kind is Kind.REVOKE:
            revoked = self._server.source.revoke(Revocation.decode(message.body))
            revoked.addCallback(self._reply)
        elif message.kind is Kind.RELOAD:
            self._server.reloader.reload_all()
            self._reply({})
        elif message.kind is Kind.DRAIN:
            self._reply({})
            self._draining = True
            self._server.drain().addCallback(lambda _: self.end())
        elif message.kind is Kind.METRICS:
            families = [family.as_json() for family in self._metrics.collect()]
            self._reply({}, json.dumps(families).encode())
        else:
            self._tell_status()

    def _start(self, options: dict[str, Any], listen: list[str]) -> None:
        if options["broker"] is not None:
            options["broker"] = BrokerURL.parse(options["broker"])
        self._decoder.max_body = max(options["max-event"], MAX_BODY)
        server = make_server(
            options,
            [_make_checker(description) for description in options["auth"]],
            self._metrics,
            self._reactor,
            [
                (AcceptingReactor(self._reactor, descriptor), accepting_description(endpoint))
                for descriptor, endpoint in enumerate(listen, FIRST_SOCKET)
            ],
            # With a broker, what is emitted goes from the supervisor to the broker.
            emits=False,
        )
        server.startService()
        self._server = server

    def _tell_status(self) -> None:
        assert self._server is not None, "it has been started"
        self._reply({"unready": self._server.source.unready()})

    def _reply(self, fields: dict[str, Any], body: bytes = b"") -> None:
        self.transport.write(encode(Message(Kind.REPLY, fields, body)))


def _make_checker(description: str) -> ICredentialsChecker:
    """Make what ``--auth`` names, once more: its files may have become useless since the start.

    Raises:
        StartError: It cannot be made.
    """
    try:
        checker: ICredentialsChecker = makeChecker(description)
    except Exception as error:  # noqa: BLE001  # schemes are plugins
        raise StartError(f"--auth {description.partition(':')[0]}: {error}") from None
    return checker


def main() -> int:
    """Work until the supervisor says otherwise, or SIGTERM comes.

    Returns:
        The exit status.
    """
    # A terminal sends these to the supervisor as well, which ends us in order; so does whoever asks
    # all processes to read their files anew, and it tells us.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    observer = FileLogObserver(sys.stdout, marked_text)
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)
    from twisted.internet import reactor as running

    # What it is depends on the system, and what that can is more than its type says.
    reactor: Any = running
    worker = Worker(reactor)
    StandardIO(worker, MESSAGES_IN, MESSAGES_OUT, reactor)  # type: ignore[call-arg]  # not Windows'
    reactor.addSystemEventTrigger("before", "shutdown", worker.stop)
    signal.signal(signal.SIGTERM, lambda *_: reactor.callFromThread(worker.terminated))
    reactor.run(installSignalHandlers=False)
    return worker.status


if __name__ == "__main__":
    sys.exit(main())
