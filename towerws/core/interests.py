"""Which groups an event source is to bring, which it brings already, and who waits for that.

A subscription is in force only when the broker has confirmed the binding, and no longer when the
connection to it is lost. This is the bookkeeping; the source does the talking.
"""

from collections.abc import Callable, Collection, Hashable, Set


class _Wait:
    """A wait for some groups to be in force all at the same time."""

    __slots__ = ("callback", "missing", "names")

    def __init__(
        self, names: frozenset[str], missing: set[str], callback: Callable[[], None]
    ) -> None:
        self.names = names
        self.missing = missing
        self.callback = callback


class Interests:
    """The groups with listeners, seen from the source."""

    def __init__(self) -> None:
        self._wanted: set[str] = set()
        self._in_force: set[str] = set()
        self._waits: dict[Hashable, _Wait] = {}
        self._waits_by_name: dict[str, dict[Hashable, _Wait]] = {}

    @property
    def wanted(self) -> Set[str]:
        """All groups that have listeners."""
        return self._wanted

    def change(self, started: Collection[str], ended: Collection[str]) -> None:
        """Take note of groups that got their first listener or lost their last one.

        Args:
            started: Wanted from now on, and not in force yet.
            ended: Not wanted any more. Whoever waits for one of them is to be forgotten, or to
                wait for something else; see `forget` and `when_in_force`.
        """
        self._wanted.difference_update(ended)
        self._in_force.difference_update(ended)
        self._wanted.update(started)

    def when_in_force(
        self, waiter: Hashable, names: Collection[str], callback: Callable[[], None]
    ) -> None:
        """Call back when all of some wanted groups are in force.

        Args:
            waiter: Who waits; what this one waited for before is forgotten.
            names: The groups.
            callback: Called at once if they are already. It may change what is wanted and awaited.
        """
        self.forget(waiter)
        missing = set(names) - self._in_force
        if not missing:
            callback()
            return
        wait = self._waits[waiter] = _Wait(frozenset(names), missing, callback)
        # Under all its names, not only the missing ones: what is in force now may be lost before
        # the rest has come.
        for name in wait.names:
            self._waits_by_name.setdefault(name, {})[waiter] = wait

    def forget(self, waiter: Hashable) -> None:
        """Do not call back any more.

        Args:
            waiter: Who may have waited; one who did not is fine as well.
        """
        wait = self._waits.pop(waiter, None)
        if wait is None:
            return
        for name in wait.names:
            others = self._waits_by_name[name]
            del others[waiter]
            if not others:
                del self._waits_by_name[name]

    def confirm(self, name: str) -> None:
        """Take note that a group is in force, and call back whoever waited only for it.

        Args:
            name: The group; one that is not wanted any more is ignored.
        """
        if name not in self._wanted:
            return
        self._in_force.add(name)
        ready = []
        for waiter, wait in self._waits_by_name.get(name, {}).items():
            wait.missing.discard(name)
            if not wait.missing:
                ready.append((waiter, wait))
        for waiter, wait in ready:
            # An earlier callback may have changed what this one waits for.
            if self._waits.get(waiter) is wait and not wait.missing:
                self.forget(waiter)
                wait.callback()

    def lose(self) -> None:
        """Take note that nothing is in force any more; whoever waits goes on waiting."""
        self._in_force.clear()
        for wait in self._waits.values():
            wait.missing = set(wait.names)
