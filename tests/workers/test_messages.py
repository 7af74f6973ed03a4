"""`towerws.workers.messages`: messages as bytes, and bytes that are none."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.properties import CHARACTERS, PROPERTY
from towerws.workers.messages import MAX_HEAD, Decoder, Kind, Message, MessageError, encode

_MESSAGES = st.builds(
    Message,
    st.sampled_from(Kind),
    st.dictionaries(
        st.text(CHARACTERS).filter(lambda name: name != "kind"), st.integers() | st.text(CHARACTERS)
    ),
    st.binary(max_size=500),
)


class CodecTests(SynchronousTestCase):
    """What one end writes, the other reads."""

    @PROPERTY
    @given(st.lists(_MESSAGES, max_size=5), st.integers(1, 200))
    def test_any_pieces(self, messages: list[Message], size: int) -> None:
        """Messages come as they went, however the stream is cut."""
        stream = b"".join(map(encode, messages))
        decoder = Decoder()
        decoded = []
        for start in range(0, len(stream), size):
            decoded += decoder.feed(stream[start : start + size])
        self.assertEqual(decoded, messages)

    def test_limit(self) -> None:
        """A body up to the limit is taken; one byte more is refused before it has come."""
        decoder = Decoder(max_body=1000)
        largest = Message(Kind.EVENT, {"group": "jobs-1"}, b"x" * 1000)
        self.assertEqual(decoder.feed(encode(largest)), [largest])
        one_more = encode(Message(Kind.EVENT, {"group": "jobs-1"}, b"x" * 1001))
        self.assertRaises(MessageError, decoder.feed, one_more[:8])

    def test_limit_of_heads(self) -> None:
        """So is what comes before the body."""
        data = encode(Message(Kind.STATUS, {"x": "x" * MAX_HEAD}))
        self.assertRaises(MessageError, Decoder().feed, data[:8])

    def test_no_messages(self) -> None:
        """What somebody else has written into the pipe is no message."""
        for head in (b"null", b"[]", b"{}", b'{"kind": "bogus"}', b"{", b"\xff", b'{"kind": []}'):
            data = len(head).to_bytes(4) + bytes(4) + head
            self.assertRaises(MessageError, Decoder().feed, data)
        self.assertRaises(MessageError, Decoder().feed, b"Traceback (most recent call last):")
