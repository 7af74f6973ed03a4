"""Who is connected, and what they may hear: what a session asks."""

import hmac
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from towerws.core.groups import Group


class Identity(Protocol):
    """Who is connected, and what they may hear."""

    @property
    def user(self) -> int | str | None:
        """The user's id, None for an anonymous one."""

    @property
    def csrf_token(self) -> str | None:
        """What each frame's ``xrftoken`` must be; None if no token was given at the handshake."""

    @property
    def expires(self) -> float | None:
        """When the credentials hold no more, by the session's clock; None for never."""

    def check_access(
        self, groups: Sequence[Group], answer: Callable[[Collection[Group] | None], None]
    ) -> None:
        """Find out which of these groups the user may not hear.

        Args:
            groups: What the client asks for.
            answer: To be called once, now or later, with the refused ones; with None if that cannot
                be found out.
        """

    def renew(self, answer: Callable[[bool], None]) -> None:
        """Find out whether the credentials still hold, and until when.

        Args:
            answer: To be called once, now or later. False if they do not; True also if that cannot
                be found out.
        """


def is_same_token(expected: str | None, given: object) -> bool:
    """Compare a CSRF token with what a frame has, in a time that tells nothing.

    Args:
        expected: The token; None if nothing is asked for.
        given: What came, anything at all.

    Returns:
        Whether the frame may have an effect.
    """
    if expected is None:
        return True
    # In bytes, because compare_digest takes text only if it is ASCII; a lone surrogate, which
    # JSON can spell and UTF-8 cannot, must not raise either.
    return isinstance(given, str) and hmac.compare_digest(
        expected.encode("utf-8", "surrogatepass"), given.encode("utf-8", "surrogatepass")
    )
