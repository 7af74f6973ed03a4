"""How the real server comes to a broker, what it says when it cannot, and how it leaves."""

import socket
import time
from urllib.parse import quote

from tests.integration.case import ServerCase
from tests.integration.loopback import free_ports, wait_until
from tests.integration.rabbitmq import shared_node
from tests.integration.server import ServerProcess

#: Longest time for a server to end after SIGTERM, in seconds: its clients answer at once.
_STOPPED_WITHIN = 3.0


class LoginCase(ServerCase):
    """A test that starts servers at the shared broker."""

    def setUp(self) -> None:
        """Start the broker if this is the first test that needs it."""
        self.node = shared_node()

    def works(self, server: ServerProcess, url: str) -> None:
        """See whether what pika publishes reaches a client of a server."""
        client = self.client(server)
        client.subscribe(login=[1])
        self.backend(url).publish("login-1", b'{"n": 1}')
        self.assertEqual(client.receive(), b'{"n": 1}')


class RefusedTests(LoginCase):
    """A broker that does not let the server in."""

    def refused(self, url: str, *options: str) -> tuple[ServerProcess, str]:
        """Start a server that the broker refuses.

        Returns:
            The server, which goes on, and the reason that it gives.
        """
        server = self.start_server(*options, broker=url, until_ready=False)
        server.wait_for_log("no events from the broker")
        reason = server.unready()
        assert reason is not None
        self.assertIn(reason, server.log())
        self.assertEqual(server.get("/ready")[0], 503)
        status, answer = server.emit("login-1", b"{}")
        self.assertEqual(status, 503)
        self.assertIn(reason, str(answer))
        # Clients are let in, wait, and may leave.
        client = self.client(server)
        client.send({"groups": {"login": [1]}})
        client.close()
        self.assertEqual(client.websocket.close_code, 1000)
        self.assertEqual(server.get("/health")[0], 200)
        return server, reason

    def test_wrong_password(self) -> None:
        """The reason is told, the password never."""
        url = f"amqp://guest:hunter2@127.0.0.1:{self.node.port}"
        server, reason = self.refused(url)
        self.assertIn("ACCESS_REFUSED", reason)
        self.assertNotIn("hunter2", server.log())

    def test_no_vhost(self) -> None:
        """A vhost that is not there is named."""
        _, reason = self.refused(f"amqp://127.0.0.1:{self.node.port}/nowhere")
        self.assertIn("nowhere", reason)

    def test_nobody(self) -> None:
        """Nobody listens: the address is named, and the server comes up when the broker does."""
        (port,) = free_ports(1)
        server, reason = self.refused(f"amqp://127.0.0.1:{port}")
        self.assertIn(str(port), reason)
        self.assertIn(f"127.0.0.1:{port}", server.log())

    def test_wrong_exchange(self) -> None:
        """An exchange of another type is refused with RabbitMQ's sentence, and left alone."""
        backend = self.backend(self.node.url)
        backend.channel.exchange_declare("towerws.direct", "direct", durable=True)
        self.addCleanup(backend.channel.exchange_delete, "towerws.direct")
        server, reason = self.refused(self.node.url, "--exchange", "towerws.direct")
        self.assertIn("PRECONDITION_FAILED", reason)
        self.assertIn("towerws.direct", reason)
        # As soon as the operator has put it right, events flow.
        backend.channel.exchange_delete("towerws.direct")
        wait_until(lambda: server.unready() is None, 10, "the server is not ready")

    def test_not_a_broker(self) -> None:
        """Something else listens there that never answers: the handshake has a deadline."""
        other = self.start_server()
        _, reason = self.refused(f"amqp://127.0.0.1:{other.port}?connection_timeout=1")
        self.assertIn("within 1 s", reason)


class URLTests(LoginCase):
    """Brokers that are not at the default place."""

    def test_several_hosts(self) -> None:
        """The first host that works is taken, whatever those before it are called."""
        dead = free_ports(2)
        hosts = ",".join(f"127.0.0.1:{port}" for port in (*dead, self.node.port))
        hosts = f"rabbit_1.invalid,-rabbit.invalid,{hosts}"
        server = self.start_server(broker=f"amqp://{hosts}/%2F")
        self.works(server, self.node.url)
        for host in ("rabbit_1.invalid:5672", "-rabbit.invalid:5672", f"127.0.0.1:{dead[0]}"):
            self.assertIn(f"no events from the broker at {host}: no connection", server.log())

    def test_connection_names(self) -> None:
        """``rabbitmqctl list_connections`` tells a server's two connections apart."""
        server = self.start_server(broker=self.node.url)
        self.assertEqual(server.emit("login-1", b"{}")[0], 202)
        listed = self.node.ctl("list_connections", "client_properties")
        for role in ("consumer", "producer"):
            name = f"towerws {role} {socket.gethostname()}:{server.pid}"
            self.assertEqual(listed.count(name), 1, listed)

    def test_vhost_and_user(self) -> None:
        """Names and passwords with every character that a URL has a use for."""
        name = "a/b c%2F?#é"
        self.node.ctl("add_vhost", name)
        self.node.ctl("add_user", name, name)
        self.node.ctl("set_permissions", "--vhost", name, name, ".*", ".*", ".*")
        quoted = quote(name, safe="")
        url = f"amqp://{quoted}:{quoted}@127.0.0.1:{self.node.port}/{quoted}"
        self.works(self.start_server(broker=url), url)

    def test_tls(self) -> None:
        """amqps, with the broker's certificate verified; one of somebody else is refused."""
        url = f"amqps://guest:guest@localhost:{self.node.tls_port}/%2F"
        server = self.start_server(broker=f"{url}?cacertfile={self.node.cafile}")
        self.works(server, self.node.url)
        stranger = self.start_server(broker=url, until_ready=False)
        stranger.wait_for_log("no events from the broker")
        self.assertIn("certificate", stranger.unready() or "")


class StopTests(LoginCase):
    """SIGTERM."""

    def test_stop(self) -> None:
        """Clients are told to come back, the broker is left in order, and all of it is quick."""
        server = self.start_server("--drain", "0", broker=self.node.url)
        clients = [self.client(server) for _ in range(20)]
        for client in clients:
            client.subscribe(stop=[1])
        connected, complaints = self._connections(), self._complaints()
        began = time.monotonic()
        status = server.stop()
        took = time.monotonic() - began
        self.assertEqual(status, 0, server.log())
        self.assertEqual({client.wait_closed() for client in clients}, {1012})
        self.assertLess(took, _STOPPED_WITHIN)
        self.assertIn("Server Shut Down", server.log())
        self.assertNotIn("lost the broker", server.log())
        self.assertEqual(self._connections(), connected - 1)
        self.assertEqual(self._complaints(), complaints)
        self.tell(f"a server with 20 clients and a broker stopped in {took:.2f} s")

    def _connections(self) -> int:
        """Count the servers that the broker knows."""
        return self.node.ctl("list_connections", "client_properties").count('"product","towerws"')

    def _complaints(self) -> int:
        """Count what the broker logged about clients that left without a word."""
        assert self.node.directory is not None
        logs = (self.node.directory / "log").glob("*.log")
        return sum(log.read_text(errors="replace").count("closing AMQP") for log in logs)

    def test_stop_while_away(self) -> None:
        """A server that waits for its broker stops as well."""
        (port,) = free_ports(1)
        server = self.start_server(broker=f"amqp://127.0.0.1:{port}", until_ready=False)
        client = self.client(server)
        client.send({"groups": {"stop": [1]}})
        began = time.monotonic()
        self.assertEqual(server.stop(), 0)
        self.assertLess(time.monotonic() - began, _STOPPED_WITHIN)
        self.assertEqual(client.wait_closed(), 1012)
