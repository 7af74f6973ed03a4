"""Tests of the bookkeeping of what is in force and who waits for it."""

from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from tests.properties import WALK
from towerws.core.interests import Interests

_NAMES = "abcd"
_WAITERS = range(3)


class InterestsTests(SynchronousTestCase):
    """Whoever waits is called back when all its groups are in force, and not before."""

    def setUp(self) -> None:
        """Three groups are wanted."""
        self.interests = Interests()
        self.interests.change("abc", ())
        self.called: list[str] = []

    def wait(self, waiter: str, names: str, then: Callable[[], object] = lambda: None) -> None:
        """Wait, take note of the call, and do something then."""

        def callback() -> None:
            self.called.append(waiter)
            then()

        self.interests.when_in_force(waiter, names, callback)

    def confirm(self, names: str) -> None:
        """Confirm groups in order."""
        for name in names:
            self.interests.confirm(name)

    def assert_nobody_waits(self) -> None:
        """Expect that nothing is left of whoever waited."""
        self.assertEqual((self.interests._waits, self.interests._waits_by_name), ({}, {}))

    def test_waits_for_all(self) -> None:
        """One that waits for several groups is called when the last one is there, once."""
        self.wait("x", "abb")
        self.confirm("aac")
        self.assertEqual(self.called, [])
        self.confirm("bb")
        self.assertEqual(self.called, ["x"])
        self.assert_nobody_waits()

    def test_at_once(self) -> None:
        """Nobody waits for what is in force, or for nothing."""
        self.confirm("ab")
        self.wait("x", "ab")
        self.wait("y", "")
        self.assertEqual(self.called, ["x", "y"])
        self.assert_nobody_waits()

    def test_order(self) -> None:
        """Those who wait for the same group are called in the order in which they came."""
        for waiter in "zxy":
            self.wait(waiter, "a")
        self.confirm("a")
        self.assertEqual(self.called, ["z", "x", "y"])

    def test_wanted(self) -> None:
        """What is wanted is known, so that a new connection to the broker can bind it."""
        self.interests.change("d", "ab")
        self.assertEqual(self.interests.wanted, {"c", "d"})

    def test_late_confirmation(self) -> None:
        """A confirmation of what nobody wants any more counts for nothing later."""
        self.interests.change("", "a")
        self.confirm("a")
        self.interests.change("a", "")
        self.wait("x", "a")
        self.assertEqual(self.called, [])

    def test_ended(self) -> None:
        """What was in force and ended is not in force when it starts again."""
        self.confirm("a")
        self.interests.change("", "a")
        self.interests.change("a", "")
        self.wait("x", "a")
        self.assertEqual(self.called, [])
        self.confirm("a")
        self.assertEqual(self.called, ["x"])

    def test_lose(self) -> None:
        """All groups are needed at the same time: what came before a loss is needed again."""
        self.wait("x", "ab")
        self.confirm("a")
        self.interests.lose()
        self.confirm("b")
        self.assertEqual(self.called, [])
        self.confirm("a")
        self.assertEqual(self.called, ["x"])

    def test_lose_what_was_there(self) -> None:
        """So is what was in force already when the wait began."""
        self.confirm("a")
        self.wait("x", "ab")
        self.interests.lose()
        self.confirm("b")
        self.wait("y", "a")
        self.assertEqual(self.called, [])
        self.confirm("a")
        self.assertEqual(self.called, ["x", "y"])

    def test_forget(self) -> None:
        """One that is forgotten is not called, and nothing is kept of it; the others wait on."""
        self.wait("x", "ab")
        self.wait("y", "a")
        self.interests.forget("x")
        self.interests.forget("x")
        self.interests.forget("unknown")
        self.confirm("ab")
        self.assertEqual(self.called, ["y"])
        self.assert_nobody_waits()

    def test_waits_for_something_else(self) -> None:
        """One that waits anew does not wait for the old groups."""
        self.wait("x", "ab")
        self.wait("x", "c")
        self.confirm("ab")
        self.assertEqual(self.called, [])
        self.confirm("c")
        self.assertEqual(self.called, ["x"])
        self.assert_nobody_waits()

    def test_no_longer_needs_to_wait(self) -> None:
        """One that waits anew for what is there is called for that only."""
        self.confirm("a")
        self.wait("x", "b")
        self.wait("x", "a")
        self.confirm("b")
        self.assertEqual(self.called, ["x"])

    def test_callback_forgets(self) -> None:
        """A callback may forget one that would have been next."""
        self.wait("x", "a", lambda: self.interests.forget("y"))
        self.wait("y", "a")
        self.wait("z", "a")
        self.confirm("a")
        self.assertEqual(self.called, ["x", "z"])
        self.assert_nobody_waits()

    def test_callback_waits(self) -> None:
        """A callback may wait again, for itself or in place of the next one."""

        def again() -> None:
            self.wait("x", "b")
            self.wait("y", "b")

        self.wait("x", "a", again)
        self.wait("y", "a")
        self.confirm("a")
        self.assertEqual(self.called, ["x"])
        self.confirm("b")
        self.assertEqual(self.called, ["x", "x", "y"])

    def test_callback_waits_for_the_same(self) -> None:
        """What is in force is so for callbacks too; the next one is called once."""
        self.wait("x", "a", lambda: self.wait("y", "a"))
        self.wait("y", "a", lambda: self.fail("it had been replaced"))
        self.confirm("a")
        self.assertEqual(self.called, ["x", "y"])

    def test_callback_loses(self) -> None:
        """After a loss within a callback nobody is promised what is gone."""
        self.wait("x", "a", self.interests.lose)
        self.wait("y", "a")
        self.confirm("a")
        self.assertEqual(self.called, ["x"])
        self.confirm("a")
        self.assertEqual(self.called, ["x", "y"])

    def test_callback_ends(self) -> None:
        """A callback may end the very group that came."""
        self.wait("x", "a", lambda: self.interests.change("", "a"))
        self.confirm("a")
        self.assertEqual(self.interests.wanted, {"b", "c"})
        self.interests.change("a", "")
        self.wait("y", "a")
        self.assertEqual(self.called, ["x"])


class _Walk(RuleBasedStateMachine):
    """Interests beside a plain model, told by connections that come, change and leave."""

    def __init__(self) -> None:
        super().__init__()
        self.interests = Interests()
        self.groups: dict[int, frozenset[str]] = {waiter: frozenset() for waiter in _WAITERS}
        self.in_force: set[str] = set()
        self.waiting: dict[int, frozenset[str]] = {}
        self.called: list[tuple[int, frozenset[str]]] = []

    def wanted(self) -> frozenset[str]:
        """Give all groups of all connections."""
        return frozenset().union(*self.groups.values())

    def change(self, waiter: int, names: frozenset[str]) -> None:
        """Give a connection its groups."""
        before = self.wanted()
        self.groups[waiter] = names
        after = self.wanted()
        self.in_force &= after
        self.interests.change(after - before, before - after)

    @rule(waiter=st.sampled_from(_WAITERS), names=st.frozensets(st.sampled_from(_NAMES)))
    def subscribe(self, waiter: int, names: frozenset[str]) -> None:
        """A connection wants other groups."""
        self.change(waiter, names)
        self.waiting[waiter] = names
        self.interests.when_in_force(waiter, names, lambda: self.called.append((waiter, names)))

    @rule(waiter=st.sampled_from(_WAITERS))
    def leave(self, waiter: int) -> None:
        """A connection leaves."""
        self.waiting.pop(waiter, None)
        self.interests.forget(waiter)
        self.change(waiter, frozenset())

    @rule(name=st.sampled_from(_NAMES))
    def confirm(self, name: str) -> None:
        """The broker confirms a group."""
        self.in_force |= {name} & self.wanted()
        self.interests.confirm(name)

    @rule()
    def lose(self) -> None:
        """The broker is lost."""
        self.in_force.clear()
        self.interests.lose()

    @invariant()
    def same(self) -> None:
        """Exactly those have been called all of whose groups are in force."""
        due = {each: names for each, names in self.waiting.items() if names <= self.in_force}
        assert sorted(self.called) == sorted(due.items())
        self.called.clear()
        for waiter in due:
            del self.waiting[waiter]
        assert self.interests.wanted == self.wanted()
        assert set(self.interests._waits) == set(self.waiting)
        assert set(self.interests._waits_by_name) == frozenset().union(*self.waiting.values())


class ModelTests(SynchronousTestCase):
    """Any course of events."""

    def test_walk(self) -> None:
        """The bookkeeping agrees with plain sets."""
        run_state_machine_as_test(_Walk, settings=WALK)
