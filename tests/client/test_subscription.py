"""What is asked of the server."""

import json

from twisted.trial.unittest import SynchronousTestCase

from towerws.client.subscription import Subscription
from towerws.core.groups import GroupError


class SubscriptionTests(SynchronousTestCase):
    """`Subscription` writes the subscribe frame, and keeps secrets to itself."""

    def test_groups(self) -> None:
        """Elements stand by group, in order; nothing else is asked for."""
        frame = Subscription(["jobs-summary", "job_events-42", "jobs-a-b"]).frame()
        self.assertEqual(
            json.loads(frame), {"groups": {"jobs": ["summary", "a-b"], "job_events": ["42"]}}
        )

    def test_xrftoken(self) -> None:
        """The CSRF token goes into the frame."""
        frame = Subscription(["jobs-summary"], xrftoken="t1").frame()
        self.assertEqual(json.loads(frame), {"groups": {"jobs": ["summary"]}, "xrftoken": "t1"})

    def test_since(self) -> None:
        """So does the position to go on from, whatever it looks like."""
        frame = Subscription(["jobs-summary"]).frame('a"b')
        self.assertEqual(json.loads(frame), {"groups": {"jobs": ["summary"]}, "since": 'a"b'})

    def test_bad_name(self) -> None:
        """A name that is none is told."""
        self.assertRaises(GroupError, Subscription(["jobs"]).frame)

    def test_secrets_are_not_shown(self) -> None:
        """Neither token nor headers are in the text of the object."""
        shown = repr(Subscription(["jobs-summary"], {"Cookie": "secret"}, "secret"))
        self.assertNotIn("secret", shown)
