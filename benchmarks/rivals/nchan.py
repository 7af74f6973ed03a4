"""nchan, the module that makes nginx a publish-subscribe server."""

import os
import re
import shutil
import subprocess
from collections.abc import Collection, Sequence
from pathlib import Path

from benchmarks import websocket
from benchmarks.child import Child
from benchmarks.measure import SERVER_CORE, on_core
from benchmarks.publishers import HTTPPublisher
from benchmarks.rivals import WORKS, Publisher, Step, Unavailable
from benchmarks.rivals.one_child import OneChild
from tests.integration.loopback import free_ports, listens

_MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")

#: One worker, as all servers here have one core. New subscribers get no old messages.
_CONFIGURATION = """\
load_module {module};
daemon off;
{user}
worker_processes 1;
worker_rlimit_nofile 32768;
error_log {directory}/error.log warn;
pid {directory}/pid;
events {{ worker_connections 32768; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    keepalive_requests 1000000;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location ~ ^/subscribe/(\\d+)$ {{
            nchan_subscriber websocket;
            nchan_channel_id $1;
            nchan_subscriber_first_message newest;
        }}
        location ~ ^/publish/(\\d+)$ {{
            nchan_publisher;
            nchan_channel_id $1;
            nchan_message_buffer_length 100;
            nchan_message_timeout 10s;
        }}
    }}
}}
"""


class Nchan(OneChild):
    """nginx with one worker."""

    name = "nchan (nginx, 1 worker)"
    key = "nchan"
    way_in = "HTTP POST; a burst is pipelined"
    pace = 20
    idle_connections = 10_000
    works: Collection[str] = WORKS

    def __init__(self) -> None:
        """Choose a port."""
        super().__init__()
        (self.port,) = free_ports(1)

    def start(self) -> None:
        """Start nginx."""
        nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
        if nginx is None or not _MODULE.exists():
            raise Unavailable("nginx with libnginx-mod-nchan is not installed")
        told = subprocess.run([nginx, "-v"], capture_output=True, text=True, check=True).stderr
        self.version = f"nginx {told.strip().rpartition('/')[2]}{_package_version()}"
        self._child = Child("nchan")
        directory = self._child.directory
        configuration = directory / "nginx.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                module=_MODULE,
                user="user root;" if os.geteuid() == 0 else "",
                directory=directory,
                port=self.port,
            )
        )
        with on_core(SERVER_CORE):
            self._child.start(
                [nginx, "-e", f"{directory}/error.log", "-c", str(configuration)],
                ready=lambda: listens(self.port),
            )

    def steps(self, group: int, *, compressed: bool = False) -> Sequence[Step]:
        """Subscribe by the path."""
        return [websocket.opening(self.port, f"/subscribe/{group}")]

    def publisher(self) -> Publisher:
        """Post to the publishers' location."""
        return HTTPPublisher(self.port, lambda group: f"/publish/{group}")


def _package_version() -> str:
    """Debian's version of nchan: nginx does not tell the modules' own."""
    try:
        told = subprocess.check_output(
            ["dpkg-query", "--show", "--showformat=${Version}", "libnginx-mod-nchan"],  # noqa: S607
            text=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f", nchan {re.sub(r'^.*:', '', told)}"
