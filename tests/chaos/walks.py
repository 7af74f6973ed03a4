"""Clients in memory that go from one server to the other, and the judgement of what they saw."""

from collections.abc import Collection, Iterator

from tests.chaos.checker import check
from tests.chaos.nodes import GROUPS, Broker, Node
from tests.chaos.subscriber import Subscriber
from tests.fakes import FakeClient, FakeClock
from towerws.core.event import Variant


class Party:
    """One client, on a connection to one node after the other."""

    def __init__(self, name: str, clock: FakeClock) -> None:
        self.subscriber = Subscriber(name, GROUPS)
        self.clock = clock
        self.client: FakeClient | None = None
        self.node: Node | None = None
        self._replies: list[str] = []

    def connect(self, node: Node) -> None:
        """Connect to a node, if there is no connection."""
        if self.client is not None:
            return
        client = self.client = FakeClient(Variant.ENVELOPED)
        client.on_write = self._read
        self.node = node
        self.subscriber.connected(self.clock.seconds(), "a node")
        client.session = node.session(client)
        client.session.start()
        self.speak()

    def disconnect(self) -> None:
        """End the connection, if there is one."""
        client, self.client = self.client, None
        self._replies.clear()
        if client is not None:
            assert client.session is not None
            client.session.end()
            self.subscriber.disconnected(self.clock.seconds(), "cut")

    def change(self, groups: Collection[str]) -> None:
        """Ask for other groups."""
        frame = self.subscriber.change(groups, self.clock.seconds())
        if frame is not None:
            self._replies.append(frame)
        self.speak()

    def stall(self) -> None:
        """Read nothing for now: there is no room for a replay."""
        if self.client is not None:
            self.client.has_room = False

    def turn(self) -> None:
        """Read again, let the server's reactor turn, and say what there is to be said."""
        client = self.client
        if client is not None and client.session is not None:
            client.turn()
            if not client.has_room:
                client.has_room = True
                client.session.drained()
            self.speak()
            if client.closes:
                self.disconnect()

    def speak(self) -> None:
        """Send what the client has to say."""
        while self._replies and self.client is not None:
            assert self.client.session is not None
            self.client.session.received(self._replies.pop(0).encode(), is_binary=False)

    def _read(self) -> None:
        assert self.client is not None
        messages, self.client.messages = self.client.messages, []
        for message in messages:
            reply = self.subscriber.received(message.decode(), self.clock.seconds())
            if reply is not None:
                self._replies.append(reply)


def judge(broker: Broker, parties: Collection[Party]) -> Iterator[str]:
    """Say what is wrong with what clients saw.

    Args:
        broker: What was published.
        parties: The clients; everything that they were promised has come.
    """
    for party in parties:
        log = party.subscriber.log
        for fault in log.faults:
            yield f"{log.name}: {fault.text}"
        for finding in check(broker.entries, log.tracks).findings:
            story = "\n".join(f"  {each.time:5} {each.text}" for each in log.remarks)
            yield f"{log.name}: {finding}\n{story}"


def judge_gaps(parties: Collection[Party], allowed: str) -> Iterator[str]:
    """Say which clients were told a gap, where nothing was ever lost.

    Args:
        parties: The clients.
        allowed: What may be told nevertheless.
    """
    for party in parties:
        log = party.subscriber.log
        gaps = [each for each in log.remarks if each.text.startswith("gap: ")]
        if any(not each.text.startswith(f"gap: {allowed};") for each in gaps):
            story = "\n".join(f"  {each.time:5} {each.text}" for each in log.remarks)
            yield f"{log.name}: a gap without a loss\n{story}"
