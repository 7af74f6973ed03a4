"""Tests of the index of who listens to what."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from tests.properties import WALK
from towerws.core.subscriptions import Change, Subscriptions

_NOTHING: frozenset[str] = frozenset()
_CONNECTIONS = range(4)
_NAMES = "abcde"


class ReplaceTests(SynchronousTestCase):
    """`replace` gives a connection a new set of groups."""

    def test_first(self) -> None:
        """The first set is joined, and started where nobody was."""
        subscriptions: Subscriptions[int] = Subscriptions()
        subscriptions.replace(1, ["a"])
        change = subscriptions.replace(2, ["a", "b"])
        self.assertEqual(
            change,
            Change(
                current=frozenset("ab"),
                left=_NOTHING,
                joined=frozenset("ab"),
                started=frozenset("b"),
                ended=_NOTHING,
            ),
        )

    def test_replaced(self) -> None:
        """protocol.md, profile awx: a new dictionary replaces the old set."""
        subscriptions: Subscriptions[int] = Subscriptions()
        subscriptions.replace(1, ["a"])
        subscriptions.replace(2, ["a", "b", "c"])
        change = subscriptions.replace(2, ["c", "d"])
        self.assertEqual(
            change,
            Change(
                current=frozenset("cd"),
                left=frozenset("ab"),
                joined=frozenset("d"),
                started=frozenset("d"),
                ended=frozenset("b"),
            ),
        )

    def test_forgotten(self) -> None:
        """A connection without groups leaves no trace, however often it leaves."""
        subscriptions: Subscriptions[int] = Subscriptions()
        for _ in range(2):
            subscriptions.replace(1, ())
        subscriptions.replace(1, ["a"])
        change = subscriptions.replace(1, ())
        self.assertEqual((change.left, change.ended), (frozenset("a"), frozenset("a")))
        self.assertEqual(list(subscriptions.connections), [])
        self.assertEqual(len(subscriptions.heard), 0)
        self.assertEqual((subscriptions._members, subscriptions._groups), ({}, {}))

    def test_unchanged(self) -> None:
        """The same set again changes nothing."""
        subscriptions: Subscriptions[int] = Subscriptions()
        subscriptions.replace(1, ["a"])
        self.assertEqual(
            subscriptions.replace(1, ["a", "a"]),
            Change(frozenset("a"), _NOTHING, _NOTHING, _NOTHING, _NOTHING),
        )


class MemberTests(SynchronousTestCase):
    """The index answers from both sides."""

    def test_members(self) -> None:
        """A group has the connections that are in it; an unknown one has none."""
        subscriptions: Subscriptions[int] = Subscriptions()
        subscriptions.replace(1, ["a", "b"])
        subscriptions.replace(2, ["b"])
        self.assertEqual(subscriptions.members("a"), {1})
        self.assertEqual(subscriptions.members("b"), {1, 2})
        self.assertEqual(subscriptions.members("c"), set())
        self.assertEqual(set(subscriptions.connections), {1, 2})
        self.assertEqual(len(subscriptions.heard), 2)


class _Walk(RuleBasedStateMachine):
    """Subscriptions beside the plainest model: a set of pairs."""

    def __init__(self) -> None:
        super().__init__()
        self.subscriptions: Subscriptions[int] = Subscriptions()
        self.pairs: set[tuple[int, str]] = set()

    @rule(connection=st.sampled_from(_CONNECTIONS), names=st.lists(st.sampled_from(_NAMES)))
    def replace(self, connection: int, names: list[str]) -> None:
        """Replace in both, and compare what changed."""
        before = self.pairs
        others = {pair for pair in before if pair[0] != connection}
        self.pairs = others | {(connection, name) for name in names}
        elsewhere = {name for _, name in others}
        left = {name for _, name in before - self.pairs}
        joined = {name for _, name in self.pairs - before}
        change = self.subscriptions.replace(connection, names)
        assert change.current == set(names)
        assert change.left == left
        assert change.joined == joined
        assert change.ended == left - elsewhere
        assert change.started == joined - elsewhere

    @invariant()
    def same(self) -> None:
        """Both give the same answers."""
        for name in _NAMES:
            members = {each for each in _CONNECTIONS if (each, name) in self.pairs}
            assert self.subscriptions.members(name) == members
        assert set(self.subscriptions.connections) == {each for each, _ in self.pairs}
        assert self.subscriptions.heard == {name for _, name in self.pairs}


class ModelTests(SynchronousTestCase):
    """Any course of events."""

    def test_walk(self) -> None:
        """The index agrees with a set of pairs."""
        run_state_machine_as_test(_Walk, settings=WALK)
