"""Tests of the framing of events, with a decoder that is not ours."""

import random
import zlib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.fakes import read_frames
from tests.properties import CHARACTERS, PROPERTY
from towerws.core.event import COMPRESS_FROM, WINDOW_BITS, Event, Frames, Variant, encode

#: What DEFLATE writes at the end of a flush.
_TAIL = b"\x00\x00\xff\xff"

#: Characters that UTF-8 writes in one, two, three and four bytes.
_PLANES = (range(0x80), range(0x80, 0x800), range(0x800, 0xD800), range(0x10000, 0x110000))


class EncodeTests(SynchronousTestCase):
    """`encode` gives one whole frame of RFC 6455."""

    def test_sizes(self) -> None:
        """protocol.md, transport: text frames, never fragmented; each form of length is right."""
        for size, header in (
            (0, b"\x81\x00"),
            (1, b"\x81\x01"),
            (125, b"\x81\x7d"),
            (126, b"\x81\x7e\x00\x7e"),
            (127, b"\x81\x7e\x00\x7f"),
            (65535, b"\x81\x7e\xff\xff"),
            (65536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
        ):
            payload = b"x" * size
            self.assertEqual(encode(payload, Variant.PLAIN), header + payload)
            for variant in Variant:
                frame = encode(payload, variant)
                read = read_frames(frame, inflate=variant.compresses)
                self.assertEqual(read, [payload])

    def test_compresses_from(self) -> None:
        """protocol.md, transport: small events go uncompressed."""
        for size, first in ((COMPRESS_FROM - 1, 0x81), (COMPRESS_FROM, 0xC1)):
            frame = encode(b"x" * size, Variant.DEFLATE)
            self.assertEqual(frame[0], first)
            self.assertEqual(read_frames(frame, inflate=True), [b"x" * size])

    def test_plain_is_plain(self) -> None:
        """Where permessage-deflate was not negotiated nothing is compressed."""
        payload = b"x" * 100_000
        self.assertEqual(read_frames(encode(payload, Variant.PLAIN), inflate=False), [payload])

    def test_incompressible(self) -> None:
        """What compression would only make longer goes as it is."""
        chance = random.Random(1)
        # Weighted so that all bytes that UTF-8 has are about equally frequent.
        planes = chance.choices(_PLANES, weights=(128, 30, 16, 5), k=1500)
        payload = "".join(chr(chance.choice(plane)) for plane in planes).encode()
        frame = encode(payload, Variant.DEFLATE)
        self.assertEqual(frame[0], 0x81)
        self.assertEqual(read_frames(frame, inflate=True), [payload])

    def test_no_shared_context(self) -> None:
        """protocol.md, transport: no server context takeover, so each frame stands alone.

        Connections that got different events before can inflate it all the same.
        """
        payloads = [b'{"n": %d, "text": "%b"}' % (n, b"lorem ipsum " * 200) for n in range(3)]
        frames = [encode(payload, Variant.DEFLATE) for payload in payloads]
        self.assertEqual(
            read_frames(frames[2] + frames[0], inflate=True), [payloads[2], payloads[0]]
        )

    def test_window(self) -> None:
        """No more than the announced window is used: what lies further back is not referred to."""
        far = random.Random(2).randbytes(1 << WINDOW_BITS).hex().encode()
        rest = encode(far * 3, Variant.DEFLATE)[4:] + _TAIL
        inflate = zlib.decompressobj(wbits=-WINDOW_BITS)
        inflated = b""
        while rest:
            # In small pieces, or zlib would look further back in what it has just put out.
            inflated += inflate.decompress(rest, 100)
            rest = inflate.unconsumed_tail
        self.assertEqual(inflated, far * 3)

    def test_tail(self) -> None:
        """RFC 7692, section 7.2.1: the end of a flush is cut off, for the client to put back."""
        frame = encode(b"x" * COMPRESS_FROM, Variant.DEFLATE)
        self.assertFalse(frame.endswith(_TAIL))
        self.assertEqual(
            zlib.decompress(frame[2:] + _TAIL + b"\x03\x00", wbits=-15), b"x" * COMPRESS_FROM
        )

    @given(st.text(CHARACTERS, max_size=40), st.integers(0, 300), st.sampled_from(Variant))
    @PROPERTY
    def test_any_text(self, text: str, times: int, variant: Variant) -> None:
        """protocol.md, profile awx, row "server, event": byte for byte, one frame."""
        payload = (text * times).encode()
        read = read_frames(encode(payload, variant), inflate=variant.compresses)
        self.assertEqual(read, [payload])


def envelope(event: Event) -> bytes:
    """Put an event into something."""
    return b"<%b>" % event.payload


class FramesTests(SynchronousTestCase):
    """Events are framed once for all who listen."""

    def test_shared(self) -> None:
        """Whoever takes the same form gets the same object; other forms have their own."""
        event = Event("jobs-summary", b"x" * COMPRESS_FROM)
        frames = Frames([event], envelope)
        made = [frames.of(variant) for variant in Variant]
        self.assertEqual(len(set(made)), len(Variant))
        for variant, of_variant in zip(Variant, made, strict=True):
            payload = envelope(event) if variant.is_enveloped else event.payload
            self.assertEqual(of_variant, encode(payload, variant))
            self.assertIs(frames.of(variant), of_variant)

    def test_several(self) -> None:
        """Events that came together are one piece, in their order."""
        payloads = [b"1", b"x" * COMPRESS_FROM, b"3"]
        frames = Frames([Event("jobs-summary", payload) for payload in payloads], envelope)
        for variant in Variant:
            read = read_frames(frames.of(variant), inflate=variant.compresses)
            expected = [b"<%b>" % payload for payload in payloads]
            self.assertEqual(read, expected if variant.is_enveloped else payloads)


class EventTests(SynchronousTestCase):
    """What an event is."""

    def test_attributes(self) -> None:
        """It keeps its group and its payload."""
        event = Event("jobs-summary", b"{}")
        self.assertEqual((event.group, event.payload), ("jobs-summary", b"{}"))
