"""`towerws bench`: a load test of one's own installation."""

import json
import secrets
import sys
import time
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from contextlib import ExitStack
from functools import partial
from typing import Any, TextIO

from towerws.cli import connecting, emit
from towerws.cli.bench import plan as plans
from towerws.cli.bench import preflight
from towerws.cli.bench.course import Course
from towerws.cli.bench.crowd import Crowd
from towerws.cli.bench.lag import LagMeter
from towerws.cli.bench.observations import Observations
from towerws.cli.bench.plan import Plan
from towerws.cli.bench.publishing import Publishing
from towerws.cli.bench.result import Result
from towerws.cli.bench.table import table
from towerws.cli.errors import INTERRUPTED
from towerws.cli.progress import ProgressLine
from towerws.cli.reactor import run_in_reactor

_EPILOG = """\
Each connection subscribes to one of the groups, which have names of their own (bench_...), so that
nobody else hears of the test. Events are published as `towerws emit` does it, those of a group one
after the other, each when the one before is confirmed. Latency is the time from there to the
receipt.

environment:
  TOWERWS_URL     where to publish to, where --url is not given
  TOWERWS_TOKEN   the bearer token of the operators' site
  TOWERWS_WS_URL  where to listen, where --ws-url is not given
  TOWERWS_COOKIE  the Cookie header; see `towerws listen --help`
  TOWERWS_BEARER  a token, sent as Authorization: Bearer

exit status: 0 when every connection was opened and every event published and delivered, once and in
order, and no gap was told; 1 when not; 130 after Ctrl-C, which prints what there is so far."""


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the command and its arguments.

    Args:
        parser: The parser of this command alone.
    """
    parser.description = "Put your own installation under load, and tell how it did."
    parser.epilog = _EPILOG
    parser.formatter_class = RawDescriptionHelpFormatter
    plans.add_arguments(parser)
    parser.add_argument(
        "--ws-url",
        metavar="URL",
        help="ws://, wss:// or ws+unix:///path/of/socket, where to listen "
        f"(default {connecting.DEFAULT_URL})",
    )
    emit.add_url(parser)
    connecting.add_header(parser)
    parser.add_argument(
        "--remote",
        action="store_true",
        help="allow a server or broker on another machine; it must be yours to put under load",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object, not a table")


def run(arguments: Namespace) -> int:
    """Test.

    Args:
        arguments: What the parser made of the command line.

    Returns:
        The exit status.

    Raises:
        CommandError: The test cannot begin.
        BrokenPipeError: Nobody reads our standard output any more.
    """
    plan = Plan.of(arguments)
    target = connecting.target_of(arguments.ws_url)
    if not arguments.remote:
        hosts = preflight.hosts_published_to(arguments.url)
        if target.socket is None:
            hosts.append((target.host, target.port))
        preflight.require_loopback(hosts)
    preflight.allow_open_files(plan.connections)
    if target.socket is None:
        preflight.check_ports(plan.connections)
    address = preflight.find_server(target)
    # Two tests at a time do not hear each other, and nobody else hears either.
    test = secrets.token_hex(4)
    groups = [f"bench_{test}-{number}" for number in range(plan.groups)]
    subscriptions = [connecting.subscription_to([name], arguments.header) for name in groups]
    with ExitStack() as stack:
        # Without a pause after a failure: each event is to be tried.
        publishers = [emit.open_publisher(arguments.url, pause=0) for _ in range(plan.parts)]
        emits = [partial(stack.enter_context(each).emit, strict=True) for each in publishers]
        publishing = Publishing(emits, groups, plan)

        async def test_in(reactor: Any) -> int:
            seen, clock = Observations(), time.monotonic_ns
            crowd = Crowd(
                reactor,
                target,
                address,
                subscriptions,
                seen,
                clock=clock,
                subprotocol=plans.PROFILES[plan.profile],
            )
            result = Result(plan, target.name, seen, publishing, LagMeter(reactor))
            await Course(reactor, result, crowd, ProgressLine(sys.stderr), clock=clock).run()
            return report(result, sys.stdout, as_json=arguments.json)

        return run_in_reactor(test_in)


def report(result: Result, stdout: TextIO, *, as_json: bool) -> int:
    """Print what came out.

    Args:
        result: The load test.
        stdout: Where to.
        as_json: Whether as one JSON object, or as a table.

    Returns:
        The exit status.

    Raises:
        BrokenPipeError: Nobody reads it.
    """
    stdout.write(json.dumps(result.document()) + "\n" if as_json else table(result))
    stdout.flush()
    if result.interrupted:
        return INTERRUPTED
    return 0 if result.ok else 1
