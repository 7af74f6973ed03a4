"""Tests of `towerws.amqp.specification` and its data file."""

import inspect
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pika import spec
from twisted.trial.unittest import SynchronousTestCase

from tests.amqp.test_tables import deterministic
from towerws.amqp.codec import PROPERTIES
from towerws.amqp.errors import DecodeError
from towerws.amqp.specification import decode_method, encode_method, load_specification


def _number(method: Any) -> int:
    number: int = method.klass.id << 16 | method.id
    return number


def _blank(kind: Any) -> Any:
    """Make one of pika's methods without arguments, some of which have no default."""
    return kind.__new__(kind)


def _methods() -> list[Any]:
    return [method for klass in load_specification().classes for method in klass.methods]


class SpecificationTests(SynchronousTestCase):
    """The file against pika's machine-made specification."""

    def test_loaded_once(self) -> None:
        """Trap 9: the file is part of the package, and loading it is paid for once."""
        self.assertIs(load_specification(), load_specification())

    def test_methods_are_those_of_pika(self) -> None:
        """Trap 12: all that RabbitMQ may send is there, with numbers, replies and contents."""
        missing = dict(spec.methods)
        for method in _methods():
            number = _number(method)
            theirs = missing.pop(number)
            self.assertEqual(
                theirs.__qualname__.lower(),
                f"{method.klass.name}.{method.name}".replace("-", ""),
            )
            self.assertEqual(method.content, spec.has_content(number))
            self.assertEqual(bool(method.responses), _blank(theirs).synchronous, method.name)
        self.assertEqual(
            {method.__qualname__.partition(".")[0] for method in missing.values()},
            {"Access", "Tx"},
        )

    def test_pika_reads_every_method(self) -> None:
        """What we write of every method, pika reads and writes as the same bytes; so do we."""
        values = {"bit": True, "shortstr": "é", "longstr": "é", "table": {"k": 1}}
        for method in _methods():
            arguments = [values.get(field.type, 7) for field in method.fields]
            payload = encode_method(method, tuple(arguments))
            theirs = _blank(spec.methods[_number(method)])
            self.assertEqual(decode_method(payload), (method, arguments))
            if method.name != "update-secret":  # which pika only writes
                theirs.decode(payload, 4)
                self.assertEqual(b"".join(theirs.encode()), payload[4:], method.name)

    def test_nowait(self) -> None:
        """Trap 11: wherever pika knows a nowait bit, ours has it under the name txamqp wants."""
        for method in _methods():
            theirs = inspect.signature(spec.methods[_number(method)].__init__)
            self.assertEqual("nowait" in method.fields.byname, "nowait" in theirs.parameters)

    def test_properties(self) -> None:
        """The table of properties is the specification's."""
        fields = load_specification().classes.byname["basic"].fields
        self.assertEqual({field.name.replace("-", "_"): field.type for field in fields}, PROPERTIES)


class DecodeMethodTests(SynchronousTestCase):
    """Methods from the broker."""

    def test_unknown(self) -> None:
        """Trap 12: a class or method that does not exist is the documented error."""
        for payload in (b"", b"\x00\x0a\x00", b"\x00\x0a\x00\x63", b"\x00\x63\x00\x0a"):
            self.assertRaises(DecodeError, decode_method, payload)

    @deterministic
    @given(st.sampled_from(sorted(spec.methods)), st.binary(max_size=60))
    def test_arbitrary_bytes(self, number: int, data: bytes) -> None:
        """Nothing but the documented error comes out of any bytes."""
        try:
            decode_method(number.to_bytes(4, "big") + data)
        except DecodeError:
            pass
