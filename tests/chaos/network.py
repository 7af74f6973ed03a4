"""A real network between a server and the broker, to be unplugged: a namespace of its own.

The broker's proxy listens in a network namespace that a veth pair joins to the machine's. Taking
the far end down loses every packet both ways without a word, as an unplugged cable does. The
namespace belongs to a helper process (this module, run) and is gone when that ends, in any way.
"""

import contextlib
import itertools
import os
import random
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

#: Each command is over in milliseconds.
_PATIENCE = 10.0

_serial = itertools.count(1)

_ROOT = Path(__file__).resolve().parents[2]


class Cable:
    """A listening socket in another network namespace, and the cable that leads there.

    Attributes:
        listening: The socket; `socket.getsockname` has the address to connect to.
    """

    def __init__(self) -> None:
        """Make the namespace.

        Raises:
            OSError: It is not allowed here, or the programs are missing.
        """
        if os.geteuid() or not (shutil.which("unshare") and shutil.which("ip")):
            raise OSError("network namespaces need root, and the programs unshare and ip")
        # The network for benchmarks of RFC 2544: nobody's.
        network = f"198.18.{random.randrange(256)}.{4 * random.randrange(64)}"
        base, _, last = network.rpartition(".")
        number = next(_serial)
        # The kernel takes its time to remove them: another one needs other names.
        self._near, far = (f"tw{os.getpid()}-{number}{end}" for end in "ab")
        near_address, far_address = (f"{base}.{int(last) + i}" for i in (1, 2))
        ours, theirs = socket.socketpair()
        with theirs:
            self._helper = subprocess.Popen(
                ["unshare", "--net", sys.executable, "-m", __name__, far, far_address],
                cwd=_ROOT,
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                start_new_session=True,
            )
        self._pipe = ours
        self._pipe.settimeout(_PATIENCE)
        try:
            self._expect(b"here")
            _ip("link", "add", self._near, "type", "veth", "peer", "name", far,
                "netns", str(self._helper.pid))  # fmt: skip
            _ip("address", "add", f"{near_address}/30", "dev", self._near)
            _ip("link", "set", self._near, "up")
            self._pipe.sendall(b"joined")
            _, (descriptor,), _, _ = socket.recv_fds(self._pipe, 16, 1)
            self.listening = socket.socket(fileno=descriptor)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        """Use it for a while."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Remove it."""
        self.close()

    def unplug(self) -> None:
        """Lose every packet from now on."""
        self._pipe.sendall(b"down")
        self._expect(b"done")

    def plug(self) -> None:
        """Let packets pass again."""
        self._pipe.sendall(b"up")
        self._expect(b"done")

    def close(self) -> None:
        """Remove the namespace and the cable. Idempotent."""
        # With the namespace it would go by itself, but only when its last connection has timed out.
        with contextlib.suppress(OSError):
            _ip("link", "delete", self._near)
        self._pipe.close()
        try:
            self._helper.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._helper.kill()
            self._helper.wait(_PATIENCE)

    def _expect(self, word: bytes) -> None:
        if self._pipe.recv(16) != word:
            raise OSError("network namespaces are not allowed here")


def _ip(*arguments: str) -> None:
    done = subprocess.run(
        ["ip", *arguments], capture_output=True, text=True, timeout=_PATIENCE, check=False
    )
    if done.returncode:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


def _help(interface: str, address: str) -> None:
    """Serve whoever started this process, in the new namespace.

    Args:
        interface: The far end of the cable.
        address: Its address.
    """
    with socket.socket(fileno=os.dup(0)) as pipe:
        pipe.sendall(b"here")
        if pipe.recv(16) != b"joined":
            return
        _ip("address", "add", f"{address}/30", "dev", interface)
        _ip("link", "set", interface, "up")
        with socket.socket() as listening:
            listening.bind((address, 0))
            listening.listen()
            socket.send_fds(pipe, [b"socket"], [listening.fileno()])
        while command := pipe.recv(16):
            _ip("link", "set", interface, command.decode())
            pipe.sendall(b"done")


if __name__ == "__main__":
    _help(*sys.argv[1:])
