"""Tests of what may be an event's payload."""

import json
import math
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.properties import CHARACTERS, PROPERTY
from towerws.core.payload import PayloadError, check

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(CHARACTERS, max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(CHARACTERS, max_size=5), inner)
    ),
    max_leaves=8,
)


class CheckTests(SynchronousTestCase):
    """`check` lets through what every client can read."""

    def test_objects(self) -> None:
        r"""protocol.md, transport: one JSON object a frame, UTF-8.

        Published by anybody: other scripts, white space, doubled keys, lone surrogates in escapes.
        """
        for payload in (
            b"{}",
            b' \r\n\t{"a": [1, 2.5e3, null]} \n',
            '{"name": "Grüße, 世界 \U0001f600"}'.encode(),
            rb'{"a": "\ud800\u0000"}',
            b'{"a": 1, "a": 2}',
            b'{"a": 1e999}',
            b'{"a": "' + b"x" * 1_000_000 + b'"}',
        ):
            check(payload)

    def test_refused(self) -> None:
        """protocol.md, publishing: a body that is not valid UTF-8 JSON is dropped.

        AWX's clients also need an object.
        """
        for payload, expected in (
            (b"", "the payload is not JSON"),
            (b"{", "the payload is not JSON"),
            (b"{} {}", "the payload is not JSON"),
            (b"{'a': 1}", "the payload is not JSON"),
            (b'{"a": "\n"}', "the payload is not JSON"),
            (b"\x00{}", "the payload is not JSON"),
            (b"\x0b{}", "the payload is not JSON"),
            ("{}\u00a0".encode(), "the payload is not JSON"),
            (b"\xef\xbb\xbf{}", "the payload is not JSON"),
            (b'{"a": NaN}', "the payload is not JSON"),
            (b'{"a": Infinity}', "the payload is not JSON"),
            (b'{"a": [-Infinity]}', "the payload is not JSON"),
            (b'{"a": ' + b"1" * 5000 + b"}", "the payload is not JSON"),
            ("{}".encode("utf-16"), "the payload is not UTF-8"),
            ("{}".encode("utf-32"), "the payload is not UTF-8"),
            ('{"a": "ä"}'.encode("latin-1"), "the payload is not UTF-8"),
            (b'{"a": "\xed\xa0\x80"}', "the payload is not UTF-8"),
            (b'{"a": "\xc0\x80"}', "the payload is not UTF-8"),
            (b"[" * 100_000, "the payload is nested too deeply"),
            (b'{"a":' * 100_000, "the payload is nested too deeply"),
            (b"[]", "the payload is not a JSON object"),
            (b'"secret"', "the payload is not a JSON object"),
            (b"null", "the payload is not a JSON object"),
            (b"1", "the payload is not a JSON object"),
        ):
            error = self.assertRaises(PayloadError, check, payload)
            self.assertEqual(str(error), expected)

    def test_utf16_without_mark(self) -> None:
        """UTF-16 is not guessed: its bytes are valid UTF-8, and not JSON."""
        error = self.assertRaises(PayloadError, check, "{}".encode("utf-16-le"))
        self.assertEqual(str(error), "the payload is not JSON")

    @given(_JSON)
    @PROPERTY
    def test_any_json(self, value: object) -> None:
        """Objects without NaN pass, in whatever form they are written; the rest does not."""
        is_fine = isinstance(value, dict) and all(map(math.isfinite, _floats(value)))
        for payload in (
            json.dumps(value).encode(),
            json.dumps(value, ensure_ascii=False, indent=1).encode(),
        ):
            if is_fine:
                check(payload)
            else:
                self.assertRaises(PayloadError, check, payload)

    @given(st.binary())
    @PROPERTY
    def test_any_bytes(self, payload: bytes) -> None:
        """No bytes raise anything else."""
        try:
            check(payload)
        except PayloadError:
            pass
        else:
            self.assertIsInstance(json.loads(payload), dict)


def _floats(value: object) -> Iterator[float]:
    if isinstance(value, float):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _floats(each)
    elif isinstance(value, dict):
        yield from _floats(list(value.values()))
