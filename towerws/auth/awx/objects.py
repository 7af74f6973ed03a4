"""What AWX's groups are about, and so who may hear them.

Groups: awx/main/consumers.py and awx/main/models of AWX 9.3 to 24.6 (docs/authentication.md).
Everything is decided by the group's whole name, taken apart at its first hyphen: however a client
divides a name in its dictionary, it asks for the same group.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from towerws.core.patterns import Patterns

#: Where the API has the object whose id an events' group names.
OBJECTS: Mapping[str, str] = {
    "job_events": "jobs",
    "workflow_events": "workflow_jobs",
    "ad_hoc_command_events": "ad_hoc_commands",
    "project_update_events": "project_updates",
    "inventory_update_events": "inventory_updates",
    "system_job_events": "system_jobs",
}

# As AWX writes its ids when it publishes. Each further spelling of one would be one more question.
_ID = re.compile(r"[1-9][0-9]{0,9}")

# AWX numbers its jobs with 32 bits; its database fails at what is more, where it should say no.
_LAST_ID = 2**31 - 1

# Of every job, whoever may see it (https://github.com/ansible/awx/issues/13835).
_STATUS = "jobs"

# Ids of schedules and inventories that have changed, and nothing else of them.
_ANYBODY = frozenset({"schedules", "inventories"})

# What AWX's nodes tell one another; AWX lets every user hear the first (10.0 to 21.14).
_INTERNAL = frozenset({"broadcast", "metrics"})


NO_GROUPS = Patterns(())


@dataclass(frozen=True, slots=True)
class Account:
    """A user of AWX.

    Attributes:
        id: The primary key.
        is_auditor: Whether they may see everything: a superuser or a system auditor.
    """

    id: int
    is_auditor: bool = False


def read_account(page: Any) -> Account | None:
    """Read what ``/api/v2/me/`` says.

    Args:
        page: The decoded JSON, a page of a list: ``{"count": 1, "results": [{"id": 1, ...}]}``.

    Returns:
        Who it is; None if it is nobody.

    Raises:
        ValueError: AWX says no such thing; the text is one sentence without what it said.
    """
    results = page.get("results") if isinstance(page, dict) else None
    if not isinstance(results, list) or len(results) > 1:
        raise ValueError("what should be AWX's /me/ is no list of one user")
    if not results:
        return None
    user = results[0] if isinstance(results[0], dict) else {}
    if type(user.get("id")) is not int:
        raise ValueError("the user in AWX's /me/ has no id")
    is_auditor = any(user.get(flag) is True for flag in ("is_superuser", "is_system_auditor"))
    return Account(user["id"], is_auditor)


def object_path(name: str) -> str | None:
    """Find the object that decides who may hear a group.

    Args:
        name: The group's full name, such as ``job_events-42``.

    Returns:
        Its path below the API's root, such as ``jobs/42/``; None if none decides.
    """
    family, _, element = name.partition("-")
    if family not in OBJECTS or not _ID.fullmatch(element) or int(element) > _LAST_ID:
        return None
    return f"{OBJECTS[family]}/{element}/"


@dataclass(frozen=True, slots=True)
class Rules:
    """Who may hear the groups of which no object decides.

    Attributes:
        status_for_auditors: Whether ``jobs-status_changed`` and its like are for those alone who
            may see every job.
        others: Groups that are not AWX's, for every user.
    """

    status_for_auditors: bool = False
    others: Patterns = NO_GROUPS

    def allow(self, name: str, account: Account) -> bool:
        """Decide without asking.

        Args:
            name: The full name of a group for which `object_path` gives None.
            account: Who wants to hear it.

        Returns:
            Whether they may.
        """
        family, _, element = name.partition("-")
        if family == _STATUS:
            return account.is_auditor or not self.status_for_auditors
        if family in _ANYBODY:
            return True
        if family == "control":
            return element == f"limit_reached_{account.id}"
        # An id that cannot be does not make a group of events anything else.
        return family not in OBJECTS and family not in _INTERNAL and name in self.others


DEFAULT_RULES = Rules()
