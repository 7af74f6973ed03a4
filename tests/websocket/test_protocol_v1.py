"""`towerws.websocket.protocol` with profile "towerws.v1", on a whole listener."""

import json
from functools import partial
from typing import Any

from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from tests.hubs import position, publish
from tests.websocket_pair import ListenerCase, MemoryClient
from towerws.core.wire import CloseCode

_LARGE = b'{"x": "%b"}' % (b"x" * 70_000)


class V1Case(ListenerCase):
    """A listener with small outboxes."""

    def setUp(self) -> None:
        """Nobody is connected."""
        super().setUp()
        self.listener(max_outbox=200_000)

    def connect(self, groups: object, since: str | None = None, **options: Any) -> MemoryClient:
        """Connect a client and let it ask for groups."""
        client = MemoryClient(
            self.reactor, self.factory, subprotocols=["towerws.v1"], **options
        ).connect()
        (greeting,) = client.texts()
        self.assertEqual(json.loads(greeting)["position"], self.hub.history.position)
        frame = {"groups": groups} if since is None else {"groups": groups, "since": since}
        client.send(json.dumps(frame))
        return client

    def frames(self, client: MemoryClient) -> list[Any]:
        """Give what a client has got, decoded."""
        return [json.loads(text) for text in client.texts()]


class V1Tests(V1Case):
    """From the handshake to the replay."""

    def test_subprotocol(self) -> None:
        """protocol.md: it is chosen by the subprotocol, and heard in envelopes."""
        client = self.connect({"jobs": [1]})
        self.assertEqual(client.protocol.subprotocol, "towerws.v1")
        client.texts()
        publish(self.hub, ("jobs-1", b'{"n": 1}'))
        (event,) = self.frames(client)
        self.assertEqual(event, {"group": "jobs-1", "position": position(1), "event": {"n": 1}})

    def test_compressed(self) -> None:
        """With permessage-deflate, large envelopes are compressed, replayed or live."""
        publish(self.hub, ("jobs-1", _LARGE))
        client = self.connect(
            {"jobs": [1]}, position(0), extensions=[ClientPerMessageDeflateFactory()]
        )
        publish(self.hub, ("jobs-1", _LARGE))
        answer, *events = self.frames(client)
        self.assertEqual(answer["replayed"], 1)
        self.assertEqual([event["position"] for event in events], [position(1), position(2)])

    def test_large_replay(self) -> None:
        """More than the outbox may have is replayed all the same, for it is not queued."""
        publish(self.hub, *(("jobs-1", _LARGE) for _ in range(20)))
        client = self.connect({"jobs": [1]}, position(0))
        client.wire.stalled = True
        self.reactor.pump([0.01] * 30)
        client.wire.stalled = False
        frames: list[Any] = []
        for _ in range(60):
            self.reactor.advance(0.01)
            client.wire.drain()
            frames += self.frames(client)
        publish(self.hub, ("jobs-1", b"{}"))
        frames += self.frames(client)
        answer, *events = frames
        self.assertEqual((answer["resumed"], answer["replayed"]), (True, 20))
        self.assertEqual(
            [event["position"] for event in events], [position(n) for n in range(1, 22)]
        )

    def test_many_replays(self) -> None:
        """However many there are at the same time, they share the slices of one."""
        for _ in range(3):
            self.connect({"jobs": [1]})
        before = len(self.reactor.getDelayedCalls())
        called: list[object] = []
        for protocol in tuple(self.factory.crowd.connections):
            protocol.soon(partial(called.append, protocol))
        self.assertEqual(len(self.reactor.getDelayedCalls()), before + 1)
        self.reactor.advance(0)
        self.assertEqual(set(called), self.factory.crowd.connections)

    def test_slow_reader_comes_back(self) -> None:
        """It is cut with 1013, and has everything when it comes back with its position."""
        client = self.connect({"jobs": [1]})
        client.texts()
        client.wire.stalled = True
        for _ in range(10):
            publish(self.hub, ("jobs-1", _LARGE))
        self.assertEqual(self.counted("towerws_slow_readers_total"), 1)
        client.wire.stalled = False
        client.pump()
        seen = [event["position"] for event in self.frames(client)]
        self.assertEqual(client.close_code, 1013)
        self.assertEqual(seen, [position(n) for n in range(1, len(seen) + 1)])
        again = self.connect({"jobs": [1]}, seen[-1] if seen else position(0))
        frames: list[Any] = []
        for _ in range(60):
            self.reactor.advance(0.01)
            again.wire.drain()
            frames += self.frames(again)
        answer, *events = frames
        self.assertEqual(answer["resumed"], True)
        missed = [event["position"] for event in events]
        self.assertEqual(seen + missed, [position(n) for n in range(1, 11)])


class EndTests(V1Case):
    """The server goes."""

    def test_announce_and_finish(self) -> None:
        """The client hears when to come back, then everything that waits, then the Close."""
        client = self.connect({"jobs": [1]})
        client.texts()
        (protocol,) = self.factory.crowd.connections
        client.wire.stalled = True
        publish(self.hub, ("jobs-1", _LARGE), ("jobs-1", _LARGE))
        publish(self.hub, ("jobs-1", b"{}"))
        protocol.announce(1700)
        protocol.finish(CloseCode.SERVICE_RESTART, "the server stops")
        publish(self.hub, ("jobs-1", b"{}"))
        client.wire.stalled = False
        client.pump()
        frames = self.frames(client)
        self.assertEqual(frames.pop(), {"reconnect": {"after_ms": 1700}})
        self.assertEqual([frame["position"] for frame in frames], [position(n) for n in (1, 2, 3)])
        self.assertEqual(client.close_code, 1012)
