"""Frames of a server that speaks profile "towerws.v1", as docs/protocol.md has them."""

import json

V1 = "towerws.v1"

#: With a heartbeat each 15 s; the log stands at p0.
ACCEPT_V1 = b'{"accept": true, "user": 1, "position": "p0", "heartbeat": 15}'


def reply(position: str, *groups: str, replayed: int | None = None) -> bytes:
    """The answer to a subscription.

    Args:
        position: Where the log stands.
        *groups: All of them new.
        replayed: What it has after ``since``: how many events come, below 0 if it cannot be told.
    """
    names = json.dumps(groups or ("jobs-summary",))
    resumed = ""
    if replayed is not None:
        was = json.dumps(replayed >= 0)
        resumed = f'"resumed": {was}, "replayed": {max(0, replayed)}, '
    return (
        f'{{"groups_current": {names}, "groups_left": [], "groups_joined": {names}, '
        f'{resumed}"position": "{position}"}}'
    ).encode()


def enveloped(position: str, payload: bytes, group: str = "jobs-summary") -> bytes:
    """An event."""
    head = f'{{"group": "{group}", "position": "{position}", "event": '
    return b"%b%b}" % (head.encode(), payload)


def heartbeat(position: str) -> bytes:
    """A sign of life."""
    return f'{{"heartbeat": "{position}"}}'.encode()


def gap(why: str, position: str) -> bytes:
    """The news that events may be missing."""
    return f'{{"gap": "{why}", "position": "{position}"}}'.encode()
