"""Whatever a client sends once its handshake is done."""

import json
import re

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import succeed
from websockets.frames import Frame, Opcode

from tests.fuzz.mutations import CUTS, cut, mutated
from tests.fuzz.websocket_case import OutsideCase
from tests.properties import CHARACTERS, CONVERSATION
from tests.raw_websocket import REQUEST, SUBSCRIBE_FRAME, frame
from tests.websocket_pair import FakeAuthenticator
from towerws.auth.users import User
from towerws.core.patterns import Patterns

#: protocol.md: the codes with which a server closes.
_CODES = {1000, 1002, 1003, 1007, 1008, 1009}

#: And what its messages consist of.
_KEYS = ({"accept", "user"}, {"error"}, {"groups_current", "groups_left", "groups_joined"})

_TEXT = st.text(CHARACTERS, max_size=12)
_ELEMENT = st.integers(-3, 99) | _TEXT | st.sampled_from(["summary", "status_changed", "x" * 200])
_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=8,
)
_GROUPS = st.dictionaries(
    st.sampled_from(["jobs", "job_events", "$sys", "ü", ""]) | _TEXT,
    st.lists(_ELEMENT, max_size=3) | _JSON,
    max_size=3,
)
_MESSAGE = st.one_of(
    _JSON,
    st.fixed_dictionaries(
        {"groups": _GROUPS | _JSON}, optional={"xrftoken": _JSON, "since": _JSON}
    ),
).map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass"))
_PAYLOAD = mutated(_MESSAGE) | st.sampled_from(
    [
        b"",
        b"{",
        b"[" * 500,
        b'{"groups": ' * 300,
        b"NaN",
        b'{"groups": {"a": [' + b"9" * 5000 + b"]}}",
    ]
)
#: Frames that are understood, for groups that a user may hear or may not.
_ASKING = st.builds(
    lambda groups, token: json.dumps({"groups": groups, "xrftoken": token}).encode(),
    st.dictionaries(
        st.sampled_from(["jobs", "jobs-x", "job", "control"]),
        st.lists(st.integers(0, 9) | st.just("x"), max_size=3),
        max_size=3,
    ),
    st.sampled_from(["t", "t", "t", "", None, "x"]),
)
_FRAME = st.one_of(
    _PAYLOAD.map(lambda payload: frame(0x81, payload)),
    st.builds(
        frame,
        st.sampled_from([0x00, 0x01, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8A, 0xC1, 0x8F]),
        st.binary(max_size=130),
        st.none() | st.integers(0, 200) | st.sampled_from([65536, 2**31, 2**63, 2**64 - 1]),
    ),
)


class FrameTests(OutsideCase):
    """Bytes of websocket frames, good and bad."""

    def _frames(self, data: bytes) -> list[Frame]:
        """Take apart what the server sent: frames that are whole, unmasked, no reserved bits."""
        frames = []
        while data:
            first, length, start = data[0], data[1], 2
            if length == 126:
                length, start = int.from_bytes(data[2:4]), 4
            self.assertEqual(first & 0x70, 0)
            self.assertLess(length, 0x7F00)
            self.assertGreaterEqual(len(data), start + length)
            frames.append(
                Frame(Opcode(first & 0xF), data[start : start + length], bool(first & 0x80))
            )
            data = data[start + length :]
        return frames

    def _check(self, answer: bytes) -> None:
        head, _, rest = answer.partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 101 "), head)
        frames = self._frames(rest)
        for each in frames:
            self.assertTrue(each.fin)
            if each.opcode is Opcode.TEXT:
                keys = set(json.loads(bytes(each.data)))
                known = (
                    {"accept", "user"},
                    {"error"},
                    {"groups_current", "groups_left", "groups_joined"},
                )
                self.assertIn(keys, known)
                self.assertLess(len(each.data), 2000)
            elif each.opcode is Opcode.CLOSE:
                self.assertIs(each, frames[-1], "nothing follows a Close")
                if each.data:
                    self.assertIn(int.from_bytes(bytes(each.data[:2])), _CODES)
            else:
                self.assertIs(each.opcode, Opcode.PONG)

    @given(mutated(st.lists(_FRAME, max_size=5).map(b"".join)), CUTS)
    @CONVERSATION
    def test_bytes(self, stream: bytes, shares: list[float]) -> None:
        """Frames in a row, damaged here and there, and cut anywhere."""
        self.setUp()
        self.listener(max_message=4000)
        answer, _ = self.converse([REQUEST, *cut(stream, shares)])
        self._check(answer)

    @given(st.lists(_PAYLOAD, max_size=6))
    @CONVERSATION
    def test_messages(self, payloads: list[bytes]) -> None:
        """Text messages of whatever text: each is answered, or ignored as protocol.md says."""
        self.setUp()
        self.listener()
        pieces = [frame(0x81, payload) for payload in payloads]
        answer, _ = self.converse([REQUEST, *pieces, SUBSCRIBE_FRAME, frame(0x88, b"\x03\xe8")])
        self._check(answer)

    @given(st.lists(_MESSAGE | _ASKING, max_size=6))
    @CONVERSATION
    def test_rights(self, payloads: list[bytes]) -> None:
        """Whatever a user says, they are in no group that they may not hear."""
        self.setUp()
        user = User(7, Patterns(["jobs-*"]), csrf_token="t")
        self.listener(FakeAuthenticator(lambda: succeed(user)))
        answer, _ = self.converse([REQUEST, *(frame(0x81, payload) for payload in payloads)])
        self._check(answer)
        for joined in re.findall(rb'"groups_joined": \[([^\]]*)\]', answer):
            self.assertEqual(re.sub(rb'"jobs-[^"]*"(, )?', b"", joined), b"")
