"""What is needed to hear a group of AWX."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from towerws.auth.awx.objects import Account, Rules, object_path, read_account
from towerws.core.patterns import Patterns

_USER = Account(5)
_AUDITOR = Account(1, is_auditor=True)


def _page(*users: Any) -> dict[str, Any]:
    return {"count": len(users), "next": None, "previous": None, "results": list(users)}


class ReadAccountTests(SynchronousTestCase):
    """The page at ``/api/v2/me/``."""

    def test_user(self) -> None:
        """An ordinary user has an id and sees some things."""
        user = {"id": 5, "username": "ann", "is_superuser": False, "is_system_auditor": False}
        self.assertEqual(read_account(_page(user)), Account(5, is_auditor=False))

    def test_auditors(self) -> None:
        """Superusers and system auditors see everything."""
        for flag in ("is_superuser", "is_system_auditor"):
            self.assertEqual(read_account(_page({"id": 1, flag: True})), Account(1, True))

    def test_true_is_true(self) -> None:
        """A flag that is anything but JSON's true makes no auditor."""
        for value in (1, "true", [0], None):
            self.assertEqual(read_account(_page({"id": 1, "is_superuser": value})), Account(1))

    def test_nobody(self) -> None:
        """A page without results is nobody."""
        self.assertIsNone(read_account(_page()))

    def test_no_page(self) -> None:
        """Whatever else is no answer, and its content is not repeated."""
        pages: list[Any] = [
            None, [], "secret", 1, {}, {"results": None}, {"results": {"id": 1}}, _page("secret"),
            _page({}), _page({"id": "1"}), _page({"id": True}), _page({"id": 1.0}),
            _page({"id": 1}, {"id": 2}),
        ]  # fmt: skip
        for page in pages:
            error = self.assertRaises(ValueError, read_account, page)
            self.assertNotIn("secret", str(error))


class ObjectPathTests(SynchronousTestCase):
    """Groups of events, which an object of the API decides."""

    def test_every_kind(self) -> None:
        """Each group of events has its object."""
        paths = {
            "job_events-42": "jobs/42/",
            "workflow_events-1": "workflow_jobs/1/",
            "ad_hoc_command_events-7": "ad_hoc_commands/7/",
            "project_update_events-8": "project_updates/8/",
            "inventory_update_events-9": "inventory_updates/9/",
            "system_job_events-2147483647": "system_jobs/2147483647/",
        }
        for name, path in paths.items():
            self.assertEqual(object_path(name), path)

    def test_no_id(self) -> None:
        """Nothing is asked for an id that cannot be, nor for a second spelling of one that can."""
        for element in (
            "", "0", "042", "-42", "+42", "4.2", "abc", "1e3", "42-", "42.", "..", "1_000",
            "2147483648", "9" * 40, "٤٢", "42\n", "42/", "None",
        ):  # fmt: skip
            self.assertIsNone(object_path(f"job_events-{element}"), element)

    def test_other_groups(self) -> None:
        """Groups that no object decides have no path."""
        for name in (
            "jobs-summary",
            "jobs-42",
            "job_events",
            "job-events-42",
            "-42",
            "Job_events-1",
        ):
            self.assertIsNone(object_path(name), name)


class RulesTests(SynchronousTestCase):
    """Groups that no object decides."""

    def test_any_user(self) -> None:
        """Lists are for any user."""
        for name in (
            "jobs-status_changed", "jobs-summary", "schedules-changed",
            "inventories-status_changed",
        ):  # fmt: skip
            self.assertTrue(Rules().allow(name, _USER), name)

    def test_status_for_auditors(self) -> None:
        """The status of all jobs may be kept for those who see all jobs; other lists are not."""
        rules = Rules(status_for_auditors=True)
        for name in ("jobs-status_changed", "jobs-summary"):
            self.assertFalse(rules.allow(name, _USER), name)
            self.assertTrue(rules.allow(name, _AUDITOR), name)
        self.assertTrue(rules.allow("schedules-changed", _USER))

    def test_control(self) -> None:
        """Everybody hears of their own sessions, and of nothing else under this name."""
        self.assertTrue(Rules().allow("control-limit_reached_5", _USER))
        for name in (
            "control-limit_reached_1", "control-limit_reached_55", "control-limit_reached_05",
            "control-limit_reached", "control-limit_reached_", "control-5", "control",
        ):  # fmt: skip
            self.assertFalse(Rules().allow(name, _USER), name)
            self.assertFalse(Rules(others=Patterns(["*"])).allow(name, _USER), name)

    def test_own_groups(self) -> None:
        """Groups that are not AWX's are refused unless a pattern names them."""
        rules = Rules(others=Patterns(["deploy-*", "alerts-red"]))
        for name in ("deploy-42", "deploy-a-b", "alerts-red"):
            self.assertFalse(Rules().allow(name, _AUDITOR), name)
            self.assertTrue(rules.allow(name, _USER), name)
        for name in ("alerts-blue", "group-workflow_jobs", "deploys-42"):
            self.assertFalse(rules.allow(name, _USER), name)

    def test_patterns_open_nothing_of_awx(self) -> None:
        """No pattern opens events without their object, nor what AWX's nodes tell one another."""
        rules = Rules(others=Patterns(["*"]))
        for name in (
            "job_events-abc", "job_events-042", "system_job_events-", "project_update_events-0",
            "broadcast-group_send", "metrics-a", "metrics",
        ):  # fmt: skip
            self.assertFalse(rules.allow(name, _AUDITOR), name)
        self.assertTrue(rules.allow("anything-else", _USER))
