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
        decoded: list[Message] = []
        for start in range(0, len(stream), size):
            decoded += decoder.feed(stream[start : start + size])
        self.assertEqual(decoded, messages)

    def test_limit(self) -> None:
        """A body up to the limit is taken; one byte more is refused before it has come."""
        decoder = Decoder(max_body=1000)
        largest = Message(Kind.EVENT, {"group": "jobs-1"}, b"x" * 1000)
        self.assertEqual(list(decoder.feed(encode(largest))), [largest])
        one_more = encode(Message(Kind.EVENT, {"group": "jobs-1"}, b"x" * 1001))
        self.assertRaises(MessageError, list, decoder.feed(one_more[:8]))

    def test_limit_changed(self) -> None:
        """One message may decide about the limit for the next, though both came at once."""
        decoder = Decoder(max_body=1)
        messages = [Message(Kind.START), Message(Kind.EVENT, {"group": "jobs-1"}, b"xx")]
        decoded: list[Message] = []
        for message in decoder.feed(b"".join(map(encode, messages))):
            decoded.append(message)
            decoder.max_body = 2
        self.assertEqual(decoded, messages)

    def test_left(self) -> None:
        """What somebody did not ask for comes with the next."""
        decoder = Decoder()
        decoder.feed(encode(Message(Kind.START)))
        decoded = list(decoder.feed(encode(Message(Kind.STATUS))))
        self.assertEqual([message.kind for message in decoded], [Kind.START, Kind.STATUS])

    def test_limit_of_heads(self) -> None:
        """So is what comes before the body."""
        data = encode(Message(Kind.STATUS, {"x": "x" * MAX_HEAD}))
        self.assertRaises(MessageError, list, Decoder().feed(data[:8]))

    def test_no_messages(self) -> None:
        """What somebody else has written into the pipe is no message."""
        for head in (b"null", b"[]", b"{}", b'{"kind": "bogus"}', b"{", b"\xff", b'{"kind": []}'):
            data = len(head).to_bytes(4) + bytes(4) + head
            self.assertRaises(MessageError, list, Decoder().feed(data))
        crash = b"Traceback (most recent call last):"
        self.assertRaises(MessageError, list, Decoder().feed(crash))
