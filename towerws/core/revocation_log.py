"""Whether what was found out about a user may be from before a revocation."""

from collections import OrderedDict

#: Users of whom it is remembered that access was revoked. An authentication under way takes a few
#: seconds at most; this many revocations meanwhile, and it begins anew though it need not. Schemes
#: ask once more about a user who was there before that many.
MAX_REVOCATIONS = 1000


class RevocationLog:
    """Revocations by user, the last ones of them, and in order.

    Users go by the text of their id: what a backend calls 7 and a token "7" is one user.

    Attributes:
        count: How many there were so far; to be noted before something is found out.
    """

    def __init__(self) -> None:
        """Begin without any."""
        self.count = 0
        # The number of the last revocation of each user, the oldest first, and that of the last one
        # that is not among them any more.
        self._last: OrderedDict[str, int] = OrderedDict()
        self._forgotten = 0

    def add(self, user: str) -> None:
        """Take note that a user may hear less from now on.

        Args:
            user: Who.
        """
        self.count += 1
        self._last[user] = self.count
        self._last.move_to_end(user)
        if len(self._last) > MAX_REVOCATIONS:
            _, self._forgotten = self._last.popitem(last=False)

    def is_outdated(self, user: str, count: int) -> bool:
        """Tell whether what was found out about a user may be from before a revocation.

        Args:
            user: Who.
            count: How many revocations there had been when it was asked.
        """
        return self._last.get(user, self._forgotten) > count
