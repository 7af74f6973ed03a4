"""Chaos in short, as `make chaos` does it for minutes; and the tools that it is made with."""

import asyncio
import contextlib
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.chaos.network import Cable
from tests.chaos.proxy import Proxy

_ROOT = Path(__file__).resolve().parents[2]

#: Draws in each mode a server drained, RabbitMQ killed, clients cut, stalled, refused and slow.
_SEED = 2365

#: Seconds for both modes together; the bounds of the run itself are what usually ends it.
_WITHIN = 240.0


class ShortTests(SynchronousTestCase):
    """Some seconds of faults in each mode."""

    def test_nothing_is_lost_in_silence(self) -> None:
        """Exit status 0, and a table in which what must be zero is zero."""
        done = subprocess.run(
            [sys.executable, "-m", "tests.chaos", "--short", "--seed", str(_SEED)],
            cwd=_ROOT,
            capture_output=True,
            text=True,
            timeout=_WITHIN,
            check=False,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        for title in ("doubled", "out of order", "unknown", "against the protocol"):
            self.assertRegex(done.stdout, rf"(?m)^{title} +0 +0$")
        found = re.search(r"(?m)^deliveries +([\d,]+) +([\d,]+)$", done.stdout)
        assert found is not None, done.stdout
        for deliveries in found.groups():
            self.assertGreater(int(deliveries.replace(",", "")), 1000)


class ProxyTests(SynchronousTestCase):
    """The proxy, in front of a server that echoes."""

    def through(
        self, body: Callable[[Proxy, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
    ) -> None:
        """Run something with a connection through the proxy."""

        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                while data := await reader.read(65536):
                    writer.write(data)
                    await writer.drain()
            writer.close()

        async def run() -> None:
            server = await asyncio.start_server(echo, "127.0.0.1", 0)
            proxy = Proxy(server.sockets[0].getsockname()[:2])
            port = await proxy.start()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                async with asyncio.timeout(10):
                    await body(proxy, reader, writer)
            finally:
                writer.close()
                await proxy.stop()
                server.close()

        asyncio.run(run())

    def test_passes(self) -> None:
        """Bytes pass both ways, however many, and so does the end."""

        async def body(
            _: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            data = os.urandom(3 << 20)
            sending = asyncio.create_task(_send(writer, data))
            self.assertEqual(await reader.readexactly(len(data)), data)
            await sending
            writer.write_eof()
            self.assertEqual(await reader.read(), b"")

        self.through(body)

    def test_stall(self) -> None:
        """While it is stalled nothing passes; then all that was kept."""

        async def body(
            proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            await _echoed(reader, writer, b"before")
            proxy.stall(stalled=True)
            writer.write(b"during")
            with self.assertRaises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await reader.read(1)
            proxy.stall(stalled=False)
            self.assertEqual(await reader.readexactly(6), b"during")

        self.through(body)

    def test_slow(self) -> None:
        """So many bytes a second come, no more, and the rest when it is fast again."""

        async def body(
            proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            await _echoed(reader, writer, b"before")
            (link,) = proxy.links
            link.slow_down(10_000)
            began = time.monotonic()
            writer.write(bytes(10_000))
            await reader.readexactly(3000)
            self.assertGreater(time.monotonic() - began, 0.25)
            link.slow_down(None)
            await reader.readexactly(7000)
            self.assertLess(time.monotonic() - began, 0.9)

        self.through(body)

    def test_cut_and_refuse(self) -> None:
        """A connection that is cut ends without a word; one that is refused never gets through."""

        async def body(
            proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            await _echoed(reader, writer, b"before")
            (link,) = proxy.links
            link.cut()
            self.assertEqual(await reader.read(1), b"")
            proxy.is_refusing = True
            port = writer.get_extra_info("peername")[1]
            late, refused = await asyncio.open_connection("127.0.0.1", port)
            with self.assertRaises(ConnectionResetError):
                await late.read(1)
            refused.close()
            self.assertEqual((len(proxy.links), proxy.accepted_count), (0, 2))

        self.through(body)


class CableTests(SynchronousTestCase):
    """A network that can be unplugged."""

    def test_unplug(self) -> None:
        """Unplugged it loses everything, and the connections go on when it is plugged in again.

        Where network namespaces are not allowed, chaos has to be told so, and stalls instead.
        """
        try:
            cable = Cable()
        except OSError as error:
            self.assertRegex(str(error), r"^(network namespaces (need root|are not allowed)|ip )")
            sys.stderr.write(f"no cable on this machine: {error}\n")
            return
        with cable, socket.create_connection(cable.listening.getsockname(), 5) as near:
            far, _ = cable.listening.accept()
            with far:
                near.settimeout(5)
                cable.unplug()
                far.sendall(b"late")
                near.settimeout(0.2)
                self.assertRaises(TimeoutError, near.recv, 4)
                cable.plug()
                near.settimeout(10)
                self.assertEqual(near.recv(4), b"late")


async def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


async def _echoed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    assert await reader.readexactly(len(data)) == data
