"""From deliveries of the broker to events: what may pass, and what is dropped.

Anybody may publish anything. What no client could take is counted and logged, with its group and
without its content, and harms nothing else. Revocations come the same way, and end here.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache

from twisted.logger import Logger

from towerws.amqp.deliveries import Delivery
from towerws.core import payload
from towerws.core.event import Event
from towerws.core.groups import is_group_name
from towerws.core.metrics import Metrics
from towerws.core.revocation import ROUTING_KEY
from towerws.core.throttle import Throttle
from towerws.revocations import Revocations

_is_group_name = lru_cache(maxsize=4096)(is_group_name)


class Intake:
    """Lets deliveries through that are events."""

    _log = Logger()

    def __init__(
        self,
        offset_of: Callable[[Delivery], int],
        revocations: Revocations,
        metrics: Metrics,
        throttle: Throttle,
    ) -> None:
        """Begin with nothing dropped.

        Args:
            offset_of: Gives the place in the log of an event; called for each, in order.
            revocations: Takes those.
            metrics: Where the dropped ones are counted.
            throttle: Limits how often that is logged.
        """
        self._offset_of = offset_of
        self._revocations = revocations
        self._throttle = throttle
        self._dropped = {
            reason: metrics.counter(
                "towerws_events_dropped_total",
                "Events from the broker that no client could take, by reason.",
                reason=reason,
            )
            for reason in ("invalid", "too_large", "name")
        }

    def events(self, deliveries: Iterable[Delivery]) -> list[Event]:
        """Choose those that can be delivered.

        Args:
            deliveries: What came in one read. Revocations among them are carried out before any
                of its events is delivered, so that none reaches whom it must not reach.

        Returns:
            The events, in the same order.
        """
        events = []
        for delivery in deliveries:
            key, body = delivery.routing_key, delivery.body
            # 8 ns of about 1000; measured.
            if key == ROUTING_KEY:
                self._revocations.receive(body)
            elif body is None:
                self._drop("too_large", delivery, f"it has {delivery.size} bytes")
            elif self._is_valid(delivery, body):
                events.append(Event(key, body, self._offset_of(delivery)))
        return events

    def _is_valid(self, delivery: Delivery, body: bytes) -> bool:
        # Names repeat, and WholeDeliveries gives the same objects for them.
        if not _is_group_name(delivery.routing_key):
            self._drop("name", delivery, "no client can subscribe to that")
            return False
        try:
            payload.check(body)
        except payload.PayloadError as error:
            self._drop("invalid", delivery, str(error))
            return False
        return True

    def _drop(self, kind: str, delivery: Delivery, reason: str) -> None:
        self._dropped[kind].add()
        self._throttle.log(
            self._log.warn,
            kind,
            "dropped an event for {group!r}: {reason}",
            group=delivery.routing_key,
            reason=reason,
        )
