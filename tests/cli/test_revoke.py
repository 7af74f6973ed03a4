"""`towerws revoke`."""

import io
import sys
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from towerws.cli import main, revoke
from towerws.core.revocation import Revocation
from towerws.notify import EmitError


class RevokeTests(SynchronousTestCase):
    """It is confirmed, or one sentence says why not."""

    def setUp(self) -> None:
        """Revoke in memory."""
        self.asked: list[tuple[Revocation, str | None, dict[str, Any]]] = []
        self.answer: dict[str, Any] | Exception = {"confirmed": True}
        self.patch(revoke, "revoke", self._revoke)
        self.stdout, self.stderr = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", self.stdout)
        self.patch(sys, "stderr", self.stderr)

    def _revoke(self, revocation: Revocation, url: str | None, **options: Any) -> dict[str, Any]:
        self.asked.append((revocation, url, options))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def revoke(self, *argv: str) -> int:
        """Run the command."""
        return main.main(["revoke", *argv])

    def test_user(self) -> None:
        """All of a user's connections."""
        self.assertEqual(self.revoke("--user", "7"), 0)
        self.assertEqual(self.asked, [(Revocation("7"), None, {"exchange": "towerws.events"})])
        self.assertEqual(
            self.stdout.getvalue(), "revoked: the broker has it and tells every node\n"
        )
        self.assertEqual(self.stderr.getvalue(), "")

    def test_group(self) -> None:
        """Some groups, at a place that is named."""
        argv = ("--user", "a@b", "--group", "jobs-*", "--url", "amqp://tower", "--exchange", "e")
        self.assertEqual(self.revoke(*argv), 0)
        self.assertEqual(
            self.asked, [(Revocation("a@b", "jobs-*"), "amqp://tower", {"exchange": "e"})]
        )

    def test_connections(self) -> None:
        """A server without a broker tells how many there were."""
        for connections, line in ((0, "0 connections"), (1, "1 connection"), (2, "2 connections")):
            self.answer = {"connections": connections}
            self.stdout.truncate(0)
            self.stdout.seek(0)
            self.assertEqual(self.revoke("--user", "7"), 0)
            self.assertEqual(self.stdout.getvalue(), f"revoked: {line}\n")

    def test_not_confirmed(self) -> None:
        """The reason is told, whatever it is, and nothing is said to be revoked."""
        for error in (EmitError("the server is away"), ValueError("a bad URL"), OSError("no file")):
            self.answer = error
            self.assertEqual(self.revoke("--user", "7"), 1)
            self.assertIn(f"towerws revoke: not revoked: {error}\n", self.stderr.getvalue())
        self.assertEqual(self.stdout.getvalue(), "")

    def test_mistakes(self) -> None:
        """What cannot be revoked is told before anything is connected."""
        for argv, sentence in (
            (("--user", ""), "the user's id does not have"),
            (("--user", "7", "--group", "jobs 1"), "a group is neither a name"),
            (("--user", "7", "--group", "$revoke"), "a group is neither a name"),
        ):
            self.assertEqual(self.revoke(*argv), 1)
            self.assertIn(sentence, self.stderr.getvalue())
        self.assertEqual(self.asked, [])

    def test_nobody(self) -> None:
        """There is no revoking of everybody by leaving something out."""
        self.assertEqual(self.assertRaises(SystemExit, self.revoke).code, 2)
        self.assertEqual(self.assertRaises(SystemExit, self.revoke, "--group", "a-1").code, 2)
