"""What the events of a load test hold: their number and the moment at which they were published.

Both stand at a fixed place, so that they are read without parsing JSON: the publisher writes
``json.dumps`` with a dictionary's order, and towerws and AWX deliver what was published. Profile
"towerws.v1" puts it into an envelope, of which it is the end.
"""

_PREFIX = b'{"bench": "'
_NUMBER = len(_PREFIX)
_MOMENT = _NUMBER + 11
_STOP = _MOMENT + 20

#: The end of an envelope's head, with the beginning of an event.
_ENVELOPED = b', "event": ' + _PREFIX
_HEAD = len(_ENVELOPED) - len(_PREFIX)

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
SMALLEST = _STOP + len('", "padding": ""}')


def read(payload: bytes, start: int = 0) -> tuple[int, int] | None:
    """Read the stamp of an event.

    Args:
        payload: What came.
        start: Where the event begins in it.

    Returns:
        The event's number and moment; None if it is no event of a load test.
    """
    if not payload.startswith(_PREFIX, start):
        return None
    moment = start + _MOMENT
    try:
        return int(payload[start + _NUMBER : moment - 1]), int(payload[moment : start + _STOP])
    except ValueError:
        return None


def read_enveloped(payload: bytes) -> tuple[int, int] | None:
    """Read the stamp of an event in its envelope; see `read`.

    Args:
        payload: What came, of profile "towerws.v1".

    Returns:
        The event's number and moment; None if it is no event of a load test.
    """
    # No text before it has a quote in it that is not escaped, so the first place is the right one.
    at = payload.find(_ENVELOPED)
    return None if at < 0 else read(payload, at + _HEAD)
