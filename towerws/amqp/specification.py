"""The protocol as txamqp's objects, loaded from the specification file that towerws brings.

txamqp's own default file is missing from its distributions, and the official ones lack RabbitMQ's
extensions or name a field so that txamqp waits for replies that never come.
"""

from functools import cache
from importlib import resources
from typing import Any

from txamqp.spec import load_string

from towerws.amqp.codec import decode_arguments, encode_arguments
from towerws.amqp.errors import DecodeError

_IDS_SIZE = 4


@cache
def load_specification() -> Any:
    """Load AMQP 0-9-1.

    Returns:
        A ``txamqp.spec.Spec``; the same object each time, since loading takes some 15 ms.
    """
    file = resources.files("towerws.amqp").joinpath("amqp0-9-1.xml")
    return load_string(file.read_bytes(), "amqp0-9-1.xml")


@cache
def _types(method: Any) -> tuple[str, ...]:
    return tuple(field.type for field in method.fields)


def encode_method(method: Any, arguments: tuple[object, ...]) -> bytes:
    """Write a method.

    Args:
        method: A ``txamqp.spec.Method``.
        arguments: Values in the order of its fields.

    Returns:
        The payload of its frame.

    Raises:
        EncodeError: A value does not fit.
    """
    ids = method.klass.id.to_bytes(2, "big") + method.id.to_bytes(2, "big")
    return bytes(ids + encode_arguments(_types(method), arguments))


def decode_method(payload: bytes) -> tuple[Any, list[Any]]:
    """Read a method.

    Args:
        payload: The payload of its frame.

    Returns:
        The ``txamqp.spec.Method`` and its arguments.

    Raises:
        DecodeError: There is no such method, or its arguments are malformed.
    """
    if len(payload) < _IDS_SIZE:
        raise DecodeError("a method frame is too short to name a method")
    class_id = int.from_bytes(payload[:2], "big")
    method_id = int.from_bytes(payload[2:_IDS_SIZE], "big")
    try:
        method = load_specification().classes.byid[class_id].methods.byid[method_id]
    except KeyError:
        raise DecodeError(f"there is no method {method_id} of class {class_id}") from None
    return method, decode_arguments(_types(method), payload, _IDS_SIZE)
