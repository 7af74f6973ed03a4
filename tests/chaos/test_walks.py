"""Thousands of schedules in memory: whatever happens, no client misses anything unawares."""

from collections.abc import Iterator

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from tests.chaos.nodes import BOUNDS, GROUPS, Broker, ClassicNode, Node, StreamNode
from tests.chaos.walks import Party, judge, judge_gaps
from tests.fakes import FakeClock
from tests.properties import WALK
from towerws.core import resuming

_NODES = st.integers(0, 1)
_CLIENTS = st.integers(0, 1)
_EVENTS = st.lists(st.sampled_from(GROUPS), min_size=1, max_size=4)

#: Long enough for a client to be with both servers, and for something to happen to both.
_LONG = settings(WALK, stateful_step_count=40)


class _Walk(RuleBasedStateMachine):
    """Two servers and two clients; a second passes with each step."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.broker = self.make_broker()
        self.parties = [Party(f"client {number}", self.clock) for number in range(2)]
        self.nodes = self.make_nodes()

    def make_broker(self) -> Broker:
        """Start a broker."""
        return Broker(self.clock)

    def make_nodes(self) -> list[Node]:
        """Start two servers."""
        raise NotImplementedError

    def publish_one(self, group: str) -> None:
        """Publish an event."""
        raise NotImplementedError

    def step(self) -> None:
        """Let time pass."""
        self.clock.advance(1)
        for party in self.parties:
            party.speak()

    @rule(groups=_EVENTS)
    def publish(self, groups: list[str]) -> None:
        """Backends publish."""
        for group in groups:
            self.publish_one(group)
        self.step()

    @rule(client=_CLIENTS, node=_NODES, at_once=st.booleans())
    def connect(self, client: int, node: int, at_once: bool) -> None:
        """A client connects, or moves; what it asks for comes into force at once, or later."""
        self.parties[client].disconnect()
        self.parties[client].connect(self.nodes[node])
        if at_once:
            self.nodes[node].source.confirm()
        self.step()

    @rule(client=_CLIENTS, groups=_EVENTS, stalls=st.booleans())
    def miss(self, client: int, groups: list[str], stalls: bool) -> None:
        """A client is away for some events, and comes back to where it was; it may read slowly."""
        party = self.parties[client]
        if party.node is not None:
            party.disconnect()
            self.publish(groups)
            self.connect(client, self.nodes.index(party.node), at_once=True)
            if stalls:
                party.stall()

    @rule(client=_CLIENTS)
    def cut(self, client: int) -> None:
        """A connection breaks."""
        self.parties[client].disconnect()
        self.step()

    @rule(client=_CLIENTS, groups=st.sets(st.sampled_from(GROUPS), min_size=1))
    def change(self, client: int, groups: set[str]) -> None:
        """A client asks for other groups."""
        self.parties[client].change(groups)
        self.step()

    @rule(client=_CLIENTS)
    def stall(self, client: int) -> None:
        """A client does not read for a while."""
        self.parties[client].stall()

    @rule()
    def turn(self) -> None:
        """The reactors turn."""
        for party in self.parties:
            party.turn()
        self.step()

    @rule(node=_NODES)
    def confirm(self, node: int) -> None:
        """What clients wait for comes into force."""
        self.nodes[node].source.confirm()
        self.step()

    @rule(node=_NODES)
    def restart(self, node: int) -> None:
        """A server dies, and another one takes its place."""
        for party in self.parties:
            if party.node is self.nodes[node]:
                party.disconnect()
        self.nodes[node].restart()
        self.step()

    def find_problems(self) -> Iterator[str]:
        """Judge."""
        return judge(self.broker, self.parties)

    def teardown(self) -> None:
        """Let everything come to an end, and judge."""
        for _ in range(3):
            for node in self.nodes:
                node.settle()
            for party in self.parties:
                party.connect(self.nodes[0])
            # In all, a page for each event there ever was.
            for _ in range(12 + len(self.broker.log) // 3):
                for node in self.nodes:
                    node.settle()
                self.turn()
        problems = list(self.find_problems())
        assert not problems, "\n".join(problems)
        for party in self.parties:
            assert party.subscriber.is_settled, party.subscriber.log.remarks


class _WholeStreamWalk(_Walk):
    """Both read one stream, which keeps everything: there is no reason for a gap."""

    def make_broker(self) -> Broker:
        # One event, so that there is a position to come back with.
        broker = Broker(self.clock, kept=None)
        broker.publish(GROUPS[0])
        return broker

    def make_nodes(self) -> list[Node]:
        return [StreamNode(self.clock, self.broker) for _ in range(2)]

    def publish_one(self, group: str) -> None:
        self.broker.publish(group)

    @rule(node=_NODES, count=st.integers(1, 4))
    def catch_up(self, node: int, count: int) -> None:
        """A server reads some of the stream, or all of it."""
        reader = self.nodes[node]
        assert isinstance(reader, StreamNode)
        reader.catch_up(count)
        self.step()

    @rule(client=_CLIENTS, missed=_EVENTS, pages=st.integers(0, 3), groups=_EVENTS)
    def overtake(self, client: int, missed: list[str], pages: int, groups: list[str]) -> None:
        """A client comes back and reads some of it, and then nothing until it is forgotten."""
        party = self.parties[client]
        reader = party.node
        if reader is None:
            return
        assert isinstance(reader, StreamNode)
        party.disconnect()
        self.publish(missed)
        reader.catch_up()
        self.connect(client, self.nodes.index(reader), at_once=True)
        for _ in range(pages):
            party.turn()
        party.stall()
        for number in range(BOUNDS.events + 1):
            self.publish_one(groups[number % len(groups)])
        reader.catch_up()
        self.turn()

    def find_problems(self) -> Iterator[str]:
        yield from super().find_problems()
        # A server that is 10 s behind the other one says so; it loses nothing by that.
        yield from judge_gaps(self.parties, "this server has not come as far as the position")


class _StreamWalk(_WholeStreamWalk):
    """It keeps little, and may be deleted."""

    make_broker = _Walk.make_broker
    find_problems = _Walk.find_problems

    @rule()
    def delete(self) -> None:
        """Somebody deletes the stream, and it is declared anew."""
        self.broker.begin_anew()
        self.step()

    @rule(node=_NODES)
    def lose(self, node: int) -> None:
        """A server was away for longer than the stream keeps."""
        reader = self.nodes[node]
        assert isinstance(reader, StreamNode)
        reader.lose()
        self.step()


class _ClassicWalk(_Walk):
    """Each has a queue of its own."""

    def make_nodes(self) -> list[Node]:
        return [ClassicNode(self.clock, self.broker) for _ in range(2)]

    def publish_one(self, group: str) -> None:
        event = self.broker.publish(group)
        for node in self.nodes:
            assert isinstance(node, ClassicNode)
            node.offer(event)

    @rule(node=_NODES, client=_CLIENTS, groups=_EVENTS, cuts=st.booleans(), returns=st.booleans())
    def deafen(self, node: int, client: int, groups: list[str], cuts: bool, returns: bool) -> None:
        """A server loses the broker, and perhaps a client as well; they may be back at once."""
        self.nodes[node].is_deaf = True
        if cuts:
            self.parties[client].disconnect()
        self.publish(groups)
        if returns:
            self.nodes[node].hear()
            self.parties[client].connect(self.nodes[node])
            self.nodes[node].source.confirm()
        self.step()

    @rule(node=_NODES)
    def unbind(self, node: int) -> None:
        """What nobody listens to is unbound."""
        server = self.nodes[node]
        assert isinstance(server, ClassicNode)
        server.bindings.unbind()
        self.step()


class WalkTests(SynchronousTestCase):
    """The walks, as `make test` takes them; `make fuzz` takes many more."""

    def setUp(self) -> None:
        """Have replays take several turns."""
        self.patch(resuming, "PAGE", 60)

    def test_stream(self) -> None:
        """Zero lost, zero doubled, zero out of order; only what expired is covered by a gap."""
        run_state_machine_as_test(_StreamWalk, settings=_LONG)

    def test_whole_stream(self) -> None:
        """Nobody is told a gap, however slowly it reads, while the stream has everything."""
        # A walk overtakes a client as often as it likes.
        self.patch(resuming, "READINGS", 1000)
        run_state_machine_as_test(_WholeStreamWalk, settings=_LONG)

    def test_classic(self) -> None:
        """Every loss is covered by a gap that the client was told."""
        run_state_machine_as_test(_ClassicWalk, settings=_LONG)
