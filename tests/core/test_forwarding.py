"""Tests of what is believed of proxies."""

from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.properties import PROPERTY
from towerws.core.forwarding import MAX_HOPS, Proxies, parse_address

_NGINX = "10.0.0.5"
_ODD = st.text(st.sampled_from("0123456789abcdef.:[]%,_ \t") | st.characters(), max_size=60)


class TrustTests(SynchronousTestCase):
    """`trusts` knows the addresses that were named."""

    def test_values(self) -> None:
        """Addresses, networks and Unix sockets, each for itself."""
        for value, trusted, others in (
            ("10.0.0.5", ["10.0.0.5", "::ffff:10.0.0.5"], ["10.0.0.6", ""]),
            ("10.0.0.0/8", ["10.0.0.5", "10.255.255.255"], ["11.0.0.0", "127.0.0.1", ""]),
            ("2001:db8::/32", ["2001:db8::1", "2001:db8:ffff::"], ["2001:db9::1", "10.0.0.5"]),
            ("::1", ["::1"], ["127.0.0.1", "::2"]),
            ("unix", [""], ["127.0.0.1", "unix", "garbage"]),
        ):
            proxies = Proxies([value])
            self.assertEqual([proxies.trusts(each) for each in trusted], [True] * len(trusted))
            self.assertEqual([proxies.trusts(each) for each in others], [False] * len(others))

    def test_equality(self) -> None:
        """The same proxies are equal, in whatever order."""
        some = ["10.0.0.5", "::/64", "unix"]
        self.assertEqual(Proxies(some), Proxies(reversed(some)))
        self.assertEqual(hash(Proxies(some)), hash(Proxies(reversed(some))))
        for others in (some[:2], some[1:], [*some, "10.0.0.6"]):
            self.assertNotEqual(Proxies(some), Proxies(others))
        self.assertNotEqual(Proxies(()), ())

    def test_nobody(self) -> None:
        """Nobody is trusted who is not named, this machine included."""
        for peer in ("", "127.0.0.1", "::1", "10.0.0.5"):
            self.assertFalse(Proxies(()).trusts(peer))

    def test_wrong_values(self) -> None:
        """What is neither is refused with what was typed."""
        for value in ("", "nginx", "10.0.0.5:80", "10.0.0.5/8", "10.0.0.0/33", "Unix", "*"):
            error = self.assertRaises(ValueError, Proxies, ["::1", value])
            self.assertEqual(
                str(error),
                f"{value!r} is neither an IP address nor a network such as 10.0.0.0/8, nor unix",
            )


class ClientAddressTests(SynchronousTestCase):
    """`client_address` looks behind trusted proxies."""

    def setUp(self) -> None:
        """Trust a network and one address of another."""
        self.proxies = Proxies(["10.0.0.0/24", "192.0.2.1"])

    def _assert_found(self, forwarded_for: str, address: str) -> None:
        self.assertEqual(self.proxies.client_address(_NGINX, forwarded_for), address)

    def test_untrusted(self) -> None:
        """Others are themselves, whatever they claim."""
        for peer in ("203.0.113.9", "127.0.0.1", "", "2001:db8::1"):
            self.assertEqual(self.proxies.client_address(peer, "198.51.100.7"), peer)

    def test_direct(self) -> None:
        """Without the header it is the proxy itself."""
        self.assertEqual(self.proxies.client_address(_NGINX, None), _NGINX)
        self.assertEqual(Proxies(["unix"]).client_address("", None), "")

    def test_unix(self) -> None:
        """A proxy on a Unix socket is believed if it was named."""
        self.assertEqual(Proxies(["unix"]).client_address("", "203.0.113.9"), "203.0.113.9")

    def test_from_the_end(self) -> None:
        """What stands behind the first stranger counts, whatever that one sent."""
        self._assert_found("203.0.113.9", "203.0.113.9")
        self._assert_found("198.51.100.7, 203.0.113.9", "203.0.113.9")
        self._assert_found("198.51.100.7,203.0.113.9 ,192.0.2.1,\t10.0.0.6", "203.0.113.9")
        self._assert_found("127.0.0.1, 10.0.0.7, 203.0.113.9", "203.0.113.9")

    def test_only_proxies(self) -> None:
        """If all are trusted it is the one that is farthest away."""
        self._assert_found("10.0.0.9, 192.0.2.1, 10.0.0.6", "10.0.0.9")

    def test_spellings(self) -> None:
        """Ports, brackets, zones and IPv4 within IPv6 are understood."""
        for spelling, address in (
            ("203.0.113.9:1234", "203.0.113.9"),
            ("[2001:DB8::1]:443", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("2001:db8:0::1", "2001:db8::1"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("[::ffff:203.0.113.9]:80", "203.0.113.9"),
            ("fe80::1%eth0", "fe80::1"),
        ):
            self._assert_found(spelling, address)
            self._assert_found(f"198.51.100.7, {spelling}", address)
        self.assertEqual(
            self.proxies.client_address("::ffff:10.0.0.5", "::ffff:10.0.0.6"), "10.0.0.6"
        )
        self.assertEqual(self.proxies.client_address("fe80::1%eth0", None), "fe80::1")

    def test_no_addresses(self) -> None:
        """Behind what is no address nobody is found: it is the proxy that wrote it."""
        for entry in (
            "", " ", "unknown", "_hidden", "unix:", "example.org", "203.0.113.999", "1", "[::1",
            "[]", "[::1]x", "203.0.113.09", "10.0.0.0/8", "1:2", "%", "x" * 60_000,
            '"203.0.113.9"',
        ):  # fmt: skip
            self._assert_found(f"198.51.100.7, {entry}", _NGINX)
            self._assert_found(f"198.51.100.7, {entry}, 10.0.0.6", "10.0.0.6")

    def test_memory(self) -> None:
        """What clients write in place of an address is not remembered, long as it may be."""
        self._assert_found("10.0.0.6", "10.0.0.6")
        remembered = parse_address.cache_info().currsize
        for letter in "abc":
            self._assert_found(f"{letter * 60_000}, 10.0.0.6", "10.0.0.6")
        self.assertEqual(parse_address.cache_info().currsize, remembered)

    def test_hops(self) -> None:
        """Not more than some are looked at, and a long header takes no time."""
        near = ", ".join(["10.0.0.6"] * (MAX_HOPS - 1))
        self._assert_found(f"198.51.100.7, 203.0.113.9, {near}", "203.0.113.9")
        self._assert_found(f"203.0.113.9, 10.0.0.6, {near}", "10.0.0.6")
        self._assert_found("," * 65_000, _NGINX)

    def test_odd_peer(self) -> None:
        """A peer that is no address is nobody's proxy and stays what it is."""
        self.assertEqual(self.proxies.client_address("garbage", "203.0.113.9"), "garbage")

    @given(_ODD, _ODD)
    @PROPERTY
    def test_any_header(self, peer: str, forwarded_for: str) -> None:
        """No header raises, and the answer is an address or the peer."""
        for proxies in (self.proxies, Proxies(["::/0", "0.0.0.0/0", "unix"])):
            found = proxies.client_address(peer, forwarded_for)
            if found != peer:
                ip_address(found)
            self.assertIsInstance(proxies.trusts(peer), bool)


class SchemeTests(SynchronousTestCase):
    """`scheme` is what a trusted proxy says."""

    def test_values(self) -> None:
        """Both schemes, in any spelling, and those of websockets."""
        for value, scheme in (
            ("https", "https"),
            ("HTTP", "http"),
            ("wss", "https"),
            ("ws", "http"),
            ("https, https", "https"),
            ("https, http", None),
            ("https,", None),
            ("", None),
            ("ftp", None),
            (None, None),
        ):
            self.assertEqual(Proxies([_NGINX]).scheme(_NGINX, value), scheme)

    def test_untrusted(self) -> None:
        """Others are not believed."""
        for peer in ("203.0.113.9", ""):
            self.assertIsNone(Proxies([_NGINX]).scheme(peer, "https"))
        self.assertEqual(Proxies(["unix"]).scheme("", "https"), "https")
