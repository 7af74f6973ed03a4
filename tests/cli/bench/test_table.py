"""What came out of a load test, for people."""

from collections import Counter
from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from tests.cli.bench.test_result import of, result
from towerws.cli.bench.result import Deliveries
from towerws.cli.bench.table import table

GOOD = """\
2 connections to server:1, profile awx, 1 group, 1 events/s in each, 256 bytes, 3 s

connections             2 of 2 subscribed
events                  3 of 3 published and confirmed
deliveries              6 of 6, 2 per second
                        0 lost, 0 duplicated, 0 out of order
load generator          0% of a core

milliseconds                   p50       p99     p99.9       max
latency                       4.00      4.00      4.00      4.00
until confirmed                  -         -         -         -
until open                    1.00      1.00      1.00      1.00
until subscribed              2.00      2.00      2.00      2.00
publishing behind                -         -         -         -
load generator's lag             -         -         -         -
"""


class TableTests(SynchronousTestCase):
    """`table` writes lines."""

    def test_good(self) -> None:
        """A test in which all went well."""
        self.assertEqual(table(result()), GOOD)

    def test_bad(self) -> None:
        """Reasons stand below what they are about; nothing in them drives the terminal."""
        bad = result(interrupted=True, deliveries=Deliveries(1000, 2, 3, 4))
        bad.plan = replace(bad.plan, groups=2, burst=16, profile="v1")
        bad.seen.failed = Counter({"HTTP 503 \x1b[2J": 1200})
        bad.seen.lost = Counter({"closed with 1013 slow": 2})
        bad.seen.gaps = Counter({"away": 3})
        bad.published.failures = Counter({"away": 5})
        bad.published.confirm = of(1234)
        bad.seen.errors["no"] = 1
        text = table(bad)
        self.assertIn(
            ", profile v1, 2 groups, 1 events/s in each, 256 bytes, 3 s, bursts of 16 (int", text
        )
        for line in (
            "                        1,200 failed: HTTP 503 \\x1b[2J",
            "                        2 lost: closed with 1013 slow",
            "                        3 gaps: away",
            "                        5 failed: away",
            "deliveries              1,000 of 1,002, 2 per second",
            "                        2 lost, 3 duplicated, 4 out of order",
            "until confirmed           1,234.00  1,234.00  1,234.00  1,234.00",
            "note: the server says: no (1x)",
        ):
            self.assertIn(line, text.splitlines())
