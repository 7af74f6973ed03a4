"""Group names: the grammar, and how a client's dictionary becomes names.

A group is named ``{group}-{type}``: ``jobs-status_changed``, ``job_events-42``. The same name is
the routing key at the broker. The alphabet has no ``*`` and no ``#``, so a name used as a binding
key of a topic exchange matches only itself; and no ``$``, which begins the names that belong to the
server.
"""

import re
from dataclasses import dataclass

#: Longest group name, in characters. AWX's own limit (channels' ``valid_group_name``), and far
#: below the 255 bytes that AMQP gives a routing key.
MAX_NAME_LENGTH = 100

GROUP_NAME = re.compile(rf"[A-Za-z0-9_.-]{{1,{MAX_NAME_LENGTH}}}")


class GroupError(ValueError):
    """A group that cannot be: its text is one sentence, meant for whoever asked for it."""


class TooManyGroups(GroupError):
    """More groups in one frame than a client may be in."""


@dataclass(frozen=True, slots=True)
class Group:
    """One group as a client asked for it.

    Attributes:
        group: The key of the dictionary, such as ``job_events``.
        element: One element of its list as text, such as ``42``; an id or a kind of event.
    """

    group: str
    element: str

    @property
    def name(self) -> str:
        """The full name, such as ``job_events-42``."""
        return f"{self.group}-{self.element}"


def is_group_name(name: str) -> bool:
    """Tell whether a text may be the name of a group.

    Args:
        name: Any text.

    Returns:
        True if clients may subscribe to it and backends publish to it.
    """
    return GROUP_NAME.fullmatch(name) is not None


def split_name(name: str) -> tuple[str, str]:
    """Split a name into the two halves that the dictionary of a client wants.

    Args:
        name: A full name, such as ``job_events-42``.

    Returns:
        What stands before the first hyphen and what stands behind it. Every hyphen would do:
        the server joins the halves again.

    Raises:
        GroupError: The text is not a group name, or has no hyphen.
    """
    if not is_group_name(name):
        raise GroupError(describe_bad_name(name))
    group, hyphen, element = name.partition("-")
    if not hyphen:
        raise GroupError(f"{name} has no hyphen: a group is named GROUP-TYPE, as jobs-summary")
    return group, element


def describe_bad_name(name: str) -> str:
    """Say in one sentence why a text is not a group name.

    Args:
        name: A text that `is_group_name` refuses.

    Returns:
        The sentence; it repeats at most the allowed number of characters of the text.
    """
    if name.startswith("$"):
        return "group names that begin with $ belong to the server"
    if len(name) > MAX_NAME_LENGTH:
        return f"the group name {name[:20]!r}... is longer than {MAX_NAME_LENGTH} characters"
    if not name:
        return "the group name is empty"
    return f"the group name {name!r} has a character outside of A-Z a-z 0-9 _ . -"


def expand(groups: object, most: int | None = None) -> tuple[Group, ...]:
    """Turn the ``groups`` of a client's frame into groups.

    Args:
        groups: The decoded JSON value, ``{"jobs": ["summary"], "job_events": [42]}``.
        most: How many may be named, those counted that are named again; None for any number.

    Returns:
        The groups in the order they were named, each once: ``42`` and ``"42"`` are the same.

    Raises:
        TooManyGroups: There are more than that.
        GroupError: The value does not have this form, or holds a name that cannot be.
    """
    if not isinstance(groups, dict):
        raise GroupError("groups must be an object of lists")
    for key, elements in groups.items():
        if not isinstance(elements, list):
            raise GroupError(f"groups[{key[:MAX_NAME_LENGTH]!r}] must be a list")
    # Counted before any is looked at: a frame of 64 KiB has room for 32,000, which take 50 ms.
    count = sum(map(len, groups.values()))
    if most is not None and count > most:
        raise TooManyGroups(f"{count} groups are too many: {most} are allowed")
    found: dict[Group, None] = {}
    for key, elements in groups.items():
        for element in elements:
            found[_group(key, element)] = None
    return tuple(found)


def _group(key: str, element: object) -> Group:
    # bool is an int to Python; AWX would make "jobs-True" of it, which nobody ever publishes to.
    if isinstance(element, bool) or not isinstance(element, (str, int)):
        raise GroupError(
            f"an element of groups[{key[:MAX_NAME_LENGTH]!r}] is neither a string nor an integer"
        )
    group = Group(key, str(element))
    if not is_group_name(group.name):
        raise GroupError(describe_bad_name(group.name))
    return group
