"""What the broker had, to compare with what clients saw."""

import contextlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pika
import pika.exceptions

from tests.chaos.checker import Entry, Published
from tests.chaos.publishing import Publication
from tests.chaos.track import pack

#: Seconds without an event before reading is given up.
_PATIENCE = 20.0


class Truth(NamedTuple):
    """What there was to see.

    Attributes:
        published: By group, in the order of publication.
        lost_by_broker: Events that the broker confirmed and does not have, with their group.
        doubled_by_broker: Attempts that it has more than once.
    """

    published: dict[str, Published]
    lost_by_broker: list[tuple[str, int]]
    doubled_by_broker: int


def of_record(record: Mapping[str, Sequence[Publication]]) -> Truth:
    """Take the publishers' word: all that the broker confirmed, and perhaps what it did not.

    Args:
        record: All attempts, by group, in order.
    """
    published = {
        group: Published(Entry(each.key, each.began, each.confirmed is not None) for each in all_)
        for group, all_ in record.items()
    }
    return Truth(published, [], 0)


def of_stream(
    record: Mapping[str, Sequence[Publication]], content: Mapping[str, Sequence[int]]
) -> Truth:
    """Take the broker's word: what its stream has, and that in its order.

    Args:
        record: All attempts, by group, in order.
        content: The keys of the events in the stream, by group, in order.
    """
    published, lost, doubled = {}, [], 0
    for group, attempts in record.items():
        keys = content.get(group, ())
        began = {each.key: each.began for each in attempts}
        published[group] = Published(Entry(key, began[key]) for key in keys)
        confirmed = {each.key for each in attempts if each.confirmed is not None}
        lost += [(group, key) for key in sorted(confirmed - set(keys))]
        doubled += len(keys) - len(set(keys))
    return Truth(published, lost, doubled)


def read_stream(url: str, name: str, last: Mapping[str, int]) -> dict[str, list[int]]:
    """Read a whole stream.

    Args:
        url: The broker's.
        name: The stream's.
        last: The key of the last event of each group, up to which to read.

    Returns:
        The keys of all events, by group, in order.

    Raises:
        RuntimeError: The end does not come.
    """
    content: dict[str, list[int]] = {group: [] for group in last}
    missing = set(last)
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    channel.basic_qos(prefetch_count=1000)
    waiting: Any = channel.consume(
        name, arguments={"x-stream-offset": "first"}, inactivity_timeout=_PATIENCE
    )
    for number, (method, _, body) in enumerate(waiting):
        if method is None:
            raise RuntimeError(f"the stream ends before the last events of {sorted(missing)}")
        if number % 200 == 0:
            channel.basic_ack(method.delivery_tag, multiple=True)
        if method.routing_key in content:
            event = json.loads(body)
            key = pack(event["n"], event["attempt"])
            content[method.routing_key].append(key)
            if key == last[method.routing_key]:
                missing.discard(method.routing_key)
        if not missing:
            break
    # Pika rejects what it has read ahead, which streams do not know: RabbitMQ closes first.
    with contextlib.suppress(pika.exceptions.AMQPError):
        connection.close()
    return content
