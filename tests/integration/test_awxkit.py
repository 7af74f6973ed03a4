"""AWX's own client, awxkit 24.6.1 with websocket-client 0.57.0, against the real server."""

import atexit
import importlib.metadata
import json
from typing import Any

import websocket
from awxkit.ws import WSClient

from tests.integration.case import ServerCase
from tests.integration.clients import PATIENCE
from tests.integration.loopback import wait_until
from tests.integration.rabbitmq import shared_node
from tests.integration.server import (
    SHARED_EXCHANGE,
    ServerProcess,
    shared_broker_server,
    shared_server,
)

_GREETING = {"accept": True, "user": None}


class Inbox:
    """What a client of awxkit has received.

    Attributes:
        messages: All frames so far, decoded by awxkit.
    """

    def __init__(self, client: Any) -> None:
        """Watch a client.

        Args:
            client: A ``WSClient``.
        """
        self._client = client
        self.messages: list[dict[str, Any]] = []

    def wait_for(self, count: int) -> list[dict[str, Any]]:
        """Wait until so many frames have come.

        Args:
            count: How many, from the beginning.

        Returns:
            All that have come.
        """
        wait_until(lambda: self._count() >= count, PATIENCE, f"fewer than {count} frames came")
        return self.messages

    def wait_for_replies(self, count: int) -> None:
        """Wait until so many subscriptions are in force.

        Args:
            count: How many, from the beginning.
        """
        wait_until(
            lambda: self._count() > 0 and len(self.replies()) >= count,
            PATIENCE,
            f"fewer than {count} subscriptions are in force",
        )

    def replies(self) -> list[dict[str, Any]]:
        """Give the replies to subscriptions that have come."""
        return [message for message in self.messages if "groups_current" in message]

    def events(self) -> list[dict[str, Any]]:
        """Give the events that have come."""
        return [
            message
            for message in self.messages
            if "groups_current" not in message and "accept" not in message
        ]

    def _count(self) -> int:
        # Iteration takes what is there and does not block.
        self.messages += list(self._client)
        return len(self.messages)


class AwxkitCase(ServerCase):
    """A test with a client of awxkit."""

    def connect(self, server: ServerProcess, **options: Any) -> tuple[Any, Inbox]:
        """Connect a client as awxkit's users do.

        Args:
            server: Where to.
            **options: More arguments of ``WSClient``.

        Returns:
            The client and what it receives.
        """
        client = WSClient(hostname="127.0.0.1", port=server.port, secure=False, **options)
        self.addCleanup(atexit.unregister, client.close)
        self.addCleanup(client.close)
        client.connect()
        return client, Inbox(client)


class VersionTests(ServerCase):
    """What is tested is what AWX's users run."""

    def test_versions(self) -> None:
        """The versions are those that AWX 24.6.1 pins."""
        self.assertEqual(importlib.metadata.version("awxkit"), "24.6.1")
        self.assertEqual(importlib.metadata.version("websocket-client"), "0.57.0")


class EmbeddedTests(AwxkitCase):
    """With the embedded source, events coming over HTTP."""

    def setUp(self) -> None:
        """Start the server if this is the first test that needs it."""
        self.server = self.use(shared_server())

    def emit(self, group: str, event: dict[str, Any]) -> None:
        """Publish an event."""
        self.assertEqual(self.server.emit(group, json.dumps(event).encode())[0], 202)

    def test_job_details(self) -> None:
        """The page of a job: its status, its summary and its events."""
        client, inbox = self.connect(self.server)
        client.job_details(101, 102)
        inbox.wait_for_replies(1)
        joined = ["job_events-101", "job_events-102", "jobs-status_changed", "jobs-summary"]
        self.assertEqual(
            inbox.messages,
            [
                _GREETING,
                {"groups_current": joined, "groups_left": [], "groups_joined": joined},
            ],
        )
        events = [{"group_name": group, "n": n} for n, group in enumerate(joined)]
        for group, event in zip(joined, events, strict=True):
            self.emit(group, event)
        self.assertEqual(inbox.wait_for(6)[2:], events)

    def test_change_of_page(self) -> None:
        """Each page's subscription replaces the one before."""
        client, inbox = self.connect(self.server)
        client.job_stdout(7)
        client.status_changes()
        client.jobs_list()
        inbox.wait_for_replies(3)
        self.assertEqual(
            [reply["groups_current"] for reply in inbox.replies()],
            [
                ["job_events-7", "jobs-status_changed"],
                ["jobs-status_changed"],
                ["jobs-status_changed", "jobs-summary", "schedules-changed"],
            ],
        )
        self.assertEqual(inbox.replies()[1]["groups_left"], ["job_events-7"])

    def test_every_page(self) -> None:
        """Each kind of standard output that awxkit knows has its events' group."""
        client, inbox = self.connect(self.server)
        pages = {
            "ad_hoc_stdout": "ad_hoc_command_events",
            "project_update_stdout": "project_update_events",
            "inventory_update_stdout": "inventory_update_events",
            "workflow_events": "workflow_events",
            "system_job_events": "system_job_events",
        }
        for count, (page, group) in enumerate(pages.items(), 1):
            getattr(client, page)(5)
            inbox.wait_for_replies(count)
            self.assertEqual(
                inbox.replies()[-1]["groups_current"], sorted([f"{group}-5", "jobs-status_changed"])
            )

    def test_pending_job(self) -> None:
        """A client that waits for a job follows it by itself as soon as it is there."""
        client, inbox = self.connect(self.server)
        client.pending_job_stdout()
        inbox.wait_for_replies(1)
        pending = {"group_name": "jobs", "status": "pending", "unified_job_id": 55}
        self.emit("jobs-status_changed", pending)
        inbox.wait_for_replies(2)
        self.emit("job_events-55", {"stdout": "PLAY [all]"})
        inbox.wait_for(5)
        self.assertEqual(inbox.events(), [pending, {"stdout": "PLAY [all]"}])

    def test_unsubscribe(self) -> None:
        """`unsubscribe` waits for the server's reply, and nothing comes behind it."""
        client, inbox = self.connect(self.server)
        client.job_stdout(77)
        inbox.wait_for_replies(1)
        client.unsubscribe(timeout=PATIENCE)
        self.assertEqual(self.server.emit("job_events-77", b"{}"), (202, {"connections": 0}))
        left = ["job_events-77", "jobs-status_changed"]
        self.assertEqual(
            inbox.wait_for(3)[2:],
            [{"groups_current": [], "groups_left": left, "groups_joined": []}],
        )

    def test_session(self) -> None:
        """A session's cookies and its CSRF token are taken."""
        client, inbox = self.connect(self.server, session_id="abc", csrftoken="def")
        client.status_changes()
        inbox.wait_for_replies(1)
        self.assertEqual(inbox.messages[0], _GREETING)

    def test_old_token(self) -> None:
        """A token of AWX 1.0 is taken as well."""
        client, inbox = self.connect(self.server, token="abc")
        client.status_changes()
        inbox.wait_for_replies(1)

    def test_close(self) -> None:
        """A client that closes is gone at the server."""
        server = self.start_server()
        client, inbox = self.connect(server)
        inbox.wait_for(1)
        self.assertEqual(server.metric("towerws_connections"), 1)
        client.close()
        wait_until(
            lambda: server.metric("towerws_connections") == 0, PATIENCE, "the client is there"
        )

    def test_wrong_path(self) -> None:
        """At a path that is not the websocket's, awxkit's library is refused with a reason."""
        with self.assertRaisesRegex(websocket.WebSocketBadStatusException, "404 Not Found"):
            websocket.create_connection(f"ws://127.0.0.1:{self.server.port}/ws/")


class BrokerTests(AwxkitCase):
    """With RabbitMQ, events coming from pika."""

    def setUp(self) -> None:
        """Start broker and server if this is the first test that needs them."""
        self.server = self.use(shared_broker_server())
        self.pika = self.backend(shared_node().url, SHARED_EXCHANGE)

    def test_as_published(self) -> None:
        """What pika publishes arrives, in order, as it was published, and nothing else."""
        client, inbox = self.connect(self.server)
        client.job_details(42)
        inbox.wait_for_replies(1)
        events: list[dict[str, Any]] = [
            {"group_name": "jobs", "status": "running", "unified_job_id": 42},
            *(
                {"group_name": "job_events", "counter": n, "stdout": f"ok: [höst-{n}] ✓", "n": None}
                for n in range(50)
            ),
            {"group_name": "jobs", "status": "successful", "unified_job_id": 42},
        ]
        for event in events:
            group = "job_events-42" if "counter" in event else "jobs-status_changed"
            self.pika.publish(group, json.dumps(event, ensure_ascii=False).encode())
            self.pika.publish("job_events-43", b'{"counter": 1}')
        inbox.wait_for(2 + len(events))
        self.assertEqual(inbox.events(), events)

    def test_pending_job(self) -> None:
        """A client that waits for a job follows it by itself as soon as it is there."""
        client, inbox = self.connect(self.server)
        client.pending_project_update_stdout()
        inbox.wait_for_replies(1)
        job = {"group_name": "jobs", "status": "pending", "unified_job_id": 8}
        update = {"group_name": "jobs", "status": "pending", "unified_job_id": 9, "project_id": 3}
        for event in (job, update):
            self.pika.publish("jobs-status_changed", json.dumps(event).encode())
        inbox.wait_for_replies(2)
        self.pika.publish("project_update_events-9", b'{"counter": 1}')
        inbox.wait_for(6)
        self.assertEqual(inbox.events(), [job, update, {"counter": 1}])

    def test_unsubscribe(self) -> None:
        """`unsubscribe` waits for the server's reply, and nothing comes behind it."""
        client, inbox = self.connect(self.server)
        client.job_stdout(1)
        inbox.wait_for_replies(1)
        client.unsubscribe(timeout=PATIENCE)
        self.pika.publish("job_events-1", b'{"counter": 1}')
        client.job_stdout(2)
        inbox.wait_for_replies(3)
        self.pika.publish("job_events-2", b'{"counter": 2}')
        inbox.wait_for(5)
        self.assertEqual(inbox.events(), [{"counter": 2}])
