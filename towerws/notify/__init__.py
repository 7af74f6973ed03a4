"""Publishing events, for backends: Django, Celery, scripts. Neither needs nor loads Twisted.

`emit_channel_notification` is AWX's call, and enough for most::

    from django.db import transaction
    from towerws.notify import emit_channel_notification

    transaction.on_commit(
        lambda: emit_channel_notification("jobs-status_changed", {"unified_job_id": 42, ...})
    )

It never raises for an event that cannot be sent, and never takes longer than about 2 s: the event
is dropped, counted and logged (logger ``towerws.notify``) instead. It publishes to ``TOWERWS_URL``
(see `Publisher` for what that may be); for other settings, make a `Publisher`.
"""

import atexit
import logging
from typing import Any

from towerws.notify.errors import (
    Busy,
    EmitError,
    GroupNameError,
    PayloadError,
    Refused,
    Unreachable,
)
from towerws.notify.publisher import Publisher

__all__ = [
    "Busy",
    "EmitError",
    "GroupNameError",
    "PayloadError",
    "Publisher",
    "Refused",
    "Unreachable",
    "emit_channel_notification",
]

_logger = logging.getLogger("towerws.notify")

#: Holds the default publisher once it was needed.
_default: dict[str, Publisher] = {}


def emit_channel_notification(group: str, payload: dict[str, Any], *, strict: bool = False) -> None:
    """Publish an event with the settings of the environment.

    Args:
        group: The group's name, such as ``jobs-status_changed``.
        payload: The event, a dictionary of what Django's JSON encoder writes.
        strict: Raise when the event cannot be sent.

    Raises:
        EmitError: With ``strict``: the event was not sent, or ``TOWERWS_URL`` or ``TOWERWS_TOKEN``
            cannot be used.
    """
    try:
        publisher = _default_publisher()
    except (ValueError, OSError) as error:
        if strict:
            raise EmitError(f"the default publisher cannot be made: {error}") from error
        _logger.error("event for group %r dropped: %s", group, error)
        return
    publisher.emit(group, payload, strict=strict)


def _default_publisher() -> Publisher:
    publisher = _default.get("publisher")
    if publisher is None:
        # Of two threads that come here at once one makes its publisher in vain; it has connected
        # to nothing yet, so nothing is lost but a moment.
        made = Publisher()
        publisher = _default.setdefault("publisher", made)
        if publisher is made:
            atexit.register(made.close)
    return publisher
