"""The operators' site in memory, spoken to with raw HTTP."""

import json
import re
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.trial.unittest import SynchronousTestCase

from tests.metrics import read_sample
from towerws.core.metrics import Metrics
from towerws.core.revocation import Revocation
from towerws.operations.site import OperationsSite

#: The text format of Prometheus, version 0.0.4: what a line may be.
_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
_VALUE = r"(?:[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|Inf)|NaN)"
EXPOSITION = re.compile(
    rf"(?:# HELP {_NAME} [^\n]+\n# TYPE ({_NAME}) (?:counter|gauge)\n"
    rf"(?:\1(?:\{{{_LABEL}(?:,{_LABEL})*\}})? {_VALUE}\n)+)+"
)


class FakeEmitter:
    """A `towerws.operations.publishing.Emitter` that a test tells what to answer.

    Attributes:
        answer: What the next emits get.
        emitted: What was published.
        revoked: What was revoked.
        reason: Why it is not ready.
    """

    def __init__(self) -> None:
        """Take everything."""
        self.answer: Deferred[dict[str, object]] | None = None
        self.emitted: list[tuple[str, bytes]] = []
        self.revoked: list[Revocation] = []
        self.reason: str | None = None

    def emit(self, group: str, payload: bytes) -> Deferred[dict[str, object]]:
        """See `towerws.operations.publishing.Emitter`."""
        self.emitted.append((group, payload))
        return succeed({"confirmed": True}) if self.answer is None else self.answer

    def revoke(self, revocation: Revocation) -> Deferred[dict[str, object]]:
        """See `towerws.operations.publishing.Emitter`."""
        self.revoked.append(revocation)
        return succeed({"connections": 3}) if self.answer is None else self.answer

    def unready(self) -> str | None:
        """See `towerws.operations.publishing.Emitter`."""
        return self.reason


class Response:
    """One answer, taken apart.

    Attributes:
        status: The status code.
        headers: By their names in lower case.
        body: What came behind them.
    """

    def __init__(self, data: bytes) -> None:
        """Take a whole response apart."""
        head, _, self.body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("ascii").split("\r\n")
        self.status = int(first.split()[1])
        self.headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in lines)
        }

    @property
    def json(self) -> Any:
        """The body, decoded; its framing is checked."""
        assert self.headers["content-type"] == "application/json"
        assert int(self.headers["content-length"]) == len(self.body)
        assert self.body.endswith(b"}\n")
        return json.loads(self.body)


class SiteCase(SynchronousTestCase):
    """A test with a site in memory."""

    token: str | None = None

    def setUp(self) -> None:
        """Set up the site."""
        self.reactor = MemoryReactorClock()
        self.metrics = Metrics()
        self.emitter = FakeEmitter()
        self.site = OperationsSite(self.emitter, self.metrics, token=self.token, max_event=1000)
        # The timeouts of Twisted's HTTP are the global reactor's otherwise.
        self.site.reactor = self.reactor
        self.channels: list[Any] = []

    def open(self, host: IAddress | None = None) -> StringTransport:
        """Connect to the site, which is at an address."""
        channel = self.site.buildProtocol(None)
        transport = StringTransport(host)
        transport.protocol = channel  # type: ignore[attr-defined]
        channel.makeConnection(transport)
        self.channels.append(channel)
        return transport

    def send(self, data: bytes, host: IAddress | None = None) -> StringTransport:
        """Send bytes on a new connection."""
        transport = self.open(host)
        self.channels[-1].dataReceived(data)
        return transport

    def request(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> Response:
        """Send a request and take its answer."""
        lines = {"host": "localhost"}
        if body is not None:
            lines |= {"content-type": "application/json", "content-length": str(len(body))}
        lines |= {name.replace("_", "-"): value for name, value in headers.items()}
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(
            f"{name}: {value}\r\n" for name, value in lines.items()
        )
        transport = self.send(head.encode("utf-8") + b"\r\n" + (body or b""))
        return Response(transport.value())

    def emit(self, group: str = "jobs-1", body: bytes = b'{"a": 1}', **headers: str) -> Response:
        """Publish an event."""
        return self.request("POST", f"/emit/{group}", body, **headers)

    def counted(self, result: str) -> float:
        """Read the counter of emits with a result."""
        return self.metric(f'towerws_emits_total{{result="{result}"}}')

    def metric(self, name: str) -> float:
        """Read a number off the metrics page; see `read_sample`."""
        return read_sample(self.metrics, name)
