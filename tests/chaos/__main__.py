"""`python -m tests.chaos`, which is what `make chaos` runs."""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.chaos.report import evidence, table
from tests.chaos.run import Report, run
from tests.chaos.world import Scale
from tests.integration.rabbitmq import RabbitMQNode

#: What `make chaos` does, and what `make test` does of it.
_LONG = Scale("", 150.0, clients=200, groups=40, joined=3, rate=150.0, threads=4, seed=0)
_SHORT = Scale("", 6.0, clients=30, groups=8, joined=3, rate=60.0, threads=2, seed=0, pace=3.0)

_MODES = {"classic": ("classic",), "stream": ("stream",), "both": ("classic", "stream")}


def main(arguments: Sequence[str]) -> int:
    """Run it.

    Args:
        arguments: The command line.

    Returns:
        The exit status: 0 if nothing was lost in silence, 1 otherwise.
    """
    options = _parser().parse_args(arguments)
    scale = _SHORT if options.short else _LONG
    scale = replace(
        scale,
        seconds=scale.seconds if options.seconds is None else options.seconds,
        clients=scale.clients if options.clients is None else options.clients,
        seed=random.randrange(1 << 30) if options.seed is None else options.seed,
    )
    logs = Path(tempfile.mkdtemp(prefix="towerws-chaos-"))
    modes = _MODES[options.mode]
    _say(
        f"seed {scale.seed}: {scale.clients} clients in {scale.joined} of {scale.groups} groups, "
        f"2 servers, faults for {scale.seconds:g} s in each mode: {', '.join(modes)}"
    )
    began = time.monotonic()
    reports = _run([replace(scale, mode=mode) for mode in modes], logs, options.delete_stream)
    _say(table(reports))
    for report in reports:
        if not report.ok:
            _say(f"\n{evidence(report)}")
            (logs / f"{report.scale.mode}.txt").write_text(evidence(report, sys.maxsize))
    is_ok = all(report.ok for report in reports)
    _say(f"\nseed {scale.seed}, {time.monotonic() - began:.0f} s")
    if is_ok:
        shutil.rmtree(logs)
        _say("nothing was lost in silence")
    else:
        _say(f"FAILED; the servers' logs and all evidence are in {logs}")
    return 0 if is_ok else 1


class _Progress:
    """Says what happens, and when."""

    def __init__(self, mode: str) -> None:
        self._mode = mode
        self._began = time.monotonic()

    def __call__(self, text: str) -> None:
        _say(f"{time.monotonic() - self._began:6.1f} s  {self._mode}: {text}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _run(scales: Sequence[Scale], logs: Path, delete_stream: bool) -> list[Report]:
    node = RabbitMQNode()
    node.start()
    try:
        return [
            asyncio.run(run(scale, node, logs, _Progress(scale.mode), delete_stream=delete_stream))
            for scale in scales
        ]
    finally:
        node.stop()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--mode", choices=sorted(_MODES), default="both")
    parser.add_argument("--seed", type=int, help="decides which fault comes when")
    parser.add_argument("--seconds", type=float, help="how long faults rain in each mode")
    parser.add_argument("--clients", type=int)
    parser.add_argument("--short", action="store_true", help="what make test does")
    parser.add_argument(
        "--delete-stream", action="store_true",
        help="delete the stream as well: data is lost, and clients have to be told",
    )  # fmt: skip
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
