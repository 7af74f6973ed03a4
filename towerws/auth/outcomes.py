"""How attempts to authenticate end, counted for each scheme."""

from typing import TypeVar

from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from towerws.auth.errors import Unavailable
from towerws.core.metrics import Counter, Metrics

_T = TypeVar("_T")


class Authentications:
    """Counts what the handshakes that one scheme looks at come to.

    One whose client leaves meanwhile comes to nothing, and is not counted.
    """

    def __init__(self, metrics: Metrics, scheme: str) -> None:
        """Begin at 0.

        Args:
            metrics: Gets ``towerws_authentications_total``.
            scheme: The scheme's name.
        """
        self._accepted, self._refused, self._unavailable = (
            _counter(metrics, scheme, result) for result in ("accepted", "refused", "unavailable")
        )

    def count(self, attempt: Deferred[_T]) -> Deferred[_T]:
        """Count how an attempt ends.

        Args:
            attempt: Fires with the user, or fails as `towerws.auth.interfaces` says.

        Returns:
            The same, with the same result.
        """
        return attempt.addCallbacks(self._accept, self._note)

    def _accept(self, user: _T) -> _T:
        self._accepted.add()
        return user

    def _note(self, reason: Failure) -> Failure:
        if reason.check(UnauthorizedLogin):
            self._refused.add()
        elif reason.check(Unavailable):
            self._unavailable.add()
        return reason


def _counter(metrics: Metrics, scheme: str, result: str) -> Counter:
    return metrics.counter(
        "towerws_authentications_total",
        "Handshakes that an authentication scheme looked at.",
        scheme=scheme,
        result=result,
    )
