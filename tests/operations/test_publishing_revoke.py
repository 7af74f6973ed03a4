"""`towerws.operations.publishing`: access that is revoked over HTTP."""

from twisted.internet.defer import fail

from tests.operations.case import Response, SiteCase
from towerws.core.hub import SourceUnavailable
from towerws.core.revocation import MAX_REVOCATION, Revocation


class RevokeCase(SiteCase):
    """A test that revokes."""

    def revoke(self, body: bytes = b'{"user": "7"}', **headers: str) -> Response:
        """Ask for it."""
        return self.request("POST", "/revoke", body, **headers)

    def requests(self, result: str) -> float:
        """Read the counter of requests with a result."""
        return self.metric(f'towerws_revoke_requests_total{{result="{result}"}}')


class RevokeTests(RevokeCase):
    """``POST /revoke``."""

    def test_accepted(self) -> None:
        """202, and what became of it."""
        response = self.revoke(b'{"user": 7, "group": "job_events-42"}')
        self.assertEqual((response.status, response.json), (202, {"connections": 3}))
        self.revoke()
        self.assertEqual(self.emitter.revoked, [Revocation("7", "job_events-42"), Revocation("7")])
        self.assertEqual(self.requests("accepted"), 2)
        self.assertEqual(self.counted("accepted"), 0)

    def test_refused(self) -> None:
        """What is no revocation is refused with a sentence, and revokes nothing."""
        for body, sentence in (
            (b"", "The revocation is not JSON in UTF-8."),
            (b"[]", 'A revocation is an object with "user" and perhaps "group".'),
            (b'{"user": ""}', "The user's id does not have 1 to 1000 characters."),
            (b'{"user": "7", "groups": "a"}', None),
            (b'{"user": "7", "group": ["jobs-1"]}', None),
            (
                b'{"user": "7", "group": "$revoke"}',
                "A group is neither a name such as job_events-42 nor a pattern such as jobs-*.",
            ),
        ):
            response = self.revoke(body)
            self.assertEqual(response.status, 400, body)
            self.assertIn(sentence or ".", response.json["error"])
        self.assertEqual((self.emitter.revoked, self.requests("refused")), ([], 6))

    def test_not_as_an_event(self) -> None:
        """The routing key of revocations is no group that could be emitted to."""
        for path in ("$revoke", "%24revoke"):
            response = self.emit(path, b'{"user": "7"}')
            self.assertEqual(response.status, 400)
            self.assertIn("begin with $", response.json["error"])
        self.assertEqual((self.emitter.emitted, self.emitter.revoked), ([], []))

    def test_paths(self) -> None:
        """A user in the path is one who is not revoked."""
        response = self.request("POST", "/revoke/7", b'{"user": "7"}')
        self.assertEqual(response.status, 404)
        self.assertEqual(self.emitter.revoked, [])

    def test_guards(self) -> None:
        """What emits may not, revokes may not either."""
        response = self.revoke(origin="https://evil.example")
        self.assertEqual(response.status, 403)
        self.assertEqual(self.revoke(content_type="text/plain").status, 415)
        response = self.request("GET", "/revoke")
        self.assertEqual((response.status, response.headers["allow"]), (405, "POST"))
        self.assertEqual(self.emitter.revoked, [])

    def test_too_large(self) -> None:
        """No more is read than an event may have, or a revocation, whichever is less."""
        self.assertEqual(self.revoke(b'{"user": "7"}'.ljust(1001)).status, 413)
        self.site.resource.children[b"revoke"]._max_body = MAX_REVOCATION
        self.assertEqual(self.revoke(b'{"user": "7"}'.ljust(1000)).status, 202)

    def test_source_away(self) -> None:
        """503 with the source's sentence."""
        self.emitter.answer = fail(SourceUnavailable("The broker is away: it sleeps."))
        response = self.revoke()
        self.assertEqual(
            (response.status, response.json), (503, {"error": "The broker is away: it sleeps."})
        )
        self.assertEqual(self.requests("failed"), 1)


class TokenTests(RevokeCase):
    """A site with a bearer token."""

    token = "s3cret-token"

    def test_token(self) -> None:
        """Only who has it revokes."""
        self.assertEqual(self.revoke().status, 403)
        self.assertEqual(self.revoke(authorization="Bearer wrong").status, 403)
        self.assertEqual(self.emitter.revoked, [])
        self.assertEqual(self.revoke(authorization="Bearer s3cret-token").status, 202)
