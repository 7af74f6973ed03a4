"""``--auth awx``: the real server, awxkit, and an API that answers as AWX's does."""

import atexit
import functools
import os
from typing import Any

from websockets.exceptions import InvalidStatus

from tests.awx_stub import AwxServer, AwxStub, StubUser
from tests.integration.clients import PATIENCE
from tests.integration.loopback import wait_until
from tests.integration.server import ServerProcess
from tests.integration.test_awxkit import AwxkitCase, Inbox

_ME = "/api/v2/me/"
_COOKIES = 'awx_sessionid="s3cret";csrftoken=def'
_DENIED = {"error": "access denied to channel"}


@functools.cache
def _shared() -> tuple[AwxServer, ServerProcess]:
    """Start the API and the server that all tests here share; nothing that AWX says is kept."""
    awx = AwxServer(AwxStub()).start()
    scheme = f"awx:url={awx.url},keep=0,keep-refused=0"
    server = ServerProcess(f"--auth={scheme}", "--recheck=1").start()
    atexit.register(_stop, awx, server, os.getpid())
    return awx, server


def _stop(awx: AwxServer, server: ServerProcess, owner: int) -> None:
    # A child made by os.fork inherits the registration, but not the server.
    if os.getpid() == owner:
        server.stop()
        awx.stop()


class AwxAuthTests(AwxkitCase):
    """Ann may see the job 42 and nothing else."""

    def setUp(self) -> None:
        """Begin with an AWX of its own."""
        self.ann = StubUser(5, "ann", visible={"jobs/42/"})
        self.stub = AwxStub(self.ann)
        self.stub.sessions["s3cret"] = "ann"
        self.stub.tokens["t0ken"] = "ann"
        awx, server = _shared()
        awx.stub = self.stub
        self.server = self.use(server)

    def log_in(self, **credentials: Any) -> tuple[Any, Inbox]:
        """Connect awxkit with Ann's session."""
        shown = {"session_id": "s3cret", "csrftoken": "def"} | credentials
        return self.connect(self.server, **shown)

    def reached(self, group: str) -> int:
        """Publish an event, and tell how many connections it went to."""
        status, answer = self.server.emit(group, b'{"of": "%s"}' % group.encode())
        self.assertEqual(status, 202)
        assert isinstance(answer, dict), answer
        return int(answer["connections"])

    def test_objects(self) -> None:
        """A client hears of the job that it may see, and is refused another."""
        client, inbox = self.log_in()
        client.job_details(42, 43)
        inbox.wait_for_replies(1)
        joined = ["job_events-42", "jobs-status_changed", "jobs-summary"]
        self.assertEqual(
            inbox.messages,
            [
                {"accept": True, "user": 5},
                {"error": "access denied to channel job_events for resource id 43"},
                {"groups_current": joined, "groups_left": [], "groups_joined": joined},
            ],
        )
        self.assertEqual((self.reached("job_events-42"), self.reached("job_events-43")), (1, 0))
        self.assertEqual(inbox.wait_for(4)[3:], [{"of": "job_events-42"}])
        asked = {_ME, "/api/v2/jobs/42/", "/api/v2/jobs/43/"}
        self.assertEqual(set(self.stub.asked), asked)
        self.assertNotIn("s3cret", self.server.log())

    def test_every_page(self) -> None:
        """What each of awxkit's pages is about is asked for where it is."""
        self.ann.visible = {"project_updates/7/"}
        client, inbox = self.log_in()
        pages = (
            "project_update_stdout", "job_stdout", "ad_hoc_stdout", "inventory_update_stdout",
            "workflow_events", "system_job_events",
        )  # fmt: skip
        for page in pages:
            getattr(client, page)(7)
        inbox.wait_for_replies(len(pages))
        lists = ["jobs-status_changed"]
        self.assertEqual(
            [reply["groups_current"] for reply in inbox.replies()],
            [sorted([*lists, "project_update_events-7"]), *([lists] * 5)],
        )
        client.unsubscribe(timeout=PATIENCE)

    def test_csrf_token(self) -> None:
        """A frame without the session's token has no effect, nor one of a session without one."""
        for token, sent in (("def", "forged"), (None, None), (None, "forged")):
            client, inbox = self.log_in(csrftoken=token)
            client.csrftoken = sent
            client.subscribe(schedules=["changed"])
            self.assertEqual(inbox.wait_for(2), [{"accept": True, "user": 5}, _DENIED])
        self.assertEqual(self.reached("schedules-changed"), 0)

    def test_unknown_session(self) -> None:
        """Who has no session that AWX knows is turned away, and who has none without a question."""
        for cookies, asked in (("csrftoken=def", []), ("awx_sessionid=other", [_ME])):
            stranger = self.client(self.server, headers={"Cookie": cookies})
            self.assertEqual(stranger.greeting, {"close": True})
            self.assertEqual(stranger.wait_closed(), 1000)
            self.assertEqual(self.stub.asked, asked)

    def test_token(self) -> None:
        """An OAuth 2 token shows who it is; without a cookie, frames need no token of their own."""
        client = self.client(self.server, headers={"Authorization": "Bearer t0ken"})
        self.assertEqual(client.greeting, {"accept": True, "user": 5})
        reply = client.subscribe(job_events=[42])
        self.assertEqual(reply["groups_current"], ["job_events-42"])

    def test_access_ends(self) -> None:
        """At the next look, groups that may be heard no more are left, and the client is told."""
        client = self.client(self.server, headers={"Cookie": _COOKIES})
        client.csrf_token = "def"
        client.subscribe(job_events=[42], schedules=["changed"])
        self.ann.visible.clear()
        error = {"error": "access denied to channel job_events for resource id 42"}
        self.assertEqual(client.receive_json(), error)
        self.assertEqual(client.receive_json()["groups_current"], ["schedules-changed"])
        self.assertEqual(self.reached("job_events-42"), 0)

    def test_session_ends(self) -> None:
        """When the session is over, so is the connection, at the next look, which prolongs none."""
        client = self.client(self.server, headers={"Cookie": _COOKIES})
        client.csrf_token = "def"
        client.subscribe(job_events=[42])
        wait_until(lambda: self.stub.asked.count(_ME) > 1, PATIENCE, "AWX is not asked again")
        self.assertEqual(self.reached("job_events-42"), 1)
        self.assertEqual(self.stub.prolonged, 0)
        self.stub.sessions.clear()
        self.assertEqual(client.wait_closed(), 4401)

    def test_away(self) -> None:
        """While AWX does not answer nobody is let in; afterwards, without a restart, they are."""
        name = 'towerws_authentications_total{result="unavailable",scheme="awx"}'
        before = self.server.metric(name)
        self.stub.fault = 502
        with self.assertRaisesRegex(InvalidStatus, "503"):
            self.client(self.server, headers={"Cookie": _COOKIES})
        self.assertEqual(self.server.metric(name), before + 1)
        self.stub.fault = None
        self.assertEqual(self.client(self.server, headers={"Cookie": _COOKIES}).greeting["user"], 5)
