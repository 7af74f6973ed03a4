"""`towerws.network.proxy_header`; tests/integration/test_proxies.py has it at a server."""

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.protocols.policies import WrappingFactory
from twisted.trial.unittest import SynchronousTestCase

from tests.properties import PROPERTY
from towerws.network.proxy_header import (
    HAProxyProtocolWrapper,
    HAProxyWrappingFactory,
    ProxyHeaderProtocol,
    expect_header,
)

_HEADER = b"PROXY TCP4 203.0.113.9 192.0.2.1 40000 443\r\n"


class _Behind(Protocol):
    """What stands behind the header."""

    def __init__(self) -> None:
        self.data = b""

    def dataReceived(self, data: bytes) -> None:
        """Take note, or fail."""
        self.data += data
        if data == b"fault":
            raise ZeroDivisionError


class ProxyHeaderTests(SynchronousTestCase):
    """A connection that begins with a header, and those that do not."""

    def setUp(self) -> None:
        """Accept a connection."""
        self.behind = _Behind()
        factory: Any = HAProxyWrappingFactory(Factory.forProtocol(_Behind))
        self.protocol = ProxyHeaderProtocol(factory, self.behind)
        self.transport = StringTransport()
        self.protocol.makeConnection(self.transport)

    def test_header(self) -> None:
        """The address is that of the header, and the rest comes through."""
        self.protocol.dataReceived(_HEADER + b"hello")
        self.assertEqual(self.protocol.getPeer(), IPv4Address("TCP", "203.0.113.9", 40000))
        self.assertEqual(self.behind.data, b"hello")
        self.assertFalse(self.transport.disconnecting)

    def test_fault_behind(self) -> None:
        """What goes wrong behind the header is not hidden."""
        for data in (_HEADER + b"fault", b"fault"):
            self.assertRaises(ZeroDivisionError, self.protocol.dataReceived, data)

    @given(st.binary() | st.binary().map(lambda data: b"PROXY TCP4 " + data + b"\r\n"))
    @example(b"PROXY TCP4 \xff\xfe 1 2 3\r\n")
    @PROPERTY
    def test_anything_else(self, data: bytes) -> None:
        """Whatever comes in place of a header ends the connection, or is waited for; no more."""
        self.setUp()
        self.protocol.dataReceived(data)
        self.assertEqual(self.behind.data, b"")


class ExpectHeaderTests(SynchronousTestCase):
    """Ports whose connections begin with a header, with TLS behind it or not."""

    def test_port(self) -> None:
        """Wherever the header comes among what is in front of a protocol."""
        inner = HAProxyWrappingFactory(Factory.forProtocol(_Behind))
        for factory in (inner, WrappingFactory(inner)):
            inner.protocol = HAProxyProtocolWrapper
            expect_header(_Port(factory))  # type: ignore[arg-type]  # enough of one
            self.assertIs(inner.protocol, ProxyHeaderProtocol)

    def test_others(self) -> None:
        """Other ports stay as they are, also those that have no factory."""
        factory = Factory.forProtocol(_Behind)
        for port in (_Port(factory), object()):
            expect_header(port)  # type: ignore[arg-type]  # on purpose
        self.assertIs(factory.protocol, _Behind)


class _Port:
    """As much of a port as is looked at."""

    def __init__(self, factory: object) -> None:
        self.factory = factory
