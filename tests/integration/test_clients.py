"""The `websockets` library, which is not ours, against the real server."""

import asyncio
import json
import socket
import tempfile
from pathlib import Path

import websockets.asyncio.client

from tests.integration.case import SharedServerCase
from tests.integration.clients import PATIENCE, Client


class WebsocketsTests(SharedServerCase):
    """The `websockets` library."""

    def test_plain(self) -> None:
        """Subscription, events small and large, and the end, without compression."""
        client = self.client(self.server)
        self.assertEqual(client.greeting, {"accept": True, "user": None})
        reply = client.subscribe(plain=[1, "2", 1])
        joined = ["plain-1", "plain-2"]
        expected = {"groups_current": joined, "groups_left": [], "groups_joined": joined}
        self.assertEqual(reply, expected)
        for payload in _payloads():
            self.emit("plain-2", payload)
            self.assertEqual(client.receive(), payload)
        client.close()
        self.assertEqual(client.websocket.close_code, 1000)

    def test_compressed(self) -> None:
        """The same with permessage-deflate."""
        client = self.client(self.server, compression="deflate")
        self.assertNotEqual(client.websocket.protocol.extensions, [])
        client.subscribe(compressed=[1], padding=list(range(200)))
        for payload in _payloads():
            self.emit("compressed-1", payload)
            self.assertEqual(client.receive(), payload)

    def test_asyncio(self) -> None:
        """The library's other half, with its own ideas about pings and closing."""
        asyncio.run(asyncio.wait_for(self._asyncio(), 3 * PATIENCE))

    async def _asyncio(self) -> None:
        sock = socket.create_connection(("127.0.0.1", self.server.port), PATIENCE)
        url = self.server.websocket_url
        async with websockets.asyncio.client.connect(url, sock=sock) as websocket:
            self.assertEqual(json.loads(await websocket.recv()), {"accept": True, "user": None})
            await websocket.send('{"groups": {"asyncio": [1]}}')
            self.assertIn("groups_joined", json.loads(await websocket.recv()))
            await asyncio.wait_for(await websocket.ping(), PATIENCE)
            payload = b'{"stdout": "' + b"x" * 5000 + b'"}'
            await asyncio.to_thread(self.emit, "asyncio-1", payload)
            self.assertEqual(str(await websocket.recv()).encode(), payload)
        self.assertEqual(websocket.close_code, 1000)

    def test_many(self) -> None:
        """A hundred clients of one group all get the event, whatever form they take it in."""
        compressions = [None, "deflate"] * 50
        clients = [self.client(self.server, compression=each) for each in compressions]
        for client in clients:
            client.subscribe(many=[1])
        payload = b'{"stdout": "' + b"changed: [host]\\r\\n" * 200 + b'"}'
        self.emit("many-1", payload, reaches=100)
        self.assertEqual({client.receive() for client in clients}, {payload})

    def test_bad_frames(self) -> None:
        """What is not understood is answered, and changes nothing."""
        client = self.client(self.server)
        client.subscribe(bad=[1])
        frames: list[object] = [[], "x", *({"groups": each} for each in (5, {"jobs": "x"}))]
        frames.append({"groups": {"jobs": [None]}})
        for frame in frames:
            client.send(frame)
            self.assertEqual(list(client.receive_json()), ["error"])
        client.websocket.send(b"\x00\xff")
        self.assertIn("binary", client.receive_json()["error"])
        self.emit("bad-1", b'{"still": "here"}')
        self.assertEqual(client.receive(), b'{"still": "here"}')

    def test_large_message(self) -> None:
        """A message above the limit closes the connection with 1009."""
        client = self.client(self.server)
        client.websocket.send(" " * 70_000)
        self.assertEqual(client.wait_closed(), 1009)

    def test_unix_socket(self) -> None:
        """A listener on a Unix socket, which is gone with the server."""
        directory = tempfile.TemporaryDirectory(prefix="towerws-test-")
        self.addCleanup(directory.cleanup)
        path = Path(directory.name) / "websocket"
        server = self.start_server("--listen", f"unix:{path}:mode=600")
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        sock = socket.socket(socket.AF_UNIX)
        self.addCleanup(sock.close)
        sock.settimeout(PATIENCE)
        sock.connect(str(path))
        client = Client("ws://localhost/websocket", sock=sock)
        self.addCleanup(client.close)
        client.subscribe(unix=[1])
        self.assertEqual(server.emit("unix-1", b"{}"), (202, {"connections": 1}))
        self.assertEqual(client.receive(), b"{}")
        client.close()
        self.assertEqual(server.stop(), 0)
        self.assertFalse(path.exists())


def _payloads() -> list[bytes]:
    """Events of all sizes at which something changes."""
    texts = ["", "é ✓ 😀", "x" * 1399, "y" * 1500, "z" * 70_000, "changed: [höst]\r\n" * 60_000]
    return [json.dumps({"stdout": text}, ensure_ascii=False).encode() for text in texts]
