"""What a test wants to write as one expression."""

from collections.abc import Sequence
from typing import Any

from twisted.logger import formatEvent


def raise_error(error: Exception) -> Any:
    """Raise, where only a call will do."""
    raise error


def logged(events: Sequence[Any]) -> str:
    """Render captured log events, a line each."""
    return "\n".join(formatEvent(event) for event in events)
