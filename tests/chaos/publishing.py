"""Publishers in a process of their own: numbered events with confirms, until each is confirmed.

Each group has one publisher, which sends one event after the other. An event that was not confirmed
is published again with the same number as another attempt, so that what comes twice is told apart
from what was published twice.
"""

import json
import multiprocessing
import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import pika
import pika.exceptions

from tests.chaos.track import pack

#: Seconds between attempts to reach a broker that is away.
_RETRY = 0.1

#: Seconds to wait for a confirmation: longer than any alarm, behind which the event might still be
#: taken, after one that was published later. RabbitMQ 3.10 forgets confirmations when the leader of
#: a stream dies.
_CONFIRMED_WITHIN = 15.0

#: Seconds until an answer of the process to a question, such as for its record.
_ANSWER_TIMEOUT = 30.0


class Publication(NamedTuple):
    """One attempt to publish an event.

    Attributes:
        key: The event's number and the attempt, packed.
        began: When, in seconds.
        confirmed: When the broker confirmed it, in seconds; None if it never did.
    """

    key: int
    began: float
    confirmed: float | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is published.

    Attributes:
        url: The broker's.
        exchange: A topic exchange, which the servers declare as well.
        groups: Their names.
        rate: Events a second, all groups together.
        threads: Publishers; each has its share of the groups.
        seed: For the sizes.
        mandatory: Publish again what the broker cannot route. RabbitMQ 3.10 confirms and drops all
            events from its own return after a crash to the first declaration of the stream.
    """

    url: str
    exchange: str
    groups: Sequence[str]
    rate: float
    threads: int
    seed: int
    mandatory: bool


class Record(NamedTuple):
    """Everything that was published.

    Attributes:
        attempts: By group, in order.
        returned: Attempts that the broker could not route; they are not among the others.
    """

    attempts: dict[str, list[Publication]]
    returned: int


class Publisher:
    """Publishes to some groups, in a thread of its own."""

    def __init__(self, plan: Plan, groups: Sequence[str], seed: int) -> None:
        """Prepare.

        Args:
            plan: What is published.
            groups: Those of this publisher.
            seed: For the sizes.
        """
        self._plan = plan
        self._groups = groups
        self._interval = len(plan.groups) / (plan.rate * len(groups))
        self._chance = random.Random(seed)
        self._channel: pika.adapters.blocking_connection.BlockingChannel | None = None
        self._next = dict.fromkeys(groups, 0)
        self.record: dict[str, list[Publication]] = {group: [] for group in groups}
        self.returned = 0
        self.stopping = threading.Event()
        self.bursts: list[tuple[str, int, int]] = []
        self.doing = "nothing yet"
        self.thread = threading.Thread(target=self._run, daemon=True)

    def mark(self) -> None:
        """Publish one more event to each group; only when the thread has ended."""
        for group in self._groups:
            self._publish(group, 0)

    def close(self) -> None:
        """Close the connection."""
        if self._channel is not None:
            self._lose()

    def _run(self) -> None:
        due = time.monotonic() + self._interval * self._chance.random()
        turn = 0
        while not self.stopping.wait(max(0.0, due - time.monotonic())):
            while self.bursts:
                group, count, size = self.bursts.pop()
                for _ in range(count):
                    self._publish(group, size)
            # Most events are small, as AWX's; a few are as large as its largest.
            size = 8192 if self._chance.random() < 0.03 else self._chance.randrange(400)
            self._publish(self._groups[turn % len(self._groups)], size)
            turn += 1
            # What an outage kept back is not made up for.
            due = max(due + self._interval, time.monotonic() - 0.1)

    def _publish(self, group: str, size: int) -> None:
        n = self._next[group]
        self._next[group] = n + 1
        attempt = 0
        while True:
            channel = self._connected()
            self.doing = f"waits for the confirmation of {group} {n}, attempt {attempt + 1}"
            event = {"group": group, "n": n, "attempt": attempt, "pad": "x" * size}
            properties = pika.BasicProperties(content_type="application/json", delivery_mode=2)
            began = time.monotonic()
            confirmed = None
            try:
                with _bounded(channel.connection):
                    channel.basic_publish(
                        self._plan.exchange,
                        group,
                        json.dumps(event).encode(),
                        properties,
                        mandatory=self._plan.mandatory,
                    )
                confirmed = time.monotonic()
            except pika.exceptions.UnroutableError:
                self.returned += 1
                time.sleep(_RETRY)
                continue  # nobody has it
            except pika.exceptions.NackError:
                pass
            except (pika.exceptions.AMQPError, OSError):
                self._lose()
            self.record[group].append(Publication(pack(n, attempt), began, confirmed))
            if confirmed is not None:
                return
            attempt += 1

    def _connected(self) -> "pika.adapters.blocking_connection.BlockingChannel":
        self.doing = "connects"
        while self._channel is None:
            try:
                connection = pika.BlockingConnection(_parameters(self._plan.url))
                channel = connection.channel()
                channel.exchange_declare(self._plan.exchange, "topic", durable=True)
                channel.confirm_delivery()
                self._channel = channel
            except (pika.exceptions.AMQPError, OSError):
                time.sleep(_RETRY)
        return self._channel

    def _lose(self) -> None:
        channel, self._channel = self._channel, None
        assert channel is not None
        try:
            channel.connection.close()
        except (pika.exceptions.AMQPError, OSError):
            pass  # lost already


class Publishing:
    """The publishers, seen from the process that started them."""

    def __init__(self, plan: Plan) -> None:
        """Start them.

        Args:
            plan: What is published.
        """
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_publish, args=(plan, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def burst(self, group: str, count: int, size: int) -> None:
        """Publish many events at once.

        Args:
            group: To which group.
            count: How many.
            size: Bytes of each, about.
        """
        self._pipe.send(("burst", group, count, size))

    def finish(self, timeout: float) -> None:
        """Let each publisher end what it has begun.

        Args:
            timeout: How long that may take, in seconds.

        Raises:
            RuntimeError: One did not; the text says what it was doing.
        """
        self._ask("finish", timeout)

    def mark(self) -> Record:
        """Publish a last event to each group; after `finish`.

        Returns:
            Everything that was published.
        """
        record: Record = self._ask("mark", _ANSWER_TIMEOUT)
        return record

    def stop(self) -> None:
        """End the process. Idempotent."""
        self._pipe.close()
        self._process.join(_ANSWER_TIMEOUT)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _ask(self, question: str, timeout: float) -> Any:
        self._pipe.send((question, timeout))
        if not self._pipe.poll(timeout + _ANSWER_TIMEOUT):
            raise RuntimeError(f"the publishers do not answer {question!r}")
        answer = self._pipe.recv()
        if isinstance(answer, str):
            raise RuntimeError(answer)
        return answer


@contextmanager
def _bounded(connection: pika.BlockingConnection) -> Iterator[None]:
    """Lose the connection if what is done with it takes too long: pika has no bound of its own."""
    below = connection._impl
    error = pika.exceptions.AMQPConnectionError("no confirmation")
    timer = below._adapter_call_later(_CONFIRMED_WITHIN, partial(below._terminate_stream, error))
    try:
        yield
    finally:
        below._adapter_remove_timeout(timer)


def _parameters(url: str) -> pika.URLParameters:
    parameters = pika.URLParameters(url)
    # An alarm may take its time; a broker that dies closes the connection.
    parameters.heartbeat = 0
    parameters.connection_attempts = 1
    parameters.socket_timeout = 5
    return parameters


def _publish(plan: Plan, pipe: Connection) -> None:
    """Publish until told to stop: what runs in the process."""
    shares = [plan.groups[i :: plan.threads] for i in range(plan.threads)]
    publishers = [Publisher(plan, share, plan.seed + i) for i, share in enumerate(shares)]
    for publisher in publishers:
        publisher.thread.start()
    try:
        while True:
            command, *arguments = pipe.recv()
            if command == "burst":
                for publisher in publishers:
                    if arguments[0] in publisher.record:
                        publisher.bursts.append(tuple(arguments))
            elif command == "finish":
                pipe.send(_finish(publishers, *arguments))
            else:
                for publisher in publishers:
                    publisher.mark()
                    publisher.close()
                attempts = {k: v for each in publishers for k, v in each.record.items()}
                pipe.send(Record(attempts, sum(each.returned for each in publishers)))
    except EOFError:
        pass  # whoever started us is gone, or done with us


def _finish(publishers: Sequence[Publisher], timeout: float) -> str | None:
    until = time.monotonic() + timeout
    for publisher in publishers:
        publisher.stopping.set()
    for publisher in publishers:
        publisher.thread.join(max(0.0, until - time.monotonic()))
        if publisher.thread.is_alive():
            return f"a publisher did not finish within {timeout:g} s: it {publisher.doing}"
    return None
