"""The load client's reading of frames."""

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.websocket import COMPRESSED, TEXT, client_frame, frame_end, opening


class FrameTests(SynchronousTestCase):
    """Frames of RFC 6455, section 5.2, in the lengths that there are."""

    def test_payload_and_end(self) -> None:
        """All three forms of length are read, wherever the frame begins."""
        for header, size in (
            (b"\x81\x05", 5),
            (b"\x81\x7e\x01\x00", 256),
            (b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 65536),
        ):
            begin = 1 + len(header)
            self.assertEqual(frame_end(b"x" + header, 1), (begin, begin + size))

    def test_incomplete_headers(self) -> None:
        """A header that is cut anywhere is not guessed at."""
        for header in (b"\x81\x05", b"\x81\x7e\x01\x00", b"\x81\x7f" + bytes(8)):
            for cut in range(len(header)):
                self.assertEqual(frame_end(header[:cut], 0), (-1, -1))

    def test_client_frames(self) -> None:
        """A client's frame has the mask bit, a mask of zeros, and its payload as it was."""
        self.assertEqual(client_frame(b"ab"), b"\x81\x82\0\0\0\0ab")
        self.assertEqual(client_frame(b"a" * 300)[:8], b"\x81\xfe\x01\x2c\0\0\0\0")
        self.assertEqual(client_frame(b"ab", TEXT | COMPRESSED)[0], 0xC1)

    def test_opening(self) -> None:
        """The lines that were asked for are in the request, which ends after them."""
        request = opening(80, "/", extensions="permessage-deflate", headers=("Cookie: a=b",)).send
        self.assertTrue(request.startswith(b"GET / HTTP/1.1\r\nHost: 127.0.0.1:80\r\n"), request)
        self.assertTrue(
            request.endswith(
                b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\nCookie: a=b\r\n\r\n"
            ),
            request,
        )
