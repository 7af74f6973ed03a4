"""The real server as a process of its own, started with twistd as an operator does.

All methods block for a bounded time. Nothing outlives the process that started a server: if it
dies without `ServerProcess.stop`, a `Guard` kills the server and removes its directory.
"""

import atexit
import functools
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.integration.executables import require_executable
from tests.integration.guard import Guard
from tests.integration.loopback import free_ports, listens, wait_until
from tests.integration.rabbitmq import shared_node

#: Ten times what it takes on a slow machine: Python starts, imports Twisted, and listens.
_START_TIMEOUT = 30.0

#: By itself the server sends its clients away within 10 s, gives slow readers 5 s, all of them 3 s
#: to answer, and the broker 4 s.
_STOP_TIMEOUT = 30.0

_REQUEST_TIMEOUT = 10.0

#: The exchange of `shared_broker_server`: other tests delete the default one.
SHARED_EXCHANGE = "towerws.tests"


def twistd() -> str:
    """Find the twistd that belongs to this Python."""
    return require_executable("twistd", str(Path(sys.executable).parent))


def clean_environment(**added: str) -> dict[str, str]:
    """Give this process's environment without what would lead a server to somewhere else.

    Args:
        **added: Variables to set.
    """
    inherited = os.environ.items()
    environment = {name: value for name, value in inherited if not name.startswith("TOWERWS_")}
    return environment | {"PYTHONUNBUFFERED": "1"} | added


class ServerProcess:
    """A towerws server on free ports of 127.0.0.1.

    Attributes:
        port: The TCP port of the websocket.
        operations_port: The TCP port of the operators' site.
        websocket_url: ``ws://127.0.0.1:PORT/websocket/``.
        operations_url: ``http://127.0.0.1:PORT``.
        options: The listeners' command line options, for tests that start a server by themselves.
    """

    def __init__(
        self,
        *options: str,
        broker: str | None = None,
        command: Sequence[str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Choose ports; nothing is started or created yet.

        Args:
            *options: More options of ``twistd towerws``.
            broker: The broker's URL; the embedded source if None.
            command: What comes before ``towerws``; twistd in the foreground if None.
            environment: Variables to set.
        """
        self.port, self.operations_port = free_ports(2)
        self.websocket_url = f"ws://127.0.0.1:{self.port}/websocket/"
        self.operations_url = f"http://127.0.0.1:{self.operations_port}"
        self.options = (
            *("--listen", f"tcp:{self.port}:interface=127.0.0.1"),
            *("--operations", f"tcp:{self.operations_port}:interface=127.0.0.1"),
            *options,
        )
        self._command = command
        self._environment = dict(environment or {})
        if broker:
            self._environment["TOWERWS_BROKER"] = broker
        self._directory: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: Guard | None = None
        self._log = ""

    def __enter__(self) -> Self:
        """Start the server."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        assert self._process is not None, "the server is not running"
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def start(self, *, until_ready: bool = True) -> Self:
        """Start the server, and wait until it listens.

        Args:
            until_ready: Wait until events can flow as well, which takes a broker that works.

        Returns:
            The server itself.

        Raises:
            RuntimeError: It ended, or took longer than half a minute. It is stopped then.
        """
        assert self._process is None, "the server was started already"
        command = self._command or (twistd(), "--nodaemon", "--pidfile=")
        self._directory = Path(tempfile.mkdtemp(prefix="towerws-server-"))
        self._guard = Guard(self._directory)
        try:
            with (self._directory / "log").open("wb") as log:
                self._process = subprocess.Popen(
                    [*command, "towerws", *self.options],
                    cwd=self._directory,
                    env=clean_environment(**self._environment),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            self._guard.note(self.pid)
            self._wait_for(lambda: listens(self.port) and listens(self.operations_port), "listen")
            if until_ready:
                self._wait_for(self._is_ready, "get ready")
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> int | None:
        """End the server with SIGTERM, by force after 30 s, and remove all traces. Idempotent.

        Returns:
            Its exit status, negative after a signal; None if it was never started.
        """
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(_STOP_TIMEOUT)
        if self._guard is not None:
            self._log = self.log()
            self._directory = None
            self._guard.end()
            self._guard = None
        return None if process is None else process.returncode

    def log(self) -> str:
        """Give what the server has written so far; after its end as well."""
        if self._directory is None:
            return self._log
        return (self._directory / "log").read_text(errors="replace")

    def wait_for_log(self, text: str, timeout: float = 10.0) -> None:
        """Wait until something stands in the log.

        Args:
            text: What.
            timeout: The longest wait, in seconds.
        """
        wait_until(lambda: text in self.log(), timeout, f"{text!r} is not in the log")

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] = {}
    ) -> tuple[int, bytes]:
        """Make a request to the operators' site.

        Args:
            method: Such as ``POST``.
            path: Such as ``/emit/jobs-summary``.
            body: What to send, if anything.
            headers: More headers.

        Returns:
            The status and the body of the answer.
        """
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.operations_port, timeout=_REQUEST_TIMEOUT
        )
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def get(self, path: str) -> tuple[int, bytes]:
        """Get a page of the operators' site; see `request`."""
        return self.request("GET", path)

    def emit(self, group: str, payload: bytes) -> tuple[int, object]:
        """Publish an event over HTTP.

        Args:
            group: The group's name.
            payload: The event.

        Returns:
            The status and the decoded answer.
        """
        headers = {"Content-Type": "application/json"}
        status, answer = self.request("POST", f"/emit/{group}", payload, headers)
        return status, json.loads(answer)

    def unready(self) -> str | None:
        """Ask for the reason why no events flow, None if they do."""
        reason: str | None = json.loads(self.get("/ready")[1]).get("reason")
        return reason

    def metric(self, name: str) -> float:
        """Read a number off the metrics page.

        Args:
            name: With its labels, such as ``towerws_emits_total{result="accepted"}``.

        Returns:
            The number, 0 if there is none by this name.
        """
        for line in self.get("/metrics")[1].decode().splitlines():
            if line.startswith(f"{name} "):
                return float(line.rpartition(" ")[2])
        return 0.0

    def resident_bytes(self) -> int:
        """Measure how much memory the process has (Linux)."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def _is_ready(self) -> bool:
        try:
            return self.get("/ready")[0] == 200
        except ConnectionError:
            # Accepted by the kernel for a process that has just been killed at the same port.
            return False

    def _wait_for(self, condition: Callable[[], bool], what: str) -> None:
        wait_until(
            lambda: not self.running or condition(),
            _START_TIMEOUT,
            f"the server did not {what}; it wrote:\n{self.log()}",
        )
        if not self.running:
            raise RuntimeError(f"the server ended; it wrote:\n{self.log()}")


@functools.cache
def shared_server() -> ServerProcess:
    """Give the server with the embedded source that all tests of this process share.

    Tests that harm it, or look at figures that others change, start one of their own.

    Returns:
        A running server; it is stopped when the process ends.
    """
    return _shared(ServerProcess())


@functools.cache
def shared_broker_server() -> ServerProcess:
    """Give the server that consumes `SHARED_EXCHANGE` of the shared broker; as `shared_server`."""
    return _shared(ServerProcess("--exchange", SHARED_EXCHANGE, broker=shared_node().url))


def _shared(server: ServerProcess) -> ServerProcess:
    server.start()
    atexit.register(_stop_shared, server, os.getpid())
    return server


def _stop_shared(server: ServerProcess, owner: int) -> None:
    # A child made by os.fork inherits the registration, but not the server.
    if os.getpid() == owner:
        server.stop()
