"""Carries out revocations, from wherever they come."""

from collections.abc import Callable

from twisted.logger import Logger

from towerws.core.metrics import Metrics
from towerws.core.revocation import Revocation
from towerws.core.throttle import Throttle


class Revocations:
    """Takes access away from the connections of this process, and counts it."""

    _log = Logger()

    def __init__(
        self, revoke: Callable[[Revocation], int], metrics: Metrics, throttle: Throttle
    ) -> None:
        """Begin with nothing revoked.

        Args:
            revoke: Takes the access away, and tells from how many connections.
            metrics: Where that is counted.
            throttle: Limits how often bad ones are logged.
        """
        self._revoke = revoke
        self._throttle = throttle
        name, description = "towerws_revocations_total", "Revocations, by what became of them."
        self._applied = metrics.counter(name, description, result="applied")
        self._invalid = metrics.counter(name, description, result="invalid")
        self._connections = metrics.counter(
            "towerws_revoked_connections_total",
            "Connections that a revocation closed, or took groups from.",
        )

    def apply(self, revocation: Revocation) -> int:
        """Carry one out.

        Args:
            revocation: Who may hear less.

        Returns:
            The number of connections that it concerned.
        """
        concerned = self._revoke(revocation)
        self._applied.add()
        self._connections.add(concerned)
        if concerned:
            # Not held back, however many: each line costs somebody a connection.
            self._log.info(
                "access to {groups} was revoked from user {user!r}: {concerned} connections",
                groups=revocation.groups or "everything",
                user=revocation.user,
                concerned=concerned,
            )
        return concerned

    def receive(self, body: bytes | None) -> None:
        """Carry out what came from the broker, if it is a revocation.

        Args:
            body: What came; None if it was too large to be kept.
        """
        try:
            if body is None:
                raise ValueError("it is larger than an event may be")
            revocation = Revocation.decode(body)
        except ValueError as error:
            self._invalid.add()
            self._throttle.log(
                self._log.warn,
                "revocation",
                "ignored a revocation from the broker: {reason}",
                reason=error,
            )
        else:
            self.apply(revocation)
