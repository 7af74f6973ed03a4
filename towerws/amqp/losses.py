"""Why a transport failed, in words for an operator."""

from OpenSSL.SSL import Error as TLSError
from service_identity import CertificateError, VerificationError
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure


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
    # The second one has no name at all that could be compared, or one that is malformed.
    if isinstance(error, VerificationError | CertificateError):
        return "the broker's certificate is not valid for its host name"
    if isinstance(error, TLSError):
        return f"TLS failed: {_tls_reasons(error) or 'the peer closed the connection'}"
    return f"the connection to the broker failed: {str(error).rstrip('.')}"


def _tls_reasons(error: TLSError) -> str:
    # OpenSSL.SSL.Error carries its queue of errors: (library, function, reason) each.
    queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return ", ".join(entry[-1] for entry in queue)
