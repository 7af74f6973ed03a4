"""What a load test is to do."""

import contextlib
import io
from argparse import ArgumentParser

from twisted.trial.unittest import SynchronousTestCase

from towerws.cli.bench.plan import Plan, add_arguments
from towerws.cli.errors import CommandError


def plan(*argv: str) -> Plan:
    """Make the plan of a command line."""
    parser = ArgumentParser()
    add_arguments(parser)
    return Plan.of(parser.parse_args(argv))


class PlanTests(SynchronousTestCase):
    """`Plan` is what the options say, within bounds."""

    def test_defaults(self) -> None:
        """Without options it is the default one, which runs anywhere."""
        self.assertEqual(plan(), Plan())
        self.assertEqual((Plan().duration, Plan().events), (11, 110))

    def test_options(self) -> None:
        """Every field has its option."""
        argv = "--connections 7 --groups 3 --rate 0.5 --seconds 2 --warm-up 0 --burst 4 --size 99"
        argv += " --connect-rate 20 --publishers 5 --profile v1"
        made = plan(*argv.split())
        self.assertEqual(made, Plan(7, 3, 0.5, 2, 0, 4, 99, 20, 5, "v1"))
        self.assertEqual((made.parts, Plan().parts), (3, 1))

    def test_bounds(self) -> None:
        """Every number has a smallest and a largest value, and a sentence that names them."""
        for option, good, bad in (
            ("--connections", "50000", "50001"),
            ("--connections", "10", "0"),
            ("--groups", "100", "1.5"),
            ("--rate", "1000", "nan"),
            ("--rate", "0.01", "0.001"),
            ("--seconds", "3600", "3601"),
            ("--warm-up", "0", "-0.5"),
            ("--burst", "1000", "1001"),
            ("--size", "59", "58"),
            ("--connect-rate", "10000", "inf"),
            ("--publishers", "32", "33"),
        ):
            plan(option, good)
            stderr = io.StringIO()
            with contextlib.redirect_stderr(stderr):
                self.assertRaises(SystemExit, plan, option, bad)
            self.assertRegex(stderr.getvalue(), f"{option}: '{bad}' is not a .*number from .* to ")

    def test_what_does_not_go_together(self) -> None:
        """More groups than connections, and more events than anybody publishes."""
        for argv, words in (
            ("--connections 5 --groups 6", "6 groups are more than 5 connections"),
            ("--groups 100 --rate 101", "10,100 events per second; 10,000 is the most"),
        ):
            error = self.assertRaises(CommandError, plan, *argv.split())
            self.assertIn(words, str(error))

    def test_bursts(self) -> None:
        """As many bursts as begin before the end, without those that rounding would add."""
        for rate, groups, seconds, burst, bursts in (
            (20.0, 10, 11, 1, 2200),
            (0.1, 10, 3, 1, 3),  # 3.0000000000000004
            (1.0, 3, 10, 16, 2),
            (0.01, 1, 1, 1, 1),
        ):
            made = Plan(groups=groups, rate=rate, seconds=seconds, warm_up=0, burst=burst)
            self.assertEqual((made.bursts, made.events), (bursts, bursts * burst))
