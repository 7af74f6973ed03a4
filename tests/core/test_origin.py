"""Tests of the check of the ``Origin`` header."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.properties import PROPERTY
from towerws.core.origin import ANY, is_named, is_own, normalize

_ODD = st.text(st.sampled_from("htps:/[].@?#*%0189aZé\t \\") | st.characters(), max_size=20)


class NormalizeTests(SynchronousTestCase):
    """`normalize` gives the form that browsers send."""

    def test_forms(self) -> None:
        """Case and the default port do not matter; other ports stay."""
        for typed, expected in (
            ("https://awx.example.org", "https://awx.example.org"),
            ("HTTPS://AWX.Example.ORG", "https://awx.example.org"),
            ("https://awx.example.org:443", "https://awx.example.org"),
            ("http://awx.example.org:80", "http://awx.example.org"),
            ("http://awx.example.org:443", "http://awx.example.org:443"),
            ("https://awx.example.org:8443", "https://awx.example.org:8443"),
            ("https://awx.example.org:0", "https://awx.example.org:0"),
            ("https://192.0.2.1:443", "https://192.0.2.1"),
            ("https://[2001:DB8::1]", "https://[2001:db8::1]"),
            ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
            ("app://towerws", "app://towerws"),
            ("null", "null"),
            (ANY, "*"),
        ):
            self.assertEqual(normalize(typed), expected)
            self.assertEqual(normalize(expected), expected)

    def test_no_origin(self) -> None:
        """What is not an origin is refused with what was typed."""
        for typed in (
            "",
            "awx.example.org",
            "awx.example.org:443",
            "https://",
            "https:///",
            "https://awx.example.org/",
            "https://awx.example.org/websocket/",
            "https://awx.example.org?a",
            "https://awx.example.org#a",
            "https://user@awx.example.org",
            "https://awx.example.org:https",
            "https://awx.example.org:65536",
            "https://[::1",
            "https://[]:443",
            "//awx.example.org",
            "*.example.org",
        ):
            error = self.assertRaises(ValueError, normalize, typed)
            self.assertEqual(
                str(error), f"{typed!r} is not an origin such as https://awx.example.org"
            )


class OwnTests(SynchronousTestCase):
    """`is_own` compares a page with what it connects to."""

    def test_own_host(self) -> None:
        """A page of the host that it connects to is let in, default ports named or not."""
        for origin, host in (
            ("https://awx.example.org", "awx.example.org"),
            ("https://awx.example.org", "awx.example.org:443"),
            ("http://awx.example.org", "awx.example.org:80"),
            ("https://awx.example.org:8443", "awx.example.org:8443"),
            ("https://awx.example.org", "AWX.example.org"),
            ("http://localhost:8051", "localhost:8051"),
            ("https://[::1]:8443", "[::1]:8443"),
        ):
            self.assertTrue(is_own(origin, host), (origin, host))

    def test_other_hosts(self) -> None:
        """Pages of other hosts and ports are not."""
        for origin, host in (
            ("https://evil.example", "awx.example.org"),
            ("https://awx.example.org.evil.example", "awx.example.org"),
            ("https://evil.example", "awx.example.org@evil.example"),
            ("https://example.org", "awx.example.org"),
            ("https://awx.example.org:8443", "awx.example.org"),
            ("https://awx.example.org:0", "awx.example.org"),
            ("https://awx.example.org", "awx.example.org:80"),
            ("https://[::1:8443]", "[::1]:8443"),
            ("https://evil.example", ""),
            ("https://evil.example", "[evil"),
        ):
            self.assertFalse(is_own(origin, host), (origin, host))

    def test_schemes(self) -> None:
        """Where the scheme is known, a page of the other one is not its own."""
        for origin, scheme, expected in (
            ("https://awx.example.org", "https", True),
            ("http://awx.example.org", "https", False),
            ("https://awx.example.org", "http", False),
            ("http://awx.example.org", None, True),
        ):
            self.assertEqual(is_own(origin, "awx.example.org", scheme), expected)
        self.assertFalse(is_own("http://awx.example.org:443", "awx.example.org:443", "https"))

    def test_no_origins(self) -> None:
        """What browsers send for pages without an origin, and what is none, is not let in."""
        for origin in ("null", "", "awx.example.org", "file://", "https://[", ANY):
            self.assertFalse(is_own(origin, "awx.example.org"), origin)
            self.assertFalse(is_named(origin, ()), origin)

    @given(_ODD, _ODD)
    @PROPERTY
    def test_any_headers(self, origin: str, host: str) -> None:
        """No header raises, and none passes for a host that it does not name."""
        self.assertFalse(is_own("https://evil.example", host))
        self.assertFalse(is_named(origin, ["https://ui.example"]))
        if is_own(origin, host):
            self.assertEqual(normalize(f"{origin.partition(':')[0]}://{host}"), normalize(origin))


class NamedTests(SynchronousTestCase):
    """`is_named` knows the operator's list."""

    def test_named(self) -> None:
        """Other origins are let in if they are named, in any spelling."""
        allowed = {"https://portal.example.org", "https://[2001:db8::1]:8443", "null"}
        for origin in (
            "https://portal.example.org",
            "HTTPS://Portal.example.org:443",
            "https://[2001:DB8::1]:8443",
            "null",
        ):
            self.assertTrue(is_named(origin, allowed), origin)
        for origin in ("http://portal.example.org", "https://portal.example.org:8443", "nul"):
            self.assertFalse(is_named(origin, allowed), origin)

    def test_any(self) -> None:
        """With ``*`` everything is, even what is no origin."""
        for origin in ("https://evil.example", "null", "", "["):
            self.assertTrue(is_named(origin, {ANY}), origin)
