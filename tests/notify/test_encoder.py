"""Tests of the JSON that is published: what Django would write, byte for byte."""

import json
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.utils.functional import lazystr
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.properties import CHARACTERS
from towerws.notify.encoder import encode
from towerws.notify.errors import PayloadError

_INDIA = timezone(timedelta(hours=5, minutes=30))

#: Value and its JSON, of each kind that json itself does not write.
_VECTORS: list[tuple[Any, str]] = [
    (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), '"2026-01-02T03:04:05Z"'),
    (datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC), '"2026-01-02T03:04:05.678Z"'),
    (datetime(2026, 1, 2, 3, 4, 5, 999, tzinfo=UTC), '"2026-01-02T03:04:05.000Z"'),
    (datetime(2026, 1, 2, 3, 4, 5, 678901), '"2026-01-02T03:04:05.678"'),  # noqa: DTZ001
    (datetime(2026, 1, 2, 3, 4, 5, 678901, _INDIA), '"2026-01-02T03:04:05.678+05:30"'),
    (date(2026, 1, 2), '"2026-01-02"'),
    (time(3, 4, 5), '"03:04:05"'),
    (time(3, 4, 5, 678901), '"03:04:05.678"'),
    (timedelta(seconds=5), '"P0DT00H00M05S"'),
    (timedelta(days=-1, hours=2, microseconds=30), '"-P0DT21H59M59.999970S"'),
    (timedelta(days=400, hours=25, minutes=61), '"P401DT02H01M00S"'),
    (Decimal("1.10"), '"1.10"'),
    (uuid.UUID(int=5), '"00000000-0000-0000-0000-000000000005"'),
    (lazystr("Läuft"), '"L\\u00e4uft"'),
]


class VectorTests(SynchronousTestCase):
    """The kinds of values, one by one."""

    def test_vectors(self) -> None:
        """Each value is written as listed, and as Django writes it."""
        for value, expected in _VECTORS:
            payload = {"v": [value]}
            self.assertEqual(encode(payload), f'{{"v": [{expected}]}}'.encode())
            self.assertEqual(encode(payload).decode(), _django(payload))

    def test_plain_json(self) -> None:
        """Separators, key order, other keys than texts, and ASCII are those of `json.dumps`."""
        payload = {"b": 1, "a": [1.5, None, True, "é\u2028😀\ud800"], 3: {}, "nested": {"x": ()}}
        self.assertEqual(encode(payload).decode(), _django(payload))
        self.assertTrue(encode(payload).startswith(b'{"b": 1, "a": [1.5, null, true, "\\u00e9'))


class DjangoTests(SynchronousTestCase):
    """The same output as Django's, for whatever values."""

    @settings(derandomize=True, deadline=None, database=None, max_examples=150)
    @given(
        st.dictionaries(
            st.text(CHARACTERS, max_size=5),
            st.datetimes(timezones=st.none() | st.sampled_from([UTC, _INDIA]))
            | st.dates()
            | st.times()
            | st.timedeltas(min_value=timedelta(days=-(10**6)))
            | st.decimals()
            | st.uuids()
            | st.text(CHARACTERS)
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.integers(),
            max_size=4,
        )
    )
    def test_as_django(self, payload: dict[str, Any]) -> None:
        """Values of all kinds."""
        self.assertEqual(encode(payload).decode(), _django(payload))


class RefusalTests(SynchronousTestCase):
    """What cannot be sent is refused with a sentence that does not hold the content."""

    def _refusal(self, payload: object) -> str:
        return str(self.assertRaises(PayloadError, encode, payload))

    def test_no_dictionary(self) -> None:
        """A client reads members of whatever arrives: it must be an object."""
        for payload in (["secret"], "secret", None, 1):
            self.assertIn("not a dictionary", self._refusal(payload))
            self.assertNotIn("secret", self._refusal(payload))

    def test_not_serializable(self) -> None:
        """A type that JSON has no form for is named."""
        self.assertIn("type set is not JSON serializable", self._refusal({"v": {"secret"}}))
        self.assertIn("keys must be str", self._refusal({("secret",): 1}))

    def test_not_a_number(self) -> None:
        """`NaN` and infinities would end in every browser's `JSON.parse`."""
        for value in ("nan", "inf", "-inf"):
            self.assertIn("not JSON compliant", self._refusal({"v": float(value)}))

    def test_aware_time(self) -> None:
        """A time of day with a zone is refused, as by Django."""
        payload = {"v": time(3, 4, tzinfo=UTC)}
        self.assertIn("timezone-aware", self._refusal(payload))
        with self.assertRaises(ValueError):
            _django(payload)

    def test_circular(self) -> None:
        """A dictionary in itself has no end."""
        payload: dict[str, Any] = {}
        payload["v"] = payload
        self.assertIn("Circular", self._refusal(payload))

    def test_too_deep(self) -> None:
        """Nesting beyond the stack is refused."""
        payload: dict[str, Any] = {}
        for _ in range(100_000):
            payload = {"v": payload}
        self.assertEqual(self._refusal(payload), "the payload is nested too deeply")
        # Taken apart from the outside: an interpreter may recurse in the destructor, too.
        while payload:
            payload = payload["v"]

    def test_raising_text(self) -> None:
        """Whatever a lazy text raises is a reason, and only its type is told."""
        for error in (KeyError("secret"), ValueError("secret"), OSError("secret")):
            lazy = _lazy(_raising(error))
            refusal = self._refusal({"v": lazy})
            self.assertIn(f"in the payload raised {type(error).__name__}", refusal)
            self.assertNotIn("secret", refusal)

    def test_endless_text(self) -> None:
        """A lazy text that recurses for ever is too deep."""
        lazy = _lazy(_raising(RecursionError("secret")))
        self.assertEqual(self._refusal({"v": lazy}), "the payload is nested too deeply")

    def test_interrupted_text(self) -> None:
        """What is meant to end the process is nobody's reason."""
        lazy = _lazy(_raising(KeyboardInterrupt()))
        self.assertRaises(KeyboardInterrupt, encode, {"v": lazy})

    def test_long_reason(self) -> None:
        """A reason of any length is cut."""
        kind = type("x" * 1000, (), {})
        self.assertLess(len(self._refusal({"v": kind()})), 300)


def _django(payload: object) -> str:
    return json.dumps(payload, cls=DjangoJSONEncoder)


def _raising(error: BaseException) -> Callable[[], str]:
    def fail() -> str:
        raise error

    return fail


def _lazy(function: Any) -> Any:
    from django.utils.functional import lazy  # noqa: PLC0415

    return lazy(function, str)()
