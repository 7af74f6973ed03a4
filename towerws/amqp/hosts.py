"""The hosts of a broker, and which of them to try first."""

from collections.abc import Iterator

Host = tuple[str, int]


class Hosts:
    """The hosts of a URL, in the order in which to try them.

    Attributes:
        serving: The one that was reached last; at first, the first one.
    """

    def __init__(self, hosts: tuple[Host, ...]) -> None:
        """Begin with the order of the URL.

        Args:
            hosts: Names or addresses, and ports; at least one.
        """
        self._hosts = self._order = hosts
        self.serving = hosts[0]

    def __iter__(self) -> Iterator[Host]:
        """Go through them in the present order."""
        return iter(self._order)

    def lost(self, position: int, *, lasted: bool) -> None:
        """Decide the next order: a host that accepts and soon drops is not to keep us from others.

        Args:
            position: The place in the present order, from 0, of the host whose connection is lost.
            lasted: Whether it was good for some time. Then the order is the URL's again; else
                this host comes last.
        """
        turned = self._order[position + 1 :] + self._order[: position + 1]
        self._order = self._hosts if lasted else turned

    def serving_first(self) -> list[Host]:
        """Give all hosts, first the one that is known to work."""
        return [self.serving, *(host for host in self._hosts if host != self.serving)]
