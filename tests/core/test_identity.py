"""`towerws.core.identity`; tests/core/test_session_access.py has more about tokens."""

from twisted.trial.unittest import SynchronousTestCase

from towerws.core.identity import is_same_token


class TokenTests(SynchronousTestCase):
    """A frame's token against that of the handshake."""

    def test_nothing_asked_for(self) -> None:
        """Whatever comes will do."""
        for given in (None, "", "abc", 1, ["abc"]):
            self.assertTrue(is_same_token(None, given))

    def test_compared(self) -> None:
        """The same text and nothing else, whatever its letters."""
        for token in ("abc", "", "tökén", "\ud800"):
            self.assertTrue(is_same_token(token, token))
            for given in (token + "x", None, [token], token.encode("utf-8", "surrogatepass")):
                self.assertFalse(is_same_token(token, given))
