"""Sends events to groups of a channel layer: from standard input, a line each, number and event.

Runs in the rivals' own environment.
"""

import asyncio
import sys

from channels.layers import get_channel_layer


async def main() -> None:
    """Publish until the input ends."""
    layer = get_channel_layer()
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader(limit=1 << 20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    # The first one connects to the broker.
    await layer.group_send("nobody", {"type": "internal.message", "text": ""})
    print("ready", flush=True)
    while line := await lines.readline():
        group, _, event = line.decode().rstrip("\n").partition(" ")
        message = {"type": "internal.message", "text": event}
        await layer.group_send(f"job_events-{group}", message)


if __name__ == "__main__":
    asyncio.run(main())
