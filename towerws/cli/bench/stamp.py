"""What the events of a load test hold: their number and the moment at which they were published.

Both stand at a fixed place, so that they are read without parsing JSON: the publisher writes
``json.dumps`` with a dictionary's order, and towerws and AWX deliver what was published.
"""

_PREFIX = b'{"bench": "'
_NUMBER = slice(len(_PREFIX), len(_PREFIX) + 10)
_MOMENT = slice(_NUMBER.stop + 1, _NUMBER.stop + 21)

#: More events than this have no number, in one group.
MAX_NUMBER = 10**10 - 1


def stamped(number: int, moment: int, size: int) -> dict[str, object]:
    """Make an event.

    Args:
        number: Its number among those of its group, from 0.
        moment: When it is published, in nanoseconds of `time.monotonic_ns`.
        size: How long it is to be as JSON, in bytes; `SMALLEST` at least.

    Returns:
        The payload.
    """
    padding = "x" * (size - SMALLEST)
    return {"bench": f"{number:010d} {moment:020d}", "padding": padding}


#: The shortest event, in bytes.
SMALLEST = _MOMENT.stop + len('", "padding": ""}')


def read(payload: bytes) -> tuple[int, int] | None:
    """Read the stamp of an event.

    Args:
        payload: What came.

    Returns:
        The event's number and moment; None if it is no event of a load test.
    """
    if not payload.startswith(_PREFIX):
        return None
    try:
        return int(payload[_NUMBER]), int(payload[_MOMENT])
    except ValueError:
        return None
