"""Tests of `towerws.amqp.losses`."""

from OpenSSL.SSL import Error as TLSError
from service_identity import VerificationError
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from towerws.amqp.losses import describe_loss


class DescribeLossTests(SynchronousTestCase):
    """Sentences for operators."""

    def test_sentences(self) -> None:
        """Each kind of end has its own, without class names and brackets of libraries."""
        for error, sentence in (
            (ConnectionDone(), "the broker closed the connection, without saying why"),
            (VerificationError([]), "the broker's certificate is not valid for its host name"),
            (
                TLSError([("SSL routines", "", "certificate verify failed")]),
                "TLS failed: certificate verify failed",
            ),
            (TLSError(), "TLS failed: the peer closed the connection"),
            (TLSError(-1, "Unexpected EOF"), "TLS failed: the peer closed the connection"),
        ):
            self.assertEqual(describe_loss(Failure(error), authenticating=False), sentence)

    def test_other(self) -> None:
        """Anything else speaks for itself."""
        text = describe_loss(Failure(ConnectionLost("reset by peer")), authenticating=False)
        self.assertIn("reset by peer", text)
        self.assertFalse(text.endswith("."), text)

    def test_while_authenticating(self) -> None:
        """Trap 20: a broker that drops the connection instead of saying no is given away."""
        text = describe_loss(Failure(ConnectionDone()), authenticating=True)
        self.assertIn("while it checked the credentials", text)
