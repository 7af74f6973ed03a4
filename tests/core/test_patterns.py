"""`towerws.core.patterns`: which names are in a set of patterns, with `fnmatch` as the oracle."""

from fnmatch import fnmatchcase

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.properties import CHARACTERS, PROPERTY
from towerws.core.groups import MAX_NAME_LENGTH, is_group_name
from towerws.core.patterns import MAX_PATTERNS, MAX_SCANNED, PatternError, Patterns

#: Few letters and many stars, so that pieces overlap and repeat.
_NAMES = st.text("ab-", min_size=1, max_size=12)
_PATTERNS = st.text("ab-*", min_size=1, max_size=10)


class MembershipTests(SynchronousTestCase):
    """`name in patterns`."""

    def test_names(self) -> None:
        """A pattern without a star is one name, with its case and all of its length."""
        patterns = Patterns(["job_events-42", "jobs-summary"])
        self.assertIn("job_events-42", patterns)
        self.assertIn("jobs-summary", patterns)
        for name in ("job_events-4", "job_events-421", "JOBS-summary", "a.jobs-summary", ""):
            self.assertNotIn(name, patterns)

    def test_wildcards(self) -> None:
        """A star is any number of characters, none included; nothing else is special."""
        for pattern, inside, outside in (
            ("*", ("jobs-1", "-"), ()),
            ("**", ("jobs-1", "-"), ()),
            ("jobs-*", ("jobs-1", "jobs-"), ("jobs", "xjobs-1", "Jobs-1")),
            ("*-42", ("jobs-42", "-42"), ("jobs-421", "42")),
            ("a*b*c", ("abc", "aXbYc", "abbc"), ("acb", "ab", "bc")),
            ("a*ab*a", ("aaba", "axaba"), ("aba", "aab")),
            ("ab*ba", ("abba", "abxba"), ("aba",)),
            ("*b*b", ("bb", "abab"), ("ab", "b")),
            ("a.*", ("a.b",), ("axb",)),
        ):
            patterns = Patterns([pattern])
            self.assertEqual([name for name in inside if name not in patterns], [], pattern)
            self.assertEqual([name for name in outside if name in patterns], [], pattern)

    def test_several(self) -> None:
        """One of them is enough; of none at all nothing is."""
        patterns = Patterns(("jobs-*", "inventories-1", "*-status_changed"))
        for name in ("jobs-1", "inventories-1", "schedules-status_changed"):
            self.assertIn(name, patterns)
        self.assertNotIn("inventories-2", patterns)
        self.assertNotIn("jobs-1", Patterns([]))

    @given(_NAMES, st.lists(_PATTERNS, max_size=3))
    @PROPERTY
    def test_as_fnmatch(self, name: str, patterns: list[str]) -> None:
        """It is in the set if a shell would say so."""
        expected = any(fnmatchcase(name, pattern) for pattern in patterns)
        self.assertEqual(name in Patterns(patterns), expected)

    @given(_NAMES, st.data())
    @PROPERTY
    def test_cut_out(self, name: str, data: st.DataObject) -> None:
        """A pattern made of a name, by putting stars for parts of it, has the name in it."""
        start = data.draw(st.integers(0, len(name)))
        end = data.draw(st.integers(start, len(name)))
        self.assertIn(name, Patterns([f"{name[:start]}*{name[end:]}"]))

    def test_no_exponential_time(self) -> None:
        """A pattern that would keep a regular expression busy for ever takes no time."""
        patterns = Patterns(["*a" * 49 + "*b"])
        self.assertNotIn("a" * MAX_NAME_LENGTH, patterns)


class PatternTests(SynchronousTestCase):
    """What a set can be made of."""

    def test_no_patterns(self) -> None:
        """What no group name can have in it is refused with a sentence that does not repeat it."""
        texts = ("", "a b", "jobs-?", "[ab]", "$sys-*", "jobs-\n", "ä-*", "٤")
        others: tuple[object, ...] = (42, None, [], b"jobs-1")
        for pattern in texts + others:
            error = self.assertRaises(PatternError, Patterns, ["jobs-1", pattern])
            self.assertRegex(
                str(error),
                r"\Aa group is neither a name such as job_events-42 nor a pattern such as jobs-.\Z",
            )

    def test_length(self) -> None:
        """A pattern may be as long as a name."""
        self.assertIn("x" * MAX_NAME_LENGTH, Patterns(["x" * MAX_NAME_LENGTH]))
        self.assertRaises(PatternError, Patterns, ["x" * MAX_NAME_LENGTH + "*"])

    def test_count(self) -> None:
        """There is an end to how many may be given, the same one twice included."""
        self.assertIn("a", Patterns(["a"] * MAX_PATTERNS))
        error = self.assertRaises(PatternError, Patterns, iter(["a"] * (MAX_PATTERNS + 1)))
        self.assertEqual(str(error), "there are more than 10000 patterns of groups")

    def test_scanned(self) -> None:
        """There is a much earlier end to those that cannot be looked up."""
        scanned = [f"*-{number}" for number in range(MAX_SCANNED)]
        self.assertIn("jobs-7", Patterns([*scanned, *(f"{number}-*" for number in range(5000))]))
        error = self.assertRaises(PatternError, Patterns, [*scanned, "a*b*"])
        self.assertEqual(
            str(error), "the patterns of groups have more than 100 pieces behind stars"
        )

    @given(st.text(CHARACTERS, max_size=6) | st.text("ab*-?[]", max_size=MAX_NAME_LENGTH + 2))
    @PROPERTY
    def test_any_text(self, pattern: str) -> None:
        """A text is a pattern if it is a group name once its stars are replaced."""
        if is_group_name(pattern.replace("*", "x")):
            self.assertIn(pattern.replace("*", "x"), Patterns([pattern]))
        else:
            self.assertRaises(PatternError, Patterns, [pattern])


class EqualityTests(SynchronousTestCase):
    """Two sets of the same patterns are equal."""

    def test_equal(self) -> None:
        """Order and repetition do not matter, nor do stars in a row."""
        one, other = Patterns(["a", "b-*", "b-*"]), Patterns(iter(["b-**", "a"]))
        self.assertEqual(one, other)
        self.assertEqual(hash(one), hash(other))

    def test_different(self) -> None:
        """Other names or other patterns are another set; another type is none."""
        self.assertNotEqual(Patterns(["a"]), Patterns(["b"]))
        self.assertNotEqual(Patterns(["a-*"]), Patterns(["b-*"]))
        self.assertNotEqual(Patterns(["a"]), Patterns([]))
        self.assertNotEqual(Patterns(["a"]), {"a"})
