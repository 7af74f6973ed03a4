"""What an authentication scheme is given and what it gives, in the terms of `twisted.cred`.

A scheme is a checker for `IHandshake` credentials, made by an `ICheckerFactory` plugin
(`twisted.cred.strcred`), so that ``--auth NAME[:ARGUMENTS]`` finds it. Its ``requestAvatarId``
answers, at once or by a Deferred, with an `IUser`; docs/authentication.md shows one whole. It fails
with

- `twisted.cred.error.UnauthorizedLogin` when the client has not shown who it is; the next scheme is
  asked, if there is one;
- `towerws.auth.errors.Unavailable` when that cannot be found out at the moment.
"""

from twisted.cred.credentials import ICredentials
from zope.interface import Attribute, Interface


class IHandshake(ICredentials):
    """The opening handshake of a websocket; see `towerws.auth.handshake.Handshake`."""

    path = Attribute("The path that is asked for.")
    address = Attribute("The client's IP address, empty where it came by a Unix socket.")
    headers = Attribute("Values by name in lower case; those of repeated headers, with commas.")
    subprotocols = Attribute("The subprotocols that are offered, in order.")
    certificate = Attribute("The client's X509 certificate if TLS has verified one, or None.")
    cookies = Attribute("Values by name.")
    bearer = Attribute("The token of ``Authorization: Bearer``, or None.")


class IUser(Interface):
    """Who is connected, and what they may hear: what `twisted.cred` calls the avatar."""

    user = Attribute("The user's id, an int or a str; None for an anonymous one.")
    csrf_token = Attribute("What each frame's ``xrftoken`` must be; None to ask for nothing.")
    expires = Attribute("Unix time in seconds from which on this holds no more; None if it does.")

    def denied(groups):  # type: ignore[no-untyped-def]  # noqa: N805  # so is zope.interface
        """Find out which groups the user may not hear.

        Args:
            groups: A sequence of `towerws.core.groups.Group`.

        Returns:
            A collection of the refused ones, or a Deferred of that; raises, or fails with,
            `towerws.auth.errors.Unavailable` when it cannot be found out.
        """

    def renew():  # type: ignore[no-untyped-def]
        """Find out whether all of this still holds: it expires, or it is time to look again.

        Nothing that is remembered from before may be the answer.

        Returns:
            The user as of now, who may be the same object; None if the credentials hold no more.
            Or a Deferred of that; raises, or fails with, `towerws.auth.errors.Unavailable` when it
            cannot be found out.
        """


class IAttached(Interface):
    """A checker that takes part in the server's life. Optional, and all of it or nothing."""

    files = Attribute("Paths of files; when one changes, `reload` is called.")

    def attach(reactor, metrics):  # type: ignore[no-untyped-def]  # noqa: N805
        """Take what the server has; called once, before the first handshake.

        Args:
            reactor: Connects and measures time.
            metrics: A `towerws.core.metrics.Metrics`.
        """

    def forget(user):  # type: ignore[no-untyped-def]  # noqa: N805
        """Let go of all that is remembered of a user: access was revoked.

        Args:
            user: The id as text.
        """

    def reload():  # type: ignore[no-untyped-def]
        """Read files anew; what cannot be read is logged, and the old stays. Never raises.

        Returns:
            False if something could not be read, and is to be tried again; else None.
        """

    def detach():  # type: ignore[no-untyped-def]
        """Let go of everything: the server stops.

        Returns:
            A Deferred that fires when it is done, within a bounded time; or None.
        """
