"""Tests of the grammar of group names, and of the dictionary of clients."""

import string

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.properties import PROPERTY
from towerws.core.groups import (
    MAX_NAME_LENGTH,
    Group,
    GroupError,
    TooManyGroups,
    describe_bad_name,
    expand,
    is_group_name,
    split_name,
)

_ALPHABET = string.ascii_letters + string.digits + "_.-"

#: What JSON can hold, lone surrogates included, which its ``\u`` escapes can spell.
_TEXT = st.text(st.characters(exclude_categories=()), max_size=120)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=10,
)
_NAMES = st.text(_ALPHABET, min_size=1, max_size=MAX_NAME_LENGTH)


class NameTests(SynchronousTestCase):
    """`is_group_name` is the grammar."""

    def test_names(self) -> None:
        """AWX's groups are names, and so are other texts of the alphabet."""
        for name in ("jobs-status_changed", "job_events-42", "control-limit_reached_1", "-", "a.b"):
            self.assertTrue(is_group_name(name), name)

    def test_no_names(self) -> None:
        r"""Wildcards, server names, other letters and digits, and a line end are refused.

        protocol.md, profile awx: names that begin with ``$`` belong to the server and can be
        neither subscribed nor published from outside.
        """
        for name in ("", "$sys-1", "a-*", "a-#", "a b", "a\n", "\na", "jobs-ä", "jobs-٤٢", "a-\0"):
            self.assertFalse(is_group_name(name), name)

    def test_length(self) -> None:
        """A hundred characters are the most."""
        self.assertTrue(is_group_name("x" * 100))
        self.assertFalse(is_group_name("x" * 101))

    @given(_TEXT | st.text(_ALPHABET + "$*", max_size=102))
    @PROPERTY
    def test_model(self, name: str) -> None:
        """It agrees with the sentence that describes it."""
        expected = 1 <= len(name) <= 100 and all(character in _ALPHABET for character in name)
        self.assertEqual(is_group_name(name), expected)


class SplitTests(SynchronousTestCase):
    """`split_name` undoes what the server does with a dictionary."""

    def test_first_hyphen(self) -> None:
        """The halves are divided at the first hyphen."""
        self.assertEqual(split_name("job_events-42"), ("job_events", "42"))
        self.assertEqual(split_name("a-b-c"), ("a", "b-c"))

    def test_no_hyphen(self) -> None:
        """A name in one piece cannot be spelled in a dictionary."""
        error = self.assertRaises(GroupError, split_name, "jobs")
        self.assertEqual(
            str(error), "jobs has no hyphen: a group is named GROUP-TYPE, as jobs-summary"
        )

    def test_no_name(self) -> None:
        """What is not a name is refused with the reason."""
        error = self.assertRaises(GroupError, split_name, "jobs-*")
        self.assertEqual(str(error), describe_bad_name("jobs-*"))

    @given(_NAMES, _NAMES)
    @PROPERTY
    def test_rejoined(self, group: str, element: str) -> None:
        """A dictionary of the two halves gives the name back."""
        name = f"{group[:49]}-{element[:50]}"
        first, second = split_name(name)
        self.assertEqual([each.name for each in expand({first: [second]})], [name])


class DescribeTests(SynchronousTestCase):
    """`describe_bad_name` says what is wrong."""

    def test_reasons(self) -> None:
        """Each kind of bad name has its own sentence."""
        for name, expected in (
            ("$sys-1", "group names that begin with $ belong to the server"),
            ("", "the group name is empty"),
            ("a\n", r"the group name 'a\n' has a character outside of A-Z a-z 0-9 _ . -"),
            (
                "\n" + "x" * 100,
                rf"the group name '\n{'x' * 19}'... is longer than 100 characters",
            ),
        ):
            self.assertEqual(describe_bad_name(name), expected)


class ExpandTests(SynchronousTestCase):
    """`expand` reads the dictionary of a client."""

    def test_dictionary(self) -> None:
        """protocol.md, profile awx: a group is named ``{group}-{type}``."""
        groups = expand({"jobs": ["status_changed", "summary"], "job_events": [42, -1]})
        self.assertEqual(
            [group.name for group in groups],
            ["jobs-status_changed", "jobs-summary", "job_events-42", "job_events--1"],
        )
        self.assertEqual(groups[2], Group("job_events", "42"))

    def test_nothing(self) -> None:
        """An empty dictionary and empty lists are no groups."""
        self.assertEqual(expand({}), ())
        self.assertEqual(expand({"jobs": []}), ())

    def test_duplicates(self) -> None:
        """protocol.md, profile awx: ids as numbers or strings are one group; duplicates collapse.

        They keep the place of the first.
        """
        groups = expand({"job_events": [42, 7, "42", 42]})
        self.assertEqual([group.element for group in groups], ["42", "7"])

    def test_too_many(self) -> None:
        """They are counted before anything else is found out, those that are named again too."""
        self.assertEqual(len(expand({"a": [1, 2], "b": [1]}, 3)), 3)
        error = self.assertRaises(TooManyGroups, expand, {"a": [1, 1], "$": [None, 1]}, 3)
        self.assertEqual(str(error), "4 groups are too many: 3 are allowed")

    def test_refused(self) -> None:
        """protocol.md, profile awx: a frame that is not understood, the ``groups`` part of it.

        Not an object, a value that is not a list, an element that is neither a string nor an
        integer, a name that cannot be: each gets a sentence of its own.
        """
        list_wanted = "groups['jobs'] must be a list"
        element_wanted = "an element of groups['jobs'] is neither a string nor an integer"
        for groups, expected in (
            (None, "groups must be an object of lists"),
            (["jobs"], "groups must be an object of lists"),
            ("jobs", "groups must be an object of lists"),
            ({"jobs": "summary"}, list_wanted),
            ({"jobs": None}, list_wanted),
            ({"jobs": {"summary": 1}}, list_wanted),
            ({"jobs": [True]}, element_wanted),
            ({"jobs": [None]}, element_wanted),
            ({"jobs": [1.0]}, element_wanted),
            ({"jobs": [["summary"]]}, element_wanted),
            ({"jobs": ["*"]}, describe_bad_name("jobs-*")),
            ({"$jobs": ["summary"]}, describe_bad_name("$jobs-summary")),
            ({"jobs": ["x" * 96]}, describe_bad_name("jobs-" + "x" * 96)),
            ({"jobs": [10**100]}, describe_bad_name(f"jobs-{10**100}")),
        ):
            error = self.assertRaises(GroupError, expand, groups)
            self.assertEqual(str(error), expected)

    def test_longest_name(self) -> None:
        """A name of a hundred characters, hyphen included, is still one."""
        self.assertEqual(len(expand({"jobs": ["x" * 95]})[0].name), 100)

    def test_long_keys(self) -> None:
        """What a client sent is not sent back at any length."""
        for value in (None, [None], ["x"]):
            error = self.assertRaises(GroupError, expand, {"k" * 5000: value})
            self.assertLess(len(str(error)), 200)

    @given(_JSON | st.dictionaries(_TEXT, st.lists(_JSON, max_size=4), max_size=4))
    @PROPERTY
    def test_any_json(self, groups: object) -> None:
        """Whatever a client sends becomes names, each group once, or a short sentence."""
        try:
            found = expand(groups)
        except GroupError as error:
            self.assertLess(len(str(error)), 1200)
        else:
            self.assertTrue(all(is_group_name(group.name) for group in found))
            self.assertEqual(len(set(found)), len(found))
