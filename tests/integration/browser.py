"""A page in a real browser, Chromium without a window, for tests of what only browsers do."""

import http.server
import json
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.integration.executables import require_executable
from tests.integration.guard import Guard
from tests.integration.loopback import end_group

#: Chromium takes some two seconds to start, and many times that on a busy machine.
_PATIENCE = 40.0

_PAGE = """<!doctype html><meta charset="utf-8"><script type="module">
const results = await (async () => {{ {script} }})();
await fetch("/results", {{method: "POST", body: JSON.stringify(results)}});
</script>"""


class Page:
    """A page on a web server of its own, whose script tells what it saw.

    Attributes:
        origin: The page's origin, which browsers send.
    """

    def __init__(
        self,
        modules: Mapping[str, Path] = {},
        actions: Mapping[str, Callable[[Any], object]] = {},
    ) -> None:
        """Listen; nothing is shown yet.

        Args:
            modules: JavaScript that the page may import, by paths such as ``/towerws.js``.
            actions: What the script may have done, by the paths that it posts to: called with what
                it posts, as JSON; the answer is what is returned, as JSON.
        """
        self._served = threading.Event()
        self._results: Any = None
        self._page = b""
        page = self

        class Request(http.server.BaseHTTPRequestHandler):
            """Serves the page, and takes its results."""

            def do_GET(self) -> None:  # http.server's name
                """Serve the page, or a module."""
                module = modules.get(self.path)
                self.send_response(200)
                self.send_header("Content-Type", "text/javascript" if module else "text/html")
                self.end_headers()
                self.wfile.write(module.read_bytes() if module else page._page)

            def do_POST(self) -> None:  # http.server's name
                """Take the results, or do what is asked."""
                posted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                answer = actions[self.path](posted) if self.path in actions else None
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())
                if self.path not in actions:
                    page._results = posted
                    page._served.set()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the same
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Request)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.origin = f"http://127.0.0.1:{self._server.server_address[1]}"

    def run(self, script: str, *options: str) -> Any:
        """Show the page.

        Args:
            script: The body of an asynchronous function, in JavaScript.
            *options: More options of Chromium.

        Returns:
            What the function returned, as JSON has it.

        Raises:
            RuntimeError: It returned nothing in time.
        """
        self._page = _PAGE.format(script=script).encode()
        self._served.clear()
        directory = Path(tempfile.mkdtemp(prefix="towerws-browser-"))
        guard = Guard(directory)
        with (directory / "log").open("wb") as log:
            browser = subprocess.Popen(
                [*_command(directory), *options, self.origin],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        guard.note(-browser.pid)
        try:
            if not self._served.wait(_PATIENCE):
                shown = (directory / "log").read_text(errors="replace")
                raise RuntimeError(f"the page returned nothing; the browser wrote:\n{shown}")
        finally:
            end_group(browser, _PATIENCE)
            guard.end()
        return self._results

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(_PATIENCE)


def _command(directory: Path) -> Sequence[str]:
    return [
        require_executable("chromium"),
        "--headless",
        # It would need privileges that containers do not give; the page is ours.
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--no-first-run",
        f"--user-data-dir={directory / 'profile'}",
    ]
