"""`towerws.websocket.compression`: permessage-deflate as browsers and libraries negotiate it."""

import json
import random

from autobahn.websocket.compress import PerMessageDeflateOffer
from twisted.trial.unittest import SynchronousTestCase
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.protocol import State

from tests.hubs import publish
from tests.websocket_pair import ListenerCase, MemoryClient
from towerws.core.event import COMPRESS_FROM, WINDOW_BITS
from towerws.websocket.compression import accept_compression

#: What goes into Sec-WebSocket-Extensions of a handshake, by who sends it.
OFFERS = {
    # net/websockets/websocket_deflate_parameters.cc
    "Chrome": "permessage-deflate; client_max_window_bits",
    # netwerk/protocol/websocket/WebSocketChannel.cpp
    "Firefox": "permessage-deflate",
    # src/websockets/extensions/permessage_deflate.py, the defaults of `connect`
    "python-websockets": "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
    # lib/permessage-deflate.js, the defaults of `new WebSocket`
    "ws": "permessage-deflate; client_max_window_bits",
    "ws, sparing": "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    "largest window": "permessage-deflate; server_max_window_bits=15",
}

_ACCEPTED = (
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
    "server_max_window_bits=12"
)


class OfferTests(SynchronousTestCase):
    """`accept_compression` chooses by the window alone."""

    def test_first_that_fits(self) -> None:
        """The first offer with a window for our frames is accepted, in the client's order."""
        offers = [
            PerMessageDeflateOffer(request_max_window_bits=9),
            PerMessageDeflateOffer(request_max_window_bits=15),
            PerMessageDeflateOffer(),
        ]
        accepted = accept_compression(offers)
        assert accepted is not None
        self.assertIs(accepted.offer, offers[1])
        self.assertEqual(accepted.get_extension_string(), _ACCEPTED)

    def test_none_that_fits(self) -> None:
        """Smaller windows than ours, and extensions of other kinds, are declined."""
        offers = [PerMessageDeflateOffer(request_max_window_bits=bits) for bits in (9, 10, 11)]
        self.assertIsNone(accept_compression([*offers, object()]))
        self.assertIsNone(accept_compression([]))

    def test_window(self) -> None:
        """The windows from ours on are accepted."""
        for bits in range(WINDOW_BITS, 16):
            self.assertIsNotNone(
                accept_compression([PerMessageDeflateOffer(request_max_window_bits=bits)])
            )


class NegotiationTests(ListenerCase):
    """The whole handshake with what clients out there offer."""

    def setUp(self) -> None:
        """Listen as by default."""
        super().setUp()
        self.listener()

    def _answer(self, offer: str) -> str | None:
        """Make an offer; give the server's answer, and see that the connection works."""
        client = MemoryClient(
            self.reactor, self.factory, headers=[("Sec-WebSocket-Extensions", offer)]
        )
        # The library would refuse an answer to an offer that it did not make itself.
        self.patch(client.protocol, "process_extensions", lambda headers: [])
        client.connect()
        self.assertIs(client.protocol.state, State.OPEN, offer)
        self.assertEqual(client.texts(), [b'{"accept": true, "user": null}'])
        assert client.response is not None
        return client.response.headers.get("Sec-WebSocket-Extensions")

    def test_offers_of_the_field(self) -> None:
        """Everybody gets compression without context takeover in either direction."""
        for who, offer in OFFERS.items():
            self.assertEqual(self._answer(offer), _ACCEPTED, who)

    def test_small_window(self) -> None:
        """A client that can inflate no frame of ours gets them plain."""
        self.assertIsNone(self._answer("permessage-deflate; server_max_window_bits=10"))

    def test_second_offer(self) -> None:
        """A client may offer several, the first it likes best."""
        self.assertEqual(
            self._answer("permessage-deflate; server_max_window_bits=10, permessage-deflate"),
            _ACCEPTED,
        )

    def test_other_extensions(self) -> None:
        """Extensions that are not ours are passed over."""
        for offer in ("x-webkit-deflate-frame", "permessage-bzip2", "foo; bar=baz", ",", ""):
            self.assertIsNone(self._answer(offer), offer)
        self.assertEqual(self._answer("foo, permessage-deflate"), _ACCEPTED)

    def test_offers_that_are_not_understood(self) -> None:
        """RFC 7692, 7.1: an offer with wrong parameters is declined; the handshake goes on."""
        for offer in (
            "permessage-deflate; client_max_window_bits=8",  # allowed by the RFC, not by Autobahn
            "permessage-deflate; server_max_window_bits=8",
            "permessage-deflate; server_max_window_bits=7",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; unknown",
            "permessage-deflate; client_max_window_bits; client_max_window_bits",
        ):
            self.assertIn(self._answer(offer), (None, _ACCEPTED), offer)
        self.assertEqual(self._answer("permessage-deflate; unknown, permessage-deflate"), _ACCEPTED)


class TransferTests(ListenerCase):
    """Compressed frames, inflated by another library."""

    def setUp(self) -> None:
        """Connect two clients with compression and one without."""
        super().setUp()
        self.listener()
        self.deflating = [
            self.subscriber("jobs-1", extensions=[ClientPerMessageDeflateFactory()])
            for _ in range(2)
        ]
        self.plain = self.subscriber("jobs-1")
        chance = random.Random(7)
        words = [str(chance.randrange(10**6)) for _ in range(100)]
        self.large = json.dumps({"stdout": " ".join(chance.choices(words, k=30_000))}).encode()

    def test_large_event(self) -> None:
        """A large event crosses the wire small, and arrives byte for byte; in order with others."""
        small = b'{"small": 1}'
        events = [small, self.large, small, self.large + b" ", small]
        for payload in events:
            publish(self.hub, ("jobs-1", payload))
        wire = self.deflating[0].wire
        wire.drain()
        self.assertLess(len(wire.taken), len(self.large))
        for client in (*self.deflating, self.plain):
            self.assertEqual(client.texts(), events)

    def test_one_frame_for_everybody(self) -> None:
        """All clients of a kind are handed the very same bytes object."""
        written: list[tuple[MemoryClient, bytes]] = []
        for client in (*self.deflating, self.plain):
            self.patch(
                client.wire,
                "write",
                lambda data, client=client: written.append((client, data)),
            )
        publish(self.hub, ("jobs-1", self.large))
        frames = dict(written)
        self.assertEqual(len(written), 3)
        first, second = (frames[client] for client in self.deflating)
        self.assertIs(first, second)
        self.assertNotEqual(first, frames[self.plain])

    def test_threshold(self) -> None:
        """Compression begins where it saves packets."""
        for size, compressed in ((COMPRESS_FROM - 1, False), (COMPRESS_FROM, True)):
            payload = b'{"x": "%s"}' % (b"x" * (size - 9))
            publish(self.hub, ("jobs-1", payload))
            wire = self.deflating[0].wire
            wire.drain()
            self.assertEqual(bool(wire.taken[0] & 0x40), compressed)
            self.assertEqual(self.deflating[0].texts(), [payload])

    def test_compressed_messages_of_clients(self) -> None:
        """What clients compress is understood, message by message."""
        client = self.deflating[0]
        for number in (2, 3, 2):
            client.send(json.dumps({"groups": {"jobs": [number]}}))
            self.assertIn(f'"groups_current": ["jobs-{number}"]'.encode(), client.texts()[0])
