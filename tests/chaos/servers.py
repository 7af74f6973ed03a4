"""A server that is killed, drained, frozen and started again, on the same ports."""

import contextlib
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.integration.loopback import wait_until
from tests.integration.server import ServerProcess

#: Seconds until a server that was killed is gone.
_GONE_WITHIN = 10.0

#: What of its metrics is added up over all its lives, by the words for the table.
METRICS = {
    "resumed from memory": 'towerws_resumes_total{result="memory"}',
    "resumed from the stream": 'towerws_resumes_total{result="archive"}',
    "not resumed": 'towerws_resumes_total{result="refused"}',
    "replays cut short": "towerws_replays_cut_short_total",
    "events replayed": "towerws_replayed_events_total",
    "slow readers closed": "towerws_slow_readers_total",
    "gaps of the node": "towerws_gaps_total",
}


class ChaosServer(ServerProcess):
    """One server, over as many lives as it has.

    Attributes:
        name: For logs and reports.
        figures: What `METRICS` names, over all lives, as far as it could still be asked.
        complaints: What no life should have done.
    """

    def __init__(self, name: str, logs: Path, *options: str, broker: str) -> None:
        """Choose ports; nothing is started yet.

        Args:
            name: For logs and reports.
            logs: Directory that keeps the log of each life.
            *options: More options of ``twistd towerws``.
            broker: The broker's URL.
        """
        super().__init__(*options, broker=broker)
        self.name = name
        self.figures: Counter[str] = Counter()
        self.complaints: list[str] = []
        self._logs = logs
        self._lives = 0

    def launch(self, *, until_ready: bool = False) -> None:
        """Start the next life.

        Args:
            until_ready: Wait until events flow, which takes a broker that works.
        """
        self._lives += 1
        self._process = None
        self.start(until_ready=until_ready)

    def kill(self) -> None:
        """End it as with ``kill -9``."""
        assert self._process is not None
        self._measure()
        self._process.kill()
        self._process.wait(_GONE_WITHIN)
        self._bury()

    def drain(self) -> int | None:
        """End it with SIGTERM, and see whether it ends in order.

        Returns:
            Its exit status.
        """
        self._measure()
        status = self._bury()
        if status != 0:
            self.complaints.append(f"{self.name} ended with status {status} after SIGTERM")
        return status

    def finish(self) -> None:
        """Measure it a last time, and stop it. Idempotent."""
        if self.running:
            self.drain()
        elif self._guard is not None:
            self.complaints.append(f"{self.name} ended by itself")
            self._bury()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Let it stand still."""
        pid = self.pid
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def wait_ready(self, timeout: float) -> None:
        """Wait until events flow.

        Args:
            timeout: The longest wait, in seconds.
        """
        wait_until(
            lambda: self.get("/ready")[0] == 200,
            timeout,
            f"{self.name} is not ready ({self.unready()})",
        )

    def _measure(self) -> None:
        with contextlib.suppress(OSError):
            page = self.get("/metrics")[1].decode()
            samples = dict(line.rsplit(" ", 1) for line in page.splitlines())
            for title, name in METRICS.items():
                # All are there from the start: a name that is not is one that was changed.
                self.figures[title] += int(float(samples[name]))

    def _bury(self) -> int | None:
        """End it, keep its log, and look for faults there."""
        status = self.stop()
        (self._logs / f"{self.name}.{self._lives}.log").write_text(self.log())
        for line in self.log().splitlines():
            if "Traceback" in line or "Unhandled" in line:
                self.complaints.append(f"{self.name}, life {self._lives}: {line}")
        return status
