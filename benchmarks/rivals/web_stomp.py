"""RabbitMQ's own websockets: the plugin Web STOMP, with a queue for each subscription."""

from collections.abc import Collection, Sequence

from benchmarks import websocket
from benchmarks.measure import SERVER_CORE
from benchmarks.nodes import broker_process, start_node
from benchmarks.publishers import AMQPPublisher
from benchmarks.rivals import WORKS, Publisher, Step
from tests.integration.loopback import free_ports
from tests.integration.rabbitmq import RabbitMQNode

_CONFIGURATION = """\
stomp.listeners.tcp.1 = 127.0.0.1:{stomp_port}
web_stomp.tcp.ip = 127.0.0.1
web_stomp.tcp.port = {port}
web_stomp.tcp.backlog = 1024
vm_memory_high_watermark.absolute = 4GB
"""


def _topic(group: int) -> str:
    return f"job_events-{group}"


def _stomp(command: str, *headers: str) -> bytes:
    return websocket.client_frame("\n".join([command, *headers, "", "\0"]).encode())


class WebStomp:
    """A RabbitMQ node on the servers' core; publishers use AMQP."""

    name = "RabbitMQ Web STOMP"
    key = "web-stomp"
    way_in = "AMQP; a burst is one write"
    pace = 5
    idle_connections = 2_000
    broker_counts = False
    works: Collection[str] = WORKS
    broker: Sequence[int] = ()

    def __init__(self) -> None:
        """Choose ports."""
        self.port, self._stomp_port = free_ports(2)
        self.version = ""
        self._node: RabbitMQNode | None = None

    @property
    def server(self) -> Sequence[int]:
        """The broker: here it is the server."""
        assert self._node is not None
        return broker_process(self._node)

    def start(self) -> None:
        """Start the node."""
        configuration = _CONFIGURATION.format(port=self.port, stomp_port=self._stomp_port)
        self._node, self.version = start_node(
            SERVER_CORE, plugins=["rabbitmq_web_stomp"], configuration=configuration
        )

    def stop(self) -> None:
        """End the node."""
        if self._node is not None:
            self._node.stop()
            self._node = None

    def steps(self, group: int, *, compressed: bool = False) -> Sequence[Step]:
        """Log in and subscribe."""
        login = ("login:guest", "passcode:guest")
        connect = _stomp("CONNECT", "accept-version:1.2", "host:/", "heart-beat:0,0", *login)
        destination = f"destination:/topic/{_topic(group)}"
        return [
            websocket.opening(self.port, "/ws", protocol="v12.stomp"),
            Step(connect, b"CONNECTED"),
            Step(_stomp("SUBSCRIBE", "id:0", destination, "ack:auto", "receipt:1"), b"RECEIPT"),
        ]

    def publisher(self) -> Publisher:
        """Publish to the exchange behind STOMP's topics."""
        assert self._node is not None
        return AMQPPublisher(self._node.port, "amq.topic", _topic)
