"""A private RabbitMQ node for tests: its own ports, directory, cookie and epmd, on loopback only.

All methods block for a bounded time: call them in a thread (``deferToThread``) of a reactor.
Nothing outlives the process that started a node: `RabbitMQNode.stop` ends it, and if the process
dies without that, a `Guard` does.
"""

import atexit
import functools
import itertools
import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.certificates import make_server_certificate
from tests.integration.executables import require_executable
from tests.integration.guard import Guard
from tests.integration.loopback import end_group, free_ports, listens, wait_until
from tests.integration.rabbitmq_home import node_environment, without_plugins, write_configuration

#: Debian's wrapper in /usr/sbin insists on the user rabbitmq; the scripts here run as anybody.
_SCRIPTS = "/usr/lib/rabbitmq/bin"

_START_TIMEOUT = 60.0
_STOP_TIMEOUT = 20.0
_CTL_TIMEOUT = 30.0

_serial = itertools.count(1)


class RabbitMQNode:
    """A RabbitMQ broker of its own. Several can live side by side.

    Attributes:
        port: The TCP port of the plain AMQP listener, fixed for the object's life.
        tls_port: The TCP port of the AMQPS listener, or ``None`` without ``tls``.
        cafile: PEM file of the authority that signed the TLS certificate (for 127.0.0.1 and
            ``localhost``), or ``None``; exists while the node is started.
        directory: Where everything of the node is kept, while it is started.
        url: ``amqp://guest:guest@127.0.0.1:PORT/%2F``.
    """

    def __init__(self, *, tls: bool = False, plugins: Sequence[str] = ()) -> None:
        """Choose names and ports; nothing is started or created yet.

        Args:
            tls: Listen with TLS on a second port as well.
            plugins: Those to enable; a node that needs none starts in half the time.

        Raises:
            unittest.SkipTest: RabbitMQ is not installed.
            RuntimeError: The same, in continuous integration (``CI=true``).
        """
        self._server = require_executable("rabbitmq-server", _SCRIPTS)
        self._rabbitmqctl = require_executable("rabbitmqctl", _SCRIPTS)
        self._epmd_executable = require_executable("epmd")
        self.port, self._dist_port, self._epmd_port, tls_port = free_ports(4)
        self.tls_port = tls_port if tls else None
        self.cafile: str | None = None
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}/%2F"
        self._name = f"towerws-{os.getpid()}-{next(_serial)}@localhost"
        self.directory: Path | None = None
        self._plugins = plugins
        self._environment: dict[str, str] = {}
        self._guard: Guard | None = None
        self._epmd: subprocess.Popen[bytes] | None = None
        self._broker: subprocess.Popen[bytes] | None = None

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that run for the node: guard, epmd, broker."""
        children = (self._guard, self._epmd, self._broker)
        return tuple(child.pid for child in children if child is not None)

    def start(self) -> None:
        """Start the broker, on its old data after `kill`, and wait until it answers AMQP.

        Raises:
            RuntimeError: It ended (the text has its last words), or did not answer within a minute.
                The node is stopped then.
        """
        if self._broker is not None:
            raise RuntimeError("the node is running already")
        try:
            if self.directory is None:
                self._prepare()
            self._broker = self._spawn([self._server])
            self._note_processes()
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def kill(self) -> None:
        """Let the broker die as with ``kill -9``; its data and ports stay for `start`."""
        if self._broker is None:
            raise RuntimeError("the node is not running")
        os.killpg(self._broker.pid, signal.SIGKILL)
        self._broker.wait(_STOP_TIMEOUT)
        self._broker = None
        self._note_processes()
        # What was waited for is beam's parent; beam itself is gone when the port is closed.
        wait_until(lambda: not listens(self.port), _STOP_TIMEOUT, "the port is open")

    def stop(self) -> None:
        """Kill the broker, whose data is not needed any more, and remove all traces. Idempotent."""
        if self._broker is not None and self._broker.poll() is None:
            self.kill()
        self._broker = None
        if self._epmd is not None:
            end_group(self._epmd, _STOP_TIMEOUT)
            self._epmd = None
        if self._guard is not None:
            self._guard.end()
            self._guard = None
        self.directory = None
        self.cafile = None

    def ctl(self, *args: str) -> str:
        """Run ``rabbitmqctl`` against the node; takes a second or two.

        Args:
            *args: Command and arguments, such as ``"list_queues", "name"``.

        Returns:
            What it wrote to standard output, without banners.

        Raises:
            RuntimeError: It failed; the text has its output.
            subprocess.TimeoutExpired: It took longer than 30 s, and was killed.
        """
        done = subprocess.run(
            [self._rabbitmqctl, "--quiet", "--node", self._name, *args],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_CTL_TIMEOUT,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"rabbitmqctl {args[0]}: {done.stdout}{done.stderr}")
        return done.stdout

    def _prepare(self) -> None:
        directory = self.directory = Path(tempfile.mkdtemp(prefix="towerws-rabbitmq-"))
        self._guard = Guard(directory)
        tls = None
        if self.tls_port is not None:
            certificate = make_server_certificate(directory)
            self.cafile = certificate.cafile
            tls = self.tls_port, certificate
        write_configuration(directory, self.port, tls, self._plugins)
        self._environment = node_environment(
            directory,
            self._name,
            port=self.port,
            dist_port=self._dist_port,
            epmd_port=self._epmd_port,
        )
        if not self._plugins:
            self._environment |= without_plugins(directory, self._server)
        address = ["-address", "127.0.0.1", "-port", str(self._epmd_port)]
        self._epmd = self._spawn([self._epmd_executable, *address])
        self._note_processes()
        # A broker that finds no epmd starts one, a daemon that nobody would end.
        wait_until(lambda: listens(self._epmd_port), _STOP_TIMEOUT, "epmd does not answer")

    def _spawn(self, command: list[str]) -> subprocess.Popen[bytes]:
        # A session of its own: an interrupt from the keyboard must not reach the node before the
        # tests are done with it, and the broker's shell and beam are signalled as one group.
        assert self.directory is not None
        with (self.directory / "output").open("ab") as output:
            return subprocess.Popen(
                command,
                env=self._environment,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _note_processes(self) -> None:
        """Tell the guard what to kill: whole groups."""
        assert self._guard is not None
        groups = (self._epmd, self._broker)
        self._guard.note(*(-child.pid for child in groups if child is not None))

    def _wait_until_ready(self) -> None:
        assert self._broker is not None
        broker = self._broker
        ports = [self.port] if self.tls_port is None else [self.port, self.tls_port]
        wait_until(
            lambda: (
                broker.poll() is not None or (_speaks_amqp(self.port) and all(map(listens, ports)))
            ),
            _START_TIMEOUT,
            "RabbitMQ does not answer",
        )
        if broker.poll() is not None:
            raise RuntimeError(f"RabbitMQ did not start: {self._output()}")

    def _output(self) -> str:
        """The last lines the broker wrote, for the text of an error."""
        assert self.directory is not None
        return (self.directory / "output").read_text(errors="replace")[-2000:]


@functools.cache
def shared_node(*, breakable: bool = False) -> RabbitMQNode:
    """Give the node, with TLS, that all tests of this process share; the first call starts it.

    Args:
        breakable: Another one, which tests may kill, close and alarm, but leave in order.

    Returns:
        A running node; it is stopped when the process ends.
    """
    node = RabbitMQNode(tls=True)
    node.start()
    atexit.register(_stop_shared, node, os.getpid())
    return node


def _stop_shared(node: RabbitMQNode, owner: int) -> None:
    # A child made by os.fork inherits the registration, but not the node.
    if os.getpid() == owner:
        node.stop()


def _speaks_amqp(port: int) -> bool:
    """Tell whether a broker answers the protocol header with a frame of channel 0."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            return connection.recv(3) == b"\x01\x00\x00"
    except OSError:
        return False
