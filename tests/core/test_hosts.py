"""`towerws.core.hosts`: which ``Host`` headers a rebound name cannot have."""

from ipaddress import IPv4Address, IPv6Address

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.properties import CHARACTERS, PROPERTY
from towerws.core.hosts import is_host, is_local_host

_PORT = st.just("") | st.integers(0, 65535).map(lambda port: f":{port}")
_ODD = st.text(st.sampled_from("localhost127.0:[]@#%/\\ \t\r\né。") | CHARACTERS, max_size=24)


class IsLocalHostTests(SynchronousTestCase):
    """`is_local_host`."""

    def test_local(self) -> None:
        """Names of this machine and addresses, however they are written."""
        for host in (
            "localhost",
            "localhost:8052",
            "localhost:",
            "LOCALHOST:8052",
            "localhost.",
            "localhost.:8052",
            " \tlocalhost ",
            "towerws.localhost",
            "a.b.localhost:1",
            "127.0.0.1",
            "127.0.0.1:8052",
            "127.0.0.1.:8052",
            "127.8.9.10",
            "[::1]",
            "[::1]:8052",
            "[::FFFF:127.0.0.1]",
            "192.0.2.1:8052",
            "[2001:db8::1]:443",
        ):
            self.assertTrue(is_local_host(host), host)

    def test_names_of_others(self) -> None:
        """Names that somebody's DNS answers for, also those that look like an address of ours."""
        for host in (
            "evil.example",
            "evil.example:8052",
            "localhost.evil.example",
            "evillocalhost",
            "127.0.0.1.evil.example",
            "127.0.0.1.nip.io:8052",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "127.1",
            "tower",
        ):
            self.assertFalse(is_local_host(host), host)

    def test_no_host(self) -> None:
        """What is no host is none of ours: whoever reads it otherwise may see another name."""
        for host in (
            "",
            ":8052",
            ".",
            "localhost..",
            ".localhost",
            "a..localhost",
            "localhost:http",
            "localhost:-1",
            "localhost:123456",
            "localhost:80:80",
            "localhost, evil.example",
            "localhost evil.example",
            "localhost/",
            "localhost\n",
            "localhost\x00",
            "http://localhost",
            "evil.example@localhost",
            "localhost@evil.example",
            "localhost#.evil.example",
            "localhost%2eevil.example",
            "::1",
            "[::1",
            "::1]",
            "[]",
            "[::1].",
            "[localhost]",
            "[127.0.0.1]",
            "[::1%25lo]",
            "[::1]evil.example",
            "[::1]:80.evil.example",
            "\N{FULLWIDTH LATIN SMALL LETTER L}ocalhost",
            "\N{KELVIN SIGN}.localhost",
            "١٢٧.0.0.1",
            "127。0。0。1",
        ):
            self.assertFalse(is_local_host(host), host)

    @given(st.ip_addresses(), _PORT)
    @PROPERTY
    def test_any_address(self, address: IPv4Address | IPv6Address, port: str) -> None:
        """Every address is one, as browsers write it."""
        host = f"[{address}]" if address.version == 6 else str(address)
        self.assertTrue(is_local_host(host + port))

    @given(st.sampled_from(["evil.example", "org", "x--y.z", "1.2.3", "1.2.3.4.5"]), _PORT)
    @PROPERTY
    def test_any_name(self, name: str, port: str) -> None:
        """Every name below someone else's is theirs, whatever stands before it."""
        for before in ("", "localhost.", "127.0.0.1.", "[::1].", "user@"):
            self.assertFalse(is_local_host(before + name + port))

    @given(_ODD)
    @PROPERTY
    def test_anything(self, host: str) -> None:
        """Whatever is sent is decided upon, and what is local has nothing odd in it."""
        if is_local_host(host):
            self.assertRegex(host.strip(" \t"), r"\A[A-Za-z0-9._:\[\]-]+\Z")


class HostTests(SynchronousTestCase):
    """`is_host` knows what a ``Host`` header may be, wherever it leads."""

    def test_hosts(self) -> None:
        """Names and addresses, with or without a port."""
        for host in ("localhost", "awx.example.org:8043", "a_b", "192.0.2.1:80", "[::1]", "a."):
            self.assertTrue(is_host(host), host)

    def test_no_hosts(self) -> None:
        """What a URL would not have between its slashes is none, and neither are users."""
        for host in ("", " ", "a b", "user@a", "a/b", "a?b", "a#b", "[::1", "a,b", "http://a"):
            self.assertFalse(is_host(host), host)
