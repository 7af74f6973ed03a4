"""What the broker drops from a queue, noticed: it goes to a second queue that keeps one message.

A queue with a limit drops its oldest messages in silence, unless it has somewhere to put them
(https://www.rabbitmq.com/docs/dlx). What is dropped is of no use to whoever is too slow for it, so
one message is enough: to know that there was one.
"""

from typing import Any

from towerws.amqp.consumer import TELL_OF_CRASHES


async def declare_dead_letters(channel: Any) -> str:
    """Make the queue of one message.

    Args:
        channel: An open channel, see `towerws.amqp.channel.Channel`.

    Returns:
        Its name, which is the routing key of the dead letters as well.

    Raises:
        AMQPError: The broker refused, or the connection was lost.
    """
    declared = await channel.queue_declare(
        queue="", exclusive=True, auto_delete=True, arguments={"x-max-length": 1}
    )
    queue: str = declared.queue
    return queue


def dead_letter_arguments(queue: str) -> dict[str, object]:
    """Give the arguments with which to declare the queue whose losses are to be noticed.

    The user needs to be allowed to write to ``amq.default``, the exchange by which they come.

    Args:
        queue: Of `declare_dead_letters`.
    """
    return {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": queue}


async def consume_dead_letters(channel: Any, queue: str) -> None:
    """Have the notices come, one for each acknowledgement, however much is dropped.

    Args:
        channel: The one by which the events come, so that a notice stands among them: a queue that
            drops has messages that it may not send yet, and what it may send later comes behind
            the notice. (Two channels have a writer each at the broker; either may be the first.)
            Sets the prefetch of consumers that begin later.
        queue: Of `declare_dead_letters`.

    Raises:
        AMQPError: The broker refused something, or the connection was lost.
    """
    await channel.basic_qos(prefetch_count=1)
    await channel.basic_consume(queue=queue, arguments=TELL_OF_CRASHES)
