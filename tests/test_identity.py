"""`towerws.identity`: access checks of plugins that are slow, wrong, or answer twice."""

from collections.abc import Callable, Collection, Sequence

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.raw_websocket import FakeIdentity
from towerws.core.groups import Group
from towerws.identity import ACCESS_TIMEOUT, GuardedIdentity

_GROUPS = (Group("jobs", "1"), Group("jobs", "2"))

Answer = Callable[[Collection[Group]], None]


class GuardedIdentityTests(SynchronousTestCase):
    """What a session gets."""

    def setUp(self) -> None:
        """Have nobody asked yet."""
        self.clock = Clock()
        self.answers: list[Collection[Group]] = []
        self.faults: list[Exception] = []

    def guard(self, step: Callable[[], None]) -> None:
        """Run a step as a connection does."""
        try:
            step()
        except ZeroDivisionError as error:
            self.faults.append(error)

    def check(self, check: Callable[[Sequence[Group], Answer], None]) -> GuardedIdentity:
        """Ask for two groups."""
        identity = GuardedIdentity(FakeIdentity(check), self.guard, self.clock)
        identity.check_access(_GROUPS, self.answers.append)
        return identity

    def test_who(self) -> None:
        """It is who the authenticator said."""
        identity = self.check(lambda groups, answer: answer(()))
        self.assertEqual((identity.user, identity.csrf_token), (7, None))

    def test_prompt(self) -> None:
        """An answer at once is passed on, and needs no timer."""
        self.check(lambda groups, answer: answer(groups[:1]))
        self.assertEqual(self.answers, [_GROUPS[:1]])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_late(self) -> None:
        """One that comes later, too."""
        waiting: list[Answer] = []
        self.check(lambda groups, answer: waiting.append(answer))
        self.clock.advance(ACCESS_TIMEOUT - 1)
        self.assertEqual(self.answers, [])
        waiting[0](())
        self.assertEqual(self.answers, [()])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_never(self) -> None:
        """Without an answer everything is refused, and what comes after that does not count."""
        waiting: list[Answer] = []
        self.check(lambda groups, answer: waiting.append(answer))
        self.clock.advance(ACCESS_TIMEOUT)
        self.assertEqual(self.answers, [_GROUPS])
        waiting[0](())
        self.assertEqual(self.answers, [_GROUPS])

    def test_twice(self) -> None:
        """Only the first answer counts."""

        def twice(groups: Sequence[Group], answer: Answer) -> None:
            answer(())
            answer(groups)

        self.check(twice)
        self.assertEqual(self.answers, [()])

    def test_raises(self) -> None:
        """A fault ends the connection, now and in a late answer; the caller goes on."""
        waiting: list[Answer] = []

        def fails(groups: Sequence[Group], answer: Answer) -> None:
            raise ZeroDivisionError

        self.check(fails)
        self.assertEqual(len(self.faults), 1)
        identity = GuardedIdentity(
            FakeIdentity(lambda groups, answer: waiting.append(answer)), self.guard, self.clock
        )
        identity.check_access(_GROUPS, lambda denied: fails((), self.answers.append))
        waiting[0](())
        self.assertEqual(len(self.faults), 2)

    def test_forgotten(self) -> None:
        """A client that is gone leaves no timer."""
        identity = self.check(lambda groups, answer: None)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        identity.forget()
        identity.forget()
        self.assertEqual(self.clock.getDelayedCalls(), [])
