"""Why a transport failed, in words for an operator."""

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from towerws.network.client_tls import describe_tls_failure


def describe_loss(reason: Failure, authenticating: bool) -> str:
    """Put the end of a transport into a sentence.

    Args:
        reason: What ``connectionLost`` was given.
        authenticating: Whether the broker had our credentials and had not accepted them yet.

    Returns:
        A sentence without the class names and brackets of the libraries.
    """
    error = reason.value
    if isinstance(error, ConnectionDone):
        when = " while it checked the credentials" if authenticating else ""
        return f"the broker closed the connection{when}, without saying why"
    tls = describe_tls_failure(error, "the broker's")
    return tls or f"the connection to the broker failed: {str(error).rstrip('.')}"
