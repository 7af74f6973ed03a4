"""Everybody may connect and hear everything: for listeners that only this machine can reach.

`towerws.tap` refuses to start with it on any other listener.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from autobahn.websocket.types import ConnectionRequest
from twisted.internet.defer import Deferred, succeed

from towerws.core.groups import Group
from towerws.core.session import Identity


@dataclass(frozen=True, slots=True)
class AnonymousIdentity:
    """A user without a name, who may join every group.

    Attributes:
        user: None, which clients get as ``null``.
        csrf_token: None: without a session there is nothing that another site could ride on.
    """

    user: None = None
    csrf_token: None = None

    def check_access(
        self, groups: Sequence[Group], answer: Callable[[Collection[Group]], None]
    ) -> None:
        """Refuse nothing; see `towerws.core.session.Identity`."""
        answer(())


_NOBODY = AnonymousIdentity()


class Anonymous:
    """The authenticator that asks no questions."""

    def authenticate(self, request: ConnectionRequest) -> Deferred[Identity | None]:
        """Let the client in; see `towerws.handshake.Authenticator`.

        Args:
            request: The handshake, of which nothing is read.

        Returns:
            The anonymous identity, at once.
        """
        return succeed(_NOBODY)
