"""What Daphne serves: a consumer like AWX's, without its authentication and its database.

Runs in the rivals' own environment; it is its Django settings as well.
"""

import os
from typing import Any

from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.routing import ProtocolTypeRouter

_LAYERS = {
    "redis": "channels_redis.core.RedisChannelLayer",
    "redis-pubsub": "channels_redis.pubsub.RedisPubSubChannelLayer",
    "rabbitmq": "channels_rabbitmq.core.RabbitmqChannelLayer",
}
_LAYER = os.environ["BENCH_LAYER"]
_URL = os.environ["BENCH_URL"]

SECRET_KEY = "nothing here is secret"  # noqa: S105
INSTALLED_APPS: list[str] = []
#: The capacity is AWX's; the pub/sub layer has none, and channels_rabbitmq counts in its own way.
_CONFIGURATIONS: dict[str, dict[str, object]] = {
    "redis": {"hosts": [_URL], "capacity": 10_000},
    "redis-pubsub": {"hosts": [_URL]},
    "rabbitmq": {"host": _URL},
}
CHANNEL_LAYERS = {
    "default": {"BACKEND": _LAYERS[_LAYER], "CONFIG": _CONFIGURATIONS[_LAYER]},
}


class EventConsumer(AsyncJsonWebsocketConsumer):
    """Joins the groups that a client names, and passes their events on as they are."""

    async def connect(self) -> None:
        """Accept everybody, and say so as AWX does."""
        await self.accept()
        await self.send_json({"accept": True, "user": None})

    async def receive_json(self, content: dict[str, Any]) -> None:
        """Join groups."""
        names = [
            f"{group}-{element}"
            for group, elements in content["groups"].items()
            for element in elements
        ]
        for name in names:
            await self.channel_layer.group_add(name, self.channel_name)
        await self.send_json({"groups_current": names, "groups_left": [], "groups_joined": names})

    async def internal_message(self, event: dict[str, Any]) -> None:
        """Pass an event on."""
        await self.send(event["text"])


application = ProtocolTypeRouter({"websocket": EventConsumer.as_asgi()})
